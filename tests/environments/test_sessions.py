"""Sessions whose kernels have packages, and skills that need some."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import logging
import os
import sys
from datetime import timedelta

import pytest

from py_code_mode import (
    CodeExecutor,
    KernelConfig,
    KernelStartError,
    PackagePolicy,
    create_skill_library,
)
from py_code_mode.environments import EnvironmentStore

WAYS = {
    "template": {"provisioner": "py-code-mode-template"},
    "pool": {"provisioner": "py-code-mode-template", "warm": 1},
    "plain": {"provisioner": "py-code-mode-local"},
}

GREETS = '''"""Say hello.

Packages: pcm-hello>=1
"""

def run() -> str:
    import pcm_hello

    return pcm_hello.VERSION
'''


@pytest.mark.parametrize("way", WAYS)
async def test_code_has_the_packages_and_the_host_does_not(make_executor, shared, way):
    """However the kernel comes to be, it imports what its environment has."""
    executor = await make_executor(kernel=dataclasses.replace(shared.config, **WAYS[way]))
    if way == "pool":
        await executor._settings.pool().filled()
    result = await executor.run("import pcm_hello, pcm_below, sys\npcm_hello.VERSION, sys.prefix")
    version, prefix = result.unwrap()
    assert version == "1.0"
    assert prefix == str(shared.policy.directory / shared.digest) != sys.prefix
    assert importlib.util.find_spec("pcm_hello") is None
    missing = "import importlib.util\nimportlib.util.find_spec('pydantic') is None"
    assert (await executor.run(missing)).unwrap() is True


async def test_branches_and_sessions_have_them_too(make_executor, shared):
    """A fork keeps what was imported, a further session imports it itself."""
    executor = await make_executor(kernel=shared.config)
    await executor.run("import pcm_hello\npcm_hello.mine = 1")
    branch = await executor.fork()
    assert (await branch.run("pcm_hello.mine, pcm_hello.VERSION")).unwrap() == (1, "1.0")
    other = await executor.session()
    code = "import pcm_hello\nhasattr(pcm_hello, 'mine'), pcm_hello.VERSION"
    assert (await other.run(code)).unwrap() == (False, "1.0")


async def test_preloads_come_from_the_environment(make_executor, shared):
    """What the template imports ahead is the environment's."""
    executor = await make_executor(kernel=dataclasses.replace(shared.config, preload=["pcm_hello"]))
    code = "import sys\n'pcm_hello' in sys.modules"
    assert (await executor.run(code)).unwrap() is True


async def test_an_interpreter_that_is_named_is_in_use(make_executor, shared):
    """A kernel of the interpreter that ``deps sync`` printed keeps its environment."""
    python = shared.policy.directory / shared.digest / "bin" / "python"
    executor = await make_executor(kernel=KernelConfig(python=python))
    assert (await executor.run("import pcm_hello\npcm_hello.VERSION")).unwrap() == "1.0"
    os.utime(python.parent.parent / "environment.json", (0, 0))
    store = EnvironmentStore(shared.policy)
    assert store.prune(timedelta(0)) == []
    await executor.reset()
    (found,) = store.list()
    assert found.last_used > "2000"


async def test_programs_of_the_environment_are_found_first(make_executor, shared):
    """Shell commands of a cell find the environment's programs, and no pip in it."""
    executor = await make_executor(kernel=shared.config)
    result = await executor.run("!pcm-hello\n!python -m pip --version")
    assert "pcm_hello 1.0" in result.stdout
    assert "No module named pip" in result.stdout + result.stderr


async def test_a_skill_runs_where_its_packages_are(make_executor, shared):
    """A skill that declares packages runs in a kernel that has them."""
    executor = await make_executor(kernel=shared.config)
    executor.skill_library.create("greets", GREETS)
    assert (await executor.run("skills.greets()")).unwrap() == "1.0"


async def test_a_skill_says_what_is_missing(make_executor, shared):
    """The error names each requirement, with the version that is there, and the way to get it."""
    library = create_skill_library()
    wanted = "Packages: pcm-hello>=2, pcm-nowhere[x], ipykernel, pcm-old; python_version < '3'"
    library.create("greets", GREETS.replace("Packages: pcm-hello>=1", wanted))
    executor = await make_executor(skill_library=library, kernel=shared.config)
    result = await executor.run("skills.greets()")
    assert result.error.name == "MissingPackagesError"
    assert "pcm-hello>=2 (1.0 is installed), pcm-nowhere[x] (not installed)" in result.error.message
    assert "KernelConfig(packages=[...])" in result.error.message
    assert "deps sync" in result.error.message
    caught = await executor.run(
        "try:\n    skills.greets()\nexcept (ImportError, skills.SkillError) as error:\n"
        "    told = error.missing\ntold"
    )
    assert caught.unwrap() == [
        {"requirement": "pcm-hello>=2", "installed": "1.0"},
        {"requirement": "pcm-nowhere[x]", "installed": None},
    ]


async def test_agents_install_nothing(make_executor, tmp_path, monkeypatch):
    """A skill that an agent writes may ask for packages, and no later kernel has them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    executor = await make_executor()
    created = f"_ = skills.create('greets', {GREETS!r})"
    assert (await executor.run(created)).is_ok
    await executor.reset()
    assert (await executor.run("skills.greets()")).error.name == "MissingPackagesError"
    # A template that starts here leaves matplotlib's list of fonts, whoever came before.
    assert {path.name for path in tmp_path.iterdir()} <= {"matplotlib"}


async def test_a_pool_whose_environment_fails_tells_the_run(tmp_path, caplog):
    """The run that needs the kernel gets the reason, and of several kernels one tries."""
    caplog.set_level(logging.INFO, "py_code_mode.environments")
    policy = PackagePolicy(allow=["pcm-nowhere"], directory=tmp_path, installer="uv")
    config = KernelConfig(packages=["pcm-nowhere"], package_policy=policy, warm=4)
    async with CodeExecutor(kernel=config) as executor, asyncio.timeout(60):
        with pytest.raises(KernelStartError, match="pcm-nowhere could be made by uv"):
            await executor.run("1")
        assert caplog.text.count("making an environment") == 1
