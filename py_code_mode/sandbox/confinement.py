"""From bounds to what a kernel's process is told to take away from itself.

Place in the house: inside ``sandbox``. Python and its packages are not listed here: the process
adds them, it knows where they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from kernel_bootstrap.wire.confinement import Confinement
from py_code_mode.sandbox.bounds import Sandbox
from py_code_mode.sandbox.bubblewrap import bwrap_command, python_places, user_of_kernels
from py_code_mode.sandbox.system import DEVICES, NAMED, OWN_PROCESS, SYSTEM

__all__ = ["confinement_of", "wrap_of"]


def confinement_of(
    sandbox: Sandbox, own: Iterable[Path], scripts: Iterable[str], env: Mapping[str, str]
) -> Confinement:
    """Return the confinement of a kernel.

    Args:
        sandbox: The bounds.
        own: Directories of the session itself, to be changed at will.
        scripts: Files that are run before the code.
        env: Its environment.
    """
    named = [env[name] for name in NAMED if env.get(name)]
    return Confinement(
        read=(*map(str, sandbox.read), *SYSTEM, *OWN_PROCESS, *scripts, *named),
        write=(*map(str, own), *map(str, sandbox.write), *DEVICES),
        network=sandbox.network,
        limits=_limits(sandbox),
    )


def wrap_of(bounds: Confinement, sandbox: Sandbox, python: str, boxes: Path) -> tuple[str, ...]:
    """Return the command that runs a template in namespaces which hold what its kernels may reach.

    Args:
        bounds: Those of its kernels.
        sandbox: What they were made from.
        python: The interpreter.
        boxes: Where the sessions' own directories are.

    Raises:
        OSError: The interpreter cannot be asked.
    """
    read = (*bounds.read, *python_places(python, user_of_kernels()))
    own = (path for path in bounds.write if boxes not in Path(path).parents)
    return bwrap_command(sandbox, read, (str(boxes), *own))


def _limits(sandbox: Sandbox) -> dict[str, int]:
    asked = {
        # Of the private memory that can be written: an address space alone costs nothing, and
        # libraries reserve much.
        "DATA": sandbox.memory,
        "CPU": sandbox.cpu_seconds,
        "NOFILE": sandbox.open_files,
        "FSIZE": sandbox.file_size,
    }
    limits = {name: int(most) for name, most in asked.items() if most is not None}
    if sandbox.processes is not None and os.geteuid() != 0:  # it does not bound root
        # The system counts all of a user, not of a session.
        limits["NPROC"] = _tasks_of_user() + sandbox.processes
    return {"CORE": 0, **limits}


def _tasks_of_user() -> int:
    """Count processes and threads of this user."""
    user, count = os.getuid(), 0
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if process.stat().st_uid == user:
                count += len([*(process / "task").iterdir()])
        except OSError:
            continue  # it has ended meanwhile
    return count
