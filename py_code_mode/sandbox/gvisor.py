"""gVisor: a kernel's process on a system kernel of its own, written in a language that is safe.

Place in the house: inside ``sandbox``. ``runsc`` runs a bundle: a description of one container
(https://github.com/opencontainers/runtime-spec, ``config.json``) and an empty folder as its root,
into which is bound what the kernel may reach. The kernel opens its sockets in its box, where the
host finds them. gVisor has no descriptors of processes (pidfd), so such kernels come from no
template and cannot be forked.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import kernel_bootstrap
from kernel_bootstrap.wire.confinement import Confinement
from py_code_mode.sandbox.bubblewrap import python_places
from py_code_mode.sandbox.system import SYSTEM

__all__ = ["SENTRY_TASKS", "Bundle", "gvisor_missing", "signal_command"]

SENTRY_TASKS = 200
"""Threads and processes of gVisor itself, beside those of the code."""

_SECONDS = 30
_MADE = ("/proc", "/dev", "/sys")
"""What is in there is gVisor's own."""


class Bundle:
    """What ``runsc`` runs: one kernel, and what it may reach.

    Args:
        folder: Where it lies, out of reach of the kernel.
        bounds: The kernel's.
        python: Its interpreter.

    Raises:
        OSError: The interpreter cannot be asked for its packages.
    """

    def __init__(self, folder: Path, bounds: Confinement, python: str) -> None:
        self._folder = folder
        package = str(Path(kernel_bootstrap.__file__).parent)
        self._mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},  # noqa: S108 - one inside
            *_binds((*bounds.read, *python_places(python, None), package), "ro"),
            *_binds(bounds.write, "rw"),
        ]
        self._limits = bounds.limits
        self.command = [*_runsc(folder, bounds.network), "run", "-bundle", str(folder), _id(folder)]

    def write(self, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
        """Write it down.

        Args:
            argv: What to run.
            env: Its whole environment.
            cwd: Its working directory.
        """
        nothing: dict[str, list[str]] = {
            kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")
        }
        spec = {
            "ociVersion": "1.0.2",
            "hostname": "sandbox",
            "root": {"path": "root", "readonly": True},
            "mounts": self._mounts,
            "linux": {"namespaces": [{"type": kind} for kind in _NAMESPACES]},
            "process": {
                "terminal": False,
                "user": {"uid": os.getuid(), "gid": os.getgid()},
                "args": [*argv],
                "env": [f"{name}={value}" for name, value in env.items()],
                "cwd": cwd,
                "capabilities": nothing,
                "noNewPrivileges": True,
                "rlimits": [_limit(name, most) for name, most in self._limits.items()],
            },
        }
        (self._folder / "root").mkdir(parents=True, exist_ok=True)
        (self._folder / "config.json").write_text(json.dumps(spec), "utf-8")


_NAMESPACES = ("pid", "ipc", "uts", "mount", "network")


def signal_command(folder: Path, number: int) -> list[str]:
    """Return what sends a signal to what runs in a bundle; ``runsc run`` itself would end by it."""
    return [*_runsc(folder, "none"), "kill", _id(folder), str(int(number))]


def _id(folder: Path) -> str:
    """Name a container: one name may be there once on a machine, whatever its bundle."""
    return f"pcm-{hashlib.sha256(str(folder).encode()).hexdigest()[:24]}"


def _runsc(folder: Path, network: str) -> list[str]:
    return [
        # It makes its root there as a user that cannot enter private directories.
        *("env", "TMPDIR=/tmp", shutil.which("runsc") or "runsc"),
        *(() if os.geteuid() == 0 else ("--rootless",)),
        *("--ignore-cgroups", f"--network={'host' if network == 'all' else 'none'}"),
        *("--host-uds=all", "--root", str(folder / "state")),
    ]


def _binds(paths: Iterable[str], mode: str) -> list[dict[str, Any]]:
    """Bind each path that is there, those further up first."""
    found = {path for path in paths if not path.startswith(_MADE) and Path(path).exists()}
    return [
        {
            "destination": path,
            "type": "bind",
            "source": os.path.realpath(path),
            "options": [mode, "rbind"],
        }
        for path in sorted(found, key=lambda path: (path.count(os.sep), path))
    ]


def _limit(name: str, most: int) -> dict[str, Any]:
    return {"type": f"RLIMIT_{name}", "hard": most, "soft": most}


@functools.lru_cache(maxsize=64)
def gvisor_missing(python: str) -> str:
    """Say why gVisor does not work here for an interpreter; empty if it does.

    Args:
        python: Its path.
    """
    if shutil.which("runsc") is None:
        return "gVisor (runsc) is not installed"
    with tempfile.TemporaryDirectory(prefix="pcm-try-") as folder:
        try:
            bundle = Bundle(Path(folder), Confinement(read=SYSTEM), python)
            bundle.write([python, "-I", "-c", ""], {}, os.sep)
            done = subprocess.run(  # noqa: S603 - runsc
                bundle.command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"gVisor cannot run {python}: {error}"
    said = done.stderr.decode("utf-8", "replace").strip()[-300:]
    return "" if done.returncode == 0 else f"gVisor cannot run {python}: {said}"
