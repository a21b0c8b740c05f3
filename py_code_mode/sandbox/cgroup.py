"""A cgroup for a session: memory and processes of all that it starts, counted together.

Place in the house: inside ``sandbox``. Version 1 and 2, whichever this process may write to; most
users may write to none, then there is none. Source: the kernel's ``admin-guide/cgroup-v1`` and
``admin-guide/cgroup-v2``.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from py_code_mode.errors import KernelStartError
from py_code_mode.sandbox.bounds import Sandbox

__all__ = ["Cgroup", "find_parents", "make_cgroup", "read_mounts"]

_PROCS = "cgroup.procs"
_NAME = "py-code-mode"

_OWN_TASKS = 16
"""Threads of a kernel itself, beside those that the code starts; and one for each processor, as
libraries of numbers start them."""

_CONTROLLERS = ("memory", "pids")

_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The cgroups of one session: one in version 2, one for each controller in version 1.

    Attributes:
        directories: Them.
    """

    directories: tuple[Path, ...]

    def add(self, pid: int) -> None:
        """Put a process in; what it starts from now on is in as well. One that has ended is fine.

        Raises:
            KernelStartError: The system refuses.
        """
        try:
            for directory in self.directories:
                (directory / _PROCS).write_text(str(pid))
        except ProcessLookupError:
            return  # whoever waits for it hears of its end
        except OSError as error:
            raise KernelStartError(
                f"the kernel could not be put into its cgroup: {error}"
            ) from error

    def kill(self) -> None:
        """End every process in it, however it tries to get away."""
        for directory in self.directories:
            with suppress(OSError):
                (directory / "cgroup.kill").write_text("1")  # version 2 since Linux 5.14
                continue
            _kill_all(directory)

    def end(self) -> None:
        """End what is in it, and remove it."""
        for _ in range(_ATTEMPTS):
            self.kill()
            if self._remove():
                return
            time.sleep(0.02)  # what was killed needs a moment to be gone

    def _remove(self) -> bool:
        for directory in self.directories:
            with suppress(FileNotFoundError):
                try:
                    directory.rmdir()
                except OSError:
                    return False
        return True

    @property
    def memory_kills(self) -> int:
        """How often the system has ended a process in it for want of memory."""
        for directory in self.directories:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError, ValueError):
                    rows = dict(map(str.split, (directory / name).read_text().splitlines()))
                    return int(rows["oom_kill"])
        return 0


def _kill_all(directory: Path) -> None:
    """End what is in a group, until nothing is: it may fork meanwhile."""
    for _ in range(100):
        try:
            pids = [int(word) for word in (directory / _PROCS).read_text().split()]
        except (OSError, ValueError):
            return
        if not pids:
            return
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def make_cgroup(sandbox: Sandbox, parents: Mapping[str, Path]) -> Cgroup | None:
    """Make the cgroup of a session; None if there is nothing to bound, or nowhere to make it.

    Args:
        sandbox: The bounds.
        parents: What ``find_parents`` returned.
    """
    name = f"{_NAME}-{os.getpid()}-{secrets.token_hex(4)}"
    settings = {
        "memory": _memory(sandbox.memory),
        "pids": _pids(sandbox.processes),
    }
    made: dict[Path, None] = {}
    try:
        for controller, parent in parents.items():
            if settings[controller]:
                directory = parent / name
                directory.mkdir(exist_ok=directory in made)
                made[directory] = None
                _write(directory, settings[controller])
    except OSError:
        Cgroup(tuple(made)).end()
        return None
    return Cgroup(tuple(made)) if made else None


def _memory(most: int | str | None) -> dict[str, str]:
    # The last ones bound memory and what was swapped out of it together, or forbid the latter.
    names = ("memory.max", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    return {} if most is None else {**dict.fromkeys(names, str(most)), "memory.swap.max": "0"}


def _pids(most: int | None) -> dict[str, str]:
    if most is None:
        return {}
    return {"pids.max": str(most + _OWN_TASKS + (os.cpu_count() or 1))}


def _write(directory: Path, settings: Mapping[str, str]) -> None:
    """Write what this version of cgroups has of the settings."""
    for name, value in settings.items():
        file = directory / name
        if file.exists():
            file.write_text(value)


def find_parents(
    mounts: str = "/proc/self/mountinfo", own: str = "/proc/self/cgroup"
) -> dict[str, Path]:
    """Return in which directory a group can be made, for each controller that has one.

    Args:
        mounts: File that lists what is mounted (``proc(5)``).
        own: File that lists the groups of this process.
    """
    try:
        groups = [line.split(":", 2) for line in Path(own).read_text().splitlines()]
        places = dict(read_mounts(Path(mounts).read_text()))
    except (OSError, ValueError):
        return {}
    found: dict[str, Path] = {}
    for _, controllers, path in groups:
        version = 1 if controllers else 2
        for controller in controllers.split(",") if controllers else _CONTROLLERS:
            place = places.get(controller if version == 1 else "")
            parent = None if place is None else _parent(place, path, controller, version)
            if controller in _CONTROLLERS and parent is not None:
                found.setdefault(controller, parent)
    return found


def read_mounts(text: str) -> Iterator[tuple[str, Path]]:
    """Yield each controller of version 1 and where it is mounted; ``""`` for version 2."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        place = Path(before.split()[4])
        if kind == "cgroup2":
            yield "", place
        elif kind == "cgroup":
            for option in options.split()[-1].split(","):
                yield option, place


def _parent(place: Path, path: str, controller: str, version: int) -> Path | None:
    """Return where a group can be made that this process may put others into.

    In version 2 a group that has processes can have no groups below it that are bounded; a group
    beside this process's own can.
    """
    own = place / path.lstrip("/")
    if version == 1:
        return own if _may_use(own) else None
    if own == place:
        return None
    beside = own.parent
    try:
        known = (beside / "cgroup.subtree_control").read_text().split()
    except OSError:
        return None
    return beside if controller in known and _may_use(beside) else None


def _may_use(directory: Path) -> bool:
    return os.access(directory, os.W_OK) and os.access(directory / _PROCS, os.W_OK)
