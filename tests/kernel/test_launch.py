"""How kernels are launched: environment, command, directory, and the provisioner on its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import psutil
import pytest
import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

import kernel_bootstrap
from kernel_bootstrap.wire.birth import LOG_FILE
from py_code_mode import KernelConfig, live
from py_code_mode.errors import KernelStartError
from py_code_mode.kernel.bootstrap import bootstrap_command
from py_code_mode.kernel.environment import ENVIRONMENT, kernel_environment
from py_code_mode.kernel.launch import launch
from py_code_mode.kernel.provisioner import LocalKernelProvisioner

PACKAGE = Path(kernel_bootstrap.__file__).parent
HOST = {
    "PATH": "/bin",
    "HOME": "/nowhere",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONPATH": "/lib",
    "VIRTUAL_ENV": "/venv",
    "OPENAI_API_KEY": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "SSH_AUTH_SOCK": "/agent",
    "path": "/case/counts",
    "LCX": "1",
}


@pytest.fixture
def root(monkeypatch) -> Iterator[Path]:
    """An empty directory, short enough for sockets, in which kernels make theirs."""
    with tempfile.TemporaryDirectory(dir=live.roots()[0]) as directory:
        monkeypatch.setattr(tempfile, "tempdir", directory)
        yield Path(directory)


@pytest.fixture
def context():
    """Makes sockets."""
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


# --- environment -------------------------------------------------------------------------------


def test_the_environment_is_an_allow_list(tmp_path):
    """A kernel gets what is on the list and the locale; the host's secrets are not there."""
    got = kernel_environment(KernelConfig(), HOST, tmp_path)
    assert got == {
        "PATH": "/bin",
        "HOME": "/nowhere",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": "/lib",
        "VIRTUAL_ENV": "/venv",
        "PY_CODE_MODE_DIRECTORY": str(tmp_path),
    }


def test_nothing_secret_is_on_the_list():
    """No name on the list looks like one that holds a secret."""
    doubtful = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH", "PROXY")
    assert not [name for name in ENVIRONMENT if any(word in name for word in doubtful)]


def test_more_can_be_given(tmp_path):
    """``env`` adds and overrides, ``pass_env`` copies; names the host lacks are left out."""
    config = KernelConfig(
        env={"PATH": "/mine", "MODE": "x", "PY_CODE_MODE_DIRECTORY": "/elsewhere"},
        pass_env=("OPENAI_API_KEY", "NOT_SET"),
    )
    got = kernel_environment(config, HOST, tmp_path)
    assert (got["PATH"], got["MODE"], got["OPENAI_API_KEY"]) == ("/mine", "x", "secret")
    assert "NOT_SET" not in got
    assert "AWS_SECRET_ACCESS_KEY" not in got
    assert got["PY_CODE_MODE_DIRECTORY"] == str(tmp_path)


def test_another_interpreter_gets_none_of_our_paths(tmp_path):
    """What points at this interpreter's packages is kept from another one."""
    got = kernel_environment(KernelConfig(python=sys.executable), HOST, tmp_path)
    assert not got.keys() & {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    assert got["PATH"] == "/bin"


# --- command -----------------------------------------------------------------------------------


def test_our_own_interpreter_runs_the_module(tmp_path):
    """Without ``python`` the kernel is a module of this interpreter, and nothing is written."""
    assert bootstrap_command(None) == [sys.executable, "-m", "kernel_bootstrap"]
    assert list(tmp_path.iterdir()) == []


def test_another_interpreter_gets_all_of_the_bootstrap_as_a_zip(tmp_path):
    """The zip has every source file of ``kernel_bootstrap``, as it is, and nothing else."""
    python, archive = bootstrap_command(sys.executable)
    assert python == sys.executable
    with zipfile.ZipFile(archive) as bundle:
        names = set(bundle.namelist())
        sources = {
            f"kernel_bootstrap/{path.relative_to(PACKAGE).as_posix()}": path
            for path in PACKAGE.rglob("*.py")
        }
        assert names == {"__main__.py", *sources}
        for name, path in sources.items():
            assert bundle.read(name) == path.read_bytes()
        compile(bundle.read("__main__.py"), "__main__.py", "exec")


def test_a_zip_that_was_cleaned_away_is_made_again():
    """A program that runs for weeks may find its temporary files gone."""
    _, archive = bootstrap_command(sys.executable)
    shutil.rmtree(Path(archive).parent)
    _, again = bootstrap_command(sys.executable)
    assert zipfile.is_zipfile(again)


def test_an_interpreter_may_be_found_on_the_path(tmp_path, monkeypatch):
    """``python`` may be the name of a program on the PATH."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    python, _ = bootstrap_command(Path(sys.executable).name)
    assert Path(python).samefile(sys.executable)


@pytest.mark.parametrize("config", [{"python": "no-such-python"}, {"cwd": "no/such/directory"}])
async def test_a_kernel_that_cannot_start_leaves_nothing(root, context, config):
    """A missing interpreter or working directory is named, and no directory stays behind."""
    (wrong,) = config.values()
    with pytest.raises(KernelStartError, match=wrong):
        await launch(KernelConfig(**config), context)
    assert list(root.iterdir()) == []


async def test_a_provisioner_that_is_not_there_is_named(root, context):
    """An unknown provisioner is an error that names it."""
    with pytest.raises(KernelStartError, match="no-such-provisioner"):
        await launch(KernelConfig(provisioner="no-such-provisioner"), context)
    assert list(root.iterdir()) == []


async def test_a_launched_kernel_has_a_private_directory(root, context):
    """All files of a kernel are in a directory only its owner may enter."""
    launched = await launch(KernelConfig(), context)
    try:
        assert launched.directory.parent == root
        assert launched.directory.stat().st_mode & 0o777 == 0o700
        assert (launched.directory / LOG_FILE).exists()
        info = json.loads(Path(launched.manager.connection_file).read_text())
        assert info["transport"] == "ipc"
        assert info["ip"].startswith(str(launched.directory))
        environment = psutil.Process(launched.manager.provisioner.pid).environ()
        assert environment.keys() <= {*ENVIRONMENT, "PY_CODE_MODE_DIRECTORY", "JPY_PARENT_PID"} | {
            name for name in environment if name.startswith("LC_")
        }
    finally:
        await launched.manager.provisioner.kill()
        await launched.manager.provisioner.wait()
        await launched.manager.cleanup_resources()


def test_long_temporary_directories_are_avoided(monkeypatch):
    """Socket paths have a bound, so a long temporary directory is not used."""
    monkeypatch.setattr(tempfile, "tempdir", "/var/" + "x" * 80)
    assert len(str(live.roots()[0])) < 60
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")
    assert live.roots() == (Path("/var/tmp"),)


# --- the provisioner ---------------------------------------------------------------------------


def test_the_provisioner_is_an_entry_point():
    """jupyter_client finds our provisioner by its name."""
    (found,) = entry_points(group="jupyter_client.kernel_provisioners", name="py-code-mode-local")
    assert found.load() is LocalKernelProvisioner
    assert "py-code-mode-local" in KernelProvisionerFactory.instance().get_provisioner_entries()


@pytest.fixture
async def manager(tmp_path, root) -> AsyncIterator[AsyncKernelManager]:
    """An ordinary kernel manager with a kernelspec of plain ipykernel and our provisioner."""
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "plain",
        "language": "python",
        "metadata": {"kernel_provisioner": {"provisioner_name": "py-code-mode-local"}},
    }
    (tmp_path / "kernels" / "plain").mkdir(parents=True)
    (tmp_path / "kernels" / "plain" / "kernel.json").write_text(json.dumps(spec))
    specs = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")], ensure_native_kernel=False)
    made = AsyncKernelManager(
        kernel_name="plain",
        kernel_spec_manager=specs,
        transport="ipc",
        ip=str(root / "s"),
        connection_file=str(tmp_path / "kernel.json"),
    )
    yield made
    if made.has_kernel:
        await made.shutdown_kernel(now=True)
    made.context.destroy(linger=0)


async def test_it_runs_a_plain_kernel(manager):
    """A plain ipykernel under our provisioner computes, ends when asked, and leaves no process."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    environment = {**os.environ, "IPYTHONDIR": str(Path(manager.connection_file).parent / "ipy")}
    await manager.start_kernel(env=environment)
    assert isinstance(manager.provisioner, LocalKernelProvisioner)
    kernel = psutil.Process(manager.provisioner.pid)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        shown: list[str] = []

        def output(message) -> None:
            if message["msg_type"] == "execute_result":
                shown.append(message["content"]["data"]["text/plain"])

        reply = await client.execute_interactive("1 + 1", output_hook=output, timeout=60)
        assert (reply["content"]["status"], shown) == ("ok", ["2"])
    finally:
        client.stop_channels()
    await manager.shutdown_kernel()
    assert not await manager.is_alive()
    async with asyncio.timeout(10):
        while kernel.is_running() or {c.pid for c in psutil.Process().children()} - before:
            await asyncio.sleep(0.01)


async def test_what_a_killed_kernel_started_is_killed_too(manager):
    """A killed kernel takes the processes of its group with it."""
    environment = {**os.environ, "IPYTHONDIR": str(Path(manager.connection_file).parent / "ipy")}
    await manager.start_kernel(env=environment)
    kernel = psutil.Process(manager.provisioner.pid)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        code = "import subprocess; child = subprocess.Popen(['sleep', '60'])"
        await client.execute_interactive(code, timeout=60)
        (child,) = kernel.children()
    finally:
        client.stop_channels()
    await manager.shutdown_kernel(now=True)
    async with asyncio.timeout(10):
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)
