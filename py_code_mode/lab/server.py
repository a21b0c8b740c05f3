"""The Jupyter server that shows sessions: found, started, stopped.

Place in the house: inside ``lab``, above ``folder``. One for each user, on loopback, with a token;
it ends by itself some minutes after the last session has.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from py_code_mode.errors import ConfigError, KernelError
from py_code_mode.kernel.environment import ENVIRONMENT
from py_code_mode.lab.folder import LabFolder

__all__ = ["LabServer", "running_server", "start_server", "stop_server"]

START_SECONDS = 60.0
STOP_SECONDS = 10.0

NEWS = "@jupyterlab/apputils-extension:announcements"
"""Asks a person whether it may look for news; left out."""

IDLE_SECONDS = 300
"""How long it runs on without a session."""


@dataclass(frozen=True, slots=True)
class LabServer:
    """A running server.

    Attributes:
        url: Where it listens, with a slash at the end.
        token: What it asks for.
        pid: Number of its process.
        folder: Its files.
    """

    url: str
    token: str
    pid: int
    folder: LabFolder


def running_server() -> LabServer | None:
    """Return this user's server, if it runs.

    Raises:
        KernelError: Its folder is somebody else's.
    """
    folder = LabFolder.ours()
    for file in folder.runtime.glob("jpserver-*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            info = json.loads(file.read_text())
            os.kill(info["pid"], 0)
            return LabServer(info["url"], info["token"], info["pid"], folder)
    return None


def start_server() -> LabServer:
    """Return this user's server, started if it does not run.

    Raises:
        ConfigError: JupyterLab is not installed.
        KernelError: It did not come up; the message has what it printed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise ConfigError("JupyterLab is not installed here: pip install 'py-code-mode[lab]'")
    folder = LabFolder.ours()
    with _held(folder.lock):
        return running_server() or _start(folder)


def stop_server() -> bool:
    """Stop this user's server; sessions go on.

    Returns:
        Whether one was running.
    """
    server = running_server()
    if server is None:
        return False
    # jupyter_server asks back on SIGINT; SIGTERM ends it in good order.
    os.kill(server.pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while _runs(server.pid):
        if time.monotonic() > until:
            with suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    return True


def _start(folder: LabFolder) -> LabServer:
    for left in folder.runtime.iterdir():
        left.unlink(missing_ok=True)
    folder.settings.write_text(json.dumps(_settings(folder)))
    page = folder.config / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps({"disabledExtensions": {NEWS: True}}))
    paths = [str(folder.config), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    env = {
        **_environment(),
        # Not among the arguments, which every user of the machine can read.
        "JUPYTER_TOKEN": secrets.token_hex(24),
        "JUPYTER_RUNTIME_DIR": str(folder.runtime),
        "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths)),
    }
    pid = _spawn([sys.executable, "-m", "jupyterlab", f"--config={folder.settings}"], env, folder)
    until = time.monotonic() + START_SECONDS
    while _runs(pid) and time.monotonic() < until:
        server = running_server()
        if server is not None:
            return server
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    said = folder.log.read_text(errors="replace")[-4000:]
    raise KernelError(f"JupyterLab did not come up:\n{said}")


def _environment() -> dict[str, str]:
    """Return what a server gets of this program's environment: no secrets, as for a kernel."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in ENVIRONMENT or name.startswith(("LC_", "JUPYTER", "IPYTHON"))
    }


def _spawn(command: list[str], env: dict[str, str], folder: LabFolder) -> int:
    """Start a process that outlives this one; ``Popen`` objects want to be waited for."""
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(folder.log), new, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, env, file_actions=files, setsid=True)


def _settings(folder: LabFolder) -> dict[str, Any]:
    return {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": 0,
            "open_browser": False,
            "allow_root": os.geteuid() == 0,
            "root_dir": str(folder.notebooks),
            "allow_external_kernels": True,
            "external_connection_dir": str(folder.connections),
            "kernel_manager_class": "py_code_mode.lab.kernels.SessionMappingKernelManager",
            "kernel_websocket_connection_class": "py_code_mode.lab.pages.SessionConnection",
            "shutdown_no_activity_timeout": IDLE_SECONDS,
        },
        "LabApp": {
            "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        },
    }


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _runs(pid: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # of one that this process has started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
