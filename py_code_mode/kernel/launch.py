"""From a ``KernelConfig`` to a started jupyter_client kernel manager.

Place in the house: inside ``kernel``, above ``provisioner``. Decides command, environment and
the private directory; the provisioner decides how the process comes to be.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

import kernel_bootstrap.wire
from py_code_mode.config import KernelConfig
from py_code_mode.errors import KernelStartError
from py_code_mode.kernel.traces import LOG_FILE

__all__ = ["ENVIRONMENT", "Launched", "launch"]

ENVIRONMENT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"),
        *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP"),
    }
)
"""What a kernel gets of the host's environment, and ``LC_*``. The rest may hold secrets."""

LONGEST_ROOT = 60
"""Characters of a temporary directory below which socket paths still fit."""

_BOOTSTRAP = Path(kernel_bootstrap.wire.__file__).parent.parent
_MAIN = "from kernel_bootstrap.__main__ import main\nmain()\n"


class _OneSpec(KernelSpecManager):
    """A kernelspec manager that knows one spec, held in memory."""

    def __init__(self, spec: KernelSpec) -> None:
        super().__init__()
        self._spec = spec

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the spec, whatever the name."""
        del kernel_name
        return self._spec


@dataclass(frozen=True, slots=True)
class Launched:
    """A started kernel process.

    Attributes:
        manager: Its jupyter_client manager.
        directory: Private directory (0700): connection file, sockets, and its ``Traces``.
    """

    manager: AsyncKernelManager
    directory: Path


async def launch(config: KernelConfig, context: zmq.Context[zmq.Socket[bytes]]) -> Launched:
    """Start a kernel process; it is not yet ready.

    Raises:
        KernelStartError: The interpreter or working directory is missing, or cannot be run.
    """
    directory = Path(tempfile.mkdtemp(prefix="pcm-", dir=_socket_root()))
    try:
        return await _launch_in(directory, config, context)
    except (OSError, RuntimeError, ImportError) as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise KernelStartError(f"the kernel could not be started: {error}") from error
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


async def _launch_in(
    directory: Path, config: KernelConfig, context: zmq.Context[zmq.Socket[bytes]]
) -> Launched:
    profiles = directory / "ipython"
    profiles.mkdir()
    spec = KernelSpec(
        argv=[
            *_command(config, directory),
            *("-f", "{connection_file}"),
            f"--BaseIPythonApplication.ipython_dir={profiles}",
        ],
        display_name="py-code-mode",
        language="python",
        interrupt_mode="signal",
        metadata={"kernel_provisioner": {"provisioner_name": config.provisioner}},
    )
    manager = AsyncKernelManager(
        kernel_name="py-code-mode",
        kernel_spec_manager=_OneSpec(spec),
        context=zmq.asyncio.Context.shadow(context.underlying),
        connection_file=str(directory / "kernel.json"),
        # Each open socket is a path: the directory's mode is the access control.
        transport="ipc",
        ip=str(directory / "s"),
        autorestart=False,
    )
    # Replays are no threat from a kernel that holds the key, and the history costs memory.
    manager.session.digest_history_size = 0
    with (directory / LOG_FILE).open("wb") as log:
        try:
            await manager.start_kernel(
                env=_environment(config, os.environ, directory),
                cwd=str(config.cwd or Path.cwd()),
                stdout=log,
                stderr=log,
            )
        except BaseException:
            await _give_up(manager)
            raise
    return Launched(manager, directory)


async def _give_up(manager: AsyncKernelManager) -> None:
    """End a kernel whose start failed or was cancelled half-way."""
    provisioner = manager.provisioner
    if provisioner is not None and provisioner.has_process:
        await provisioner.kill()
        await provisioner.wait()
    await manager.cleanup_resources()


def _command(config: KernelConfig, directory: Path) -> list[str]:
    """Return how to run the bootstrap: as a module here, as a zip in another interpreter."""
    if config.python is None:
        return [sys.executable, "-m", "kernel_bootstrap"]
    python = shutil.which(os.fspath(config.python))
    if python is None:
        raise FileNotFoundError(
            f"KernelConfig(python={os.fspath(config.python)!r}) is no interpreter that can be run"
        )
    archive = directory / "kernel_bootstrap.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("__main__.py", _MAIN)
        for source in sorted(_BOOTSTRAP.rglob("*.py")):
            bundle.write(source, f"kernel_bootstrap/{source.relative_to(_BOOTSTRAP).as_posix()}")
    return [python, str(archive)]


def _environment(config: KernelConfig, host: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return the kernel's environment: an allow-list, never the host's whole."""
    names = ENVIRONMENT | set(config.pass_env)
    if config.python is not None:
        # They point at this interpreter's packages, not at the other one's.
        names -= {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    chosen = {
        name: value for name, value in host.items() if name in names or name.startswith("LC_")
    }
    return {**chosen, **config.env, "PY_CODE_MODE_DIRECTORY": str(directory)}


def _socket_root() -> str:
    """A directory short enough for socket paths, whose length the system bounds (108 bytes)."""
    usual = tempfile.gettempdir()
    too_long = len(usual) > LONGEST_ROOT and Path("/tmp").is_dir()  # noqa: S108 - mkdtemp is private
    return "/tmp" if too_long else usual  # noqa: S108
