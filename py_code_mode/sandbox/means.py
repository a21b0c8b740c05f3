"""What this machine can do to confine a kernel, and the best of it.

Place in the house: inside ``sandbox``, above ``bounds``.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from kernel_bootstrap.wire.confinement import LOOPBACK, landlock_version
from py_code_mode.errors import ConfigError
from py_code_mode.sandbox.bounds import Sandbox
from py_code_mode.sandbox.bubblewrap import bwrap_missing
from py_code_mode.sandbox.cgroup import find_parents
from py_code_mode.sandbox.gvisor import gvisor_missing

__all__ = ["Level", "choose_level"]

_MACHINES = ("x86_64", "aarch64")

_LACKS = {
    3: "files can be emptied that the code may not write (Landlock of Linux 6.2 and later)",
    6: "signals reach other processes of the same user (Landlock of Linux 6.12 and later)",
}
"""What a version of Landlock stops that those before it do not."""


@dataclass(frozen=True, slots=True)
class Level:
    """How a kernel is confined.

    Attributes:
        name: ``none``, ``landlock``, ``bwrap`` or ``gvisor``.
        why: Why it is this level, and no better one.
        lacks: What this machine's means do not stop, though the level does elsewhere.
    """

    name: str
    why: str
    lacks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join([f"{self.name}: {self.why}", *(f"but {each}" for each in self.lacks)])


def choose_level(sandbox: Sandbox, python: str) -> Level:
    """Return the level at which a kernel with these bounds is confined here.

    Args:
        sandbox: The bounds.
        python: Path of the interpreter that is to run.

    Raises:
        ConfigError: This machine cannot do what the bounds ask for.
    """
    if sandbox.level == "none":
        return Level("none", "no sandbox was asked for")
    if sandbox.level == "gvisor":
        return _gvisor(sandbox, python)
    missing = _landlock_missing()
    if missing:
        if sandbox.level == "auto":
            return Level("none", missing)
        raise ConfigError(f"Sandbox(level={sandbox.level!r}) does not work here: {missing}")
    version = landlock_version()
    lacks = (*(what for since, what in _LACKS.items() if version < since), *_lacks_groups(sandbox))
    without_bwrap = "" if sandbox.level == "landlock" else bwrap_missing(python)
    if sandbox.level != "landlock" and not without_bwrap:
        return Level("bwrap", f"namespaces and Landlock version {version}", lacks)
    if sandbox.level == "bwrap":
        raise ConfigError(f"Sandbox(level='bwrap') does not work here: {without_bwrap}")
    if sandbox.network == LOOPBACK:
        raise ConfigError(
            "Sandbox(network='loopback') needs level='bwrap' or 'gvisor', for Landlock has no "
            f"network of its own{': ' if without_bwrap else ''}{without_bwrap}"
        )
    why = f"Landlock version {version}; {without_bwrap or 'it was asked for'}"
    return Level("landlock", why, lacks)


def _gvisor(sandbox: Sandbox, python: str) -> Level:
    missing = "" if sys.platform == "linux" else f"gVisor is for Linux, this is {sys.platform}"
    missing = missing or gvisor_missing(python)
    if missing:
        raise ConfigError(f"Sandbox(level='gvisor') does not work here: {missing}")
    return Level("gvisor", "a system kernel of its own", tuple(_lacks_groups(sandbox)))


def _lacks_groups(sandbox: Sandbox) -> Iterator[str]:
    parents = find_parents()
    if sandbox.memory is not None and "memory" not in parents:
        yield "memory is bounded for each process, not for all together (no cgroup can be made)"
    if sandbox.processes is not None and "pids" not in parents:
        how = "not at all" if os.geteuid() == 0 else "together with all others of the user"
        yield f"processes are counted {how} (no cgroup can be made)"


def _landlock_missing() -> str:
    """Say what Landlock and seccomp lack here; empty if they work."""
    if sys.platform != "linux":
        return f"sandboxes are for Linux, this is {sys.platform}"
    if platform.machine() not in _MACHINES:
        return f"machines of the kind {platform.machine()} are not known"
    if not landlock_version():
        return "this system has no Landlock (Linux 5.13 and later, if it is enabled)"
    return ""
