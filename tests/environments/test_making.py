"""Environments are made by real installers: whole, or not at all."""

from __future__ import annotations

import asyncio
import base64
import http.server
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from py_code_mode import (
    CodeExecutor,
    CodeModeError,
    ConfigError,
    KernelConfig,
    KernelStartError,
    PackagePolicy,
)
from py_code_mode.environments import EnvironmentStore, Spec
from py_code_mode.environments.locks import FileLock


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def sync(*words: str, directory: Path, installer: str) -> subprocess.Popen[str]:
    """Start ``py-code-mode deps sync``."""
    command = [sys.executable, "-m", "py_code_mode", "deps", "sync", "--json", *words]
    command += ["--directory", str(directory), "--installer", installer]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_that_want_the_same_wait_for_one_build(shared):
    """Of two processes one makes the environment, and both have it."""
    assert sorted(each["made"] for each in shared.said) == [False, True]
    assert {each["digest"] for each in shared.said} == {shared.digest}
    assert all(each["ready"] for each in shared.said)


def test_what_is_known_of_an_environment(shared):
    """Its record tells what was asked for, what is in it, who made it, and when it was used."""
    (found,) = EnvironmentStore(shared.policy).list()
    assert found.requirements == ("pcm-hello",)
    assert found.constraints == ("pcm-hello<2",)
    assert found.installer == "pip"
    assert found.distributions["pcm-hello"] == "1.0"  # 2.0 is there, and out of bounds
    assert found.distributions["pcm-below"] == "1.5"
    assert "pip" not in found.distributions
    assert {"ipykernel", "pyzmq"} <= {*found.kernels_own}
    assert not {"pcm-hello", "pcm-below"} & {*found.kernels_own}
    before = found.last_used
    os.utime(found.directory / "environment.json", (0, 0))
    EnvironmentStore(shared.policy).prepare(Spec.of(shared.config))
    (again,) = EnvironmentStore(shared.policy).list()
    assert again.last_used >= before


def test_programs_of_packages_run(shared):
    """Console scripts name the interpreter where it stays."""
    script = shared.policy.directory / shared.digest / "bin" / "pcm-hello"
    done = subprocess.run([script], capture_output=True, text=True, check=True)
    assert done.stdout == "pcm_hello 1.0\n"


def test_what_comes_along_can_be_refused(shared):
    """Without dependencies of their own accord, those that are not allowed are named."""
    strict = {"directory": shared.policy.directory, "allow_dependencies": False}
    policy = PackagePolicy(allow=["pcm-hello<2"], **strict)
    same = PackagePolicy(allow=["pcm-hello<2", "pcm-below"], **strict)
    config = KernelConfig(packages=["pcm-hello"], package_policy=policy)
    assert Spec.of(config).digest == shared.digest
    with pytest.raises(ConfigError, match=r"pcm-below came along.*allow_dependencies=False"):
        EnvironmentStore(policy).prepare(Spec.of(config))
    EnvironmentStore(same).prepare(Spec.of(config))


def test_a_killed_build_leaves_nothing_that_looks_ready(tmp_path, settings):
    """After kill -9 the installer ends too, and another process makes the environment, by uv."""
    wanted = ("--package", "pcm-source", "--allow", "pcm-source", "--allow-sources")
    killed = sync(*wanted, directory=tmp_path, installer="pip")
    children = []
    until(lambda: any(tmp_path.glob("*/requirements.txt")))
    until(lambda: bool(children.extend(psutil.Process(killed.pid).children()) or children))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    store = EnvironmentStore(PackagePolicy(directory=tmp_path))
    assert store.list() == []

    second = sync(*wanted, directory=tmp_path, installer="uv")
    out, err = second.communicate(timeout=100)
    assert second.returncode == 0, err
    assert not any(child.is_running() for child in children)
    said = json.loads(out)
    (made,) = store.list()
    assert (made.digest, made.installer) == (said["digest"], "uv")
    assert made.distributions["pcm-source"] == "1.0"
    assert settings.read_text().endswith("built")
    assert not [file for file in made.directory.iterdir() if file.name.endswith(".txt")]
    linked = made.directory.glob("lib/python*/site-packages/zmq/__init__.py")
    assert [file.stat().st_nlink for file in linked] == [1]  # no link into uv's own cache
    done = subprocess.run(
        [said["python"], "-c", "import pcm_source, ipykernel; print(pcm_source.VERSION)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1.0\n"


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("name", ["pcm-source", "pcm-tricky"])
def test_what_has_no_wheel_is_not_built(tmp_path, settings, installer, name, caplog):
    """Where there is source alone, also as a wheel's dependency by URL, no script is run."""
    settings.unlink(missing_ok=True)
    policy = PackagePolicy(allow=["pcm-*"], directory=tmp_path, installer=installer)
    config = KernelConfig(packages=[name], package_policy=policy)
    caplog.set_level(logging.INFO, "py_code_mode")
    with pytest.raises(KernelStartError, match=f"{name} could be made by") as caught:
        EnvironmentStore(policy).prepare(Spec.of(config))
    why = "wheel|No matching distribution|URL dependencies"
    assert re.search(why, str(caught.value)), str(caught.value)
    assert f"making an environment with {name} in {tmp_path}" in caplog.text
    assert not settings.exists()
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.fixture
def index() -> Iterator[str]:
    """An index that asks who is there, and has nothing; yields its address."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(404 if seen[-1] else 401)
            self.send_header("WWW-Authenticate", "Basic realm=index")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}/simple/"
        server.shutdown()
    assert "Basic " + base64.b64encode(b"someone:hunter2-hunter2").decode() in seen


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_credentials_of_an_index_are_used_and_not_shown(
    tmp_path, index, installer, caplog, monkeypatch
):
    """The installer takes the index from its own settings; no message has the password."""
    url = f"http://someone:hunter2-hunter2@{index}"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)
    policy = PackagePolicy(allow=["nowhere"], directory=tmp_path, installer=installer)
    config = KernelConfig(packages=["nowhere"], package_policy=policy)
    caplog.set_level(logging.INFO, "py_code_mode")
    with pytest.raises(KernelStartError) as caught:
        EnvironmentStore(policy).prepare(Spec.of(config))
    assert "hunter2" not in str(caught.value) + caplog.text
    assert caplog.text


def test_a_build_has_a_time_limit(tmp_path):
    """A build that takes too long is killed, and leaves nothing."""
    policy = PackagePolicy(allow=["pcm-hello"], directory=tmp_path, installer="pip", timeout=0.5)
    config = KernelConfig(packages=["pcm-hello"], package_policy=policy)
    with pytest.raises(KernelStartError, match=r"it took longer than 0\.5 s"):
        EnvironmentStore(policy).prepare(Spec.of(config))
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    assert not [each for each in psutil.Process().children() if _is_pip(each)]


def _is_pip(process: psutil.Process) -> bool:
    try:
        return "pip" in process.cmdline()
    except psutil.NoSuchProcess:  # also when it is a zombie
        return False


def test_somebody_who_never_ends_is_not_waited_for(tmp_path):
    """A lock that another has for longer than the limit is told."""
    policy = PackagePolicy(allow=["pcm-hello"], directory=tmp_path, timeout=0.3)
    spec = Spec.of(KernelConfig(packages=["pcm-hello"], package_policy=policy))
    other = FileLock(tmp_path / f"{spec.digest}.lock")
    assert other.try_lock(shared=False)
    with pytest.raises(KernelStartError, match="another process"):
        EnvironmentStore(policy).prepare(spec)
    other.release()


@pytest.mark.parametrize("warm", [0, 2])
async def test_a_start_that_is_given_up_ends_the_installer(tmp_path, warm):
    """Closing an executor whose kernels wait for their environment kills the build."""
    policy = PackagePolicy(allow=["pcm-hello"], directory=tmp_path, installer="pip")
    config = KernelConfig(packages=["pcm-hello"], package_policy=policy, warm=warm)
    async with CodeExecutor(kernel=config) as executor:
        starting = asyncio.create_task(executor.start())
        async with asyncio.timeout(60):
            while not [*tmp_path.glob("*/requirements.txt")]:
                await asyncio.sleep(0.01)
        if not warm:
            starting.cancel()
    await asyncio.wait({starting})
    assert starting.cancelled() or isinstance(starting.exception(), CodeModeError)
    lock = FileLock(tmp_path / f"{Spec.of(config).digest}.lock")
    async with asyncio.timeout(10):
        while not lock.try_lock(shared=False):
            await asyncio.sleep(0.01)
    lock.release()
    assert EnvironmentStore(policy).list() == []


def test_where_nothing_may_be_made_nothing_is(tmp_path):
    """A policy can leave making to ``deps sync``, and the error says so."""
    policy = PackagePolicy(allow=["pcm-hello"], directory=tmp_path / "none", install=False)
    config = KernelConfig(packages=["pcm-hello"], package_policy=policy)
    with pytest.raises(ConfigError, match="deps sync"):
        EnvironmentStore(policy).prepare(Spec.of(config))
    assert not (tmp_path / "none").exists()


def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path):
    """Kernels run what lies there, so others must not be able to put it there."""
    tmp_path.chmod(0o777)
    policy = PackagePolicy(allow=["pcm-hello"], directory=tmp_path)
    config = KernelConfig(packages=["pcm-hello"], package_policy=policy)
    with pytest.raises(ConfigError, match="everybody may write"):
        EnvironmentStore(policy).prepare(Spec.of(config))
