"""Real environments, made by real installers from tiny wheels beside the usual index."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from py_code_mode import KernelConfig, PackagePolicy
from py_code_mode.environments import locks
from py_code_mode.kernel.template import Holds
from tests.environments.wheels import files_of, write_sdist, write_wheel

SCRIPTS = "[console_scripts]\npcm-hello = pcm_hello:main\n"


@pytest.fixture(scope="module")
def kept_templates() -> Iterator[Holds]:
    """Templates of these environments, which are of no use to other tests."""
    holds = Holds()
    yield holds
    holds.close()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that are nowhere else."""
    folder = tmp_path_factory.mktemp("wheels")
    more = {"entry_points.txt": SCRIPTS}
    for version in ("1.0", "2.0"):
        needs = ("pcm-below>=1", "pcm-more; extra == 'more'")
        write_wheel(folder, files_of("pcm_hello", version, needs=needs, **more))
    for version in ("1.0", "1.5"):
        write_wheel(folder, files_of("pcm_below", version))
    source = write_sdist(folder)
    write_wheel(folder, files_of("pcm_tricky", "1.0", needs=(f"pcm-source @ {source.as_uri()}",)))
    return folder


@pytest.fixture(scope="session", autouse=True)
def settings(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both installers look into the folder, too, by their own settings; returns what sdists tell."""
    told = tmp_path_factory.mktemp("told") / "told.txt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", str(wheels))
        patch.setenv("UV_FIND_LINKS", str(wheels))
        patch.setenv("PCM_TOLD", str(told))
        yield told


@pytest.fixture(autouse=True)
def nothing_in_use() -> Iterator[None]:
    """Let go of what a test used: a process does so when it ends."""
    yield
    for directory in [*locks._shared]:
        locks.let_go(directory)


@dataclass(frozen=True)
class Shared:
    """An environment that several tests use.

    Attributes:
        policy: What it was made under.
        digest: What it is kept under.
        said: What each of the processes that made it at the same time said.
    """

    policy: PackagePolicy
    digest: str
    said: list[dict[str, Any]]

    @property
    def config(self) -> KernelConfig:
        return KernelConfig(packages=["pcm-hello"], package_policy=self.policy)


@pytest.fixture(scope="session")
def shared(settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """An environment with pcm-hello, made by pip while two processes want it at the same time."""
    policy = PackagePolicy(
        allow=["pcm-*", "pcm-hello<2"],
        installer="pip",
        directory=tmp_path_factory.mktemp("environments"),
    )
    command = [
        *(sys.executable, "-m", "py_code_mode", "deps", "sync", "--json", "--package", "pcm-hello"),
        *("--allow", *policy.allow, "--installer", "pip", "--directory", str(policy.directory)),
    ]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    said = [json.loads(out) for out, _ in outputs]
    return Shared(policy, said[0]["digest"], said)
