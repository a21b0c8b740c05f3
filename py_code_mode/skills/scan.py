"""Which files of a folder are skills, and when each changed.

Place in the house: inside ``skills``, above ``disk``, below ``file``.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from py_code_mode.errors import SkillError
from py_code_mode.skills.disk import State, is_file_name, look

__all__ = ["Scan", "States"]

States = tuple[tuple[str, State], ...]
"""Names and states of all files, sorted."""

_LARGE = 1_000
"""Files that are looked at one by one, some milliseconds, each time anybody asks."""

_TRUSTED = 1.0
"""Seconds after which all files of a large folder are looked at again."""

_TICK, _COARSE_TICK = 100_000_000, 2_000_000_000
"""Nanoseconds in which a folder may change twice and tell one time. File systems that keep whole
seconds show it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    states: States
    folder: State | None
    at: float


class Scan:
    """Looks at a folder.

    Args:
        folder: The folder of skills.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: _Seen | None = None

    def states(self) -> States:
        """Look at all files.

        Raises:
            SkillError: The folder cannot be read.
        """
        at, wall = time.monotonic(), time.time_ns()
        folder = _folder_state(self._folder, wall)
        states = self._look()
        self._seen = _Seen(states, folder, at)
        return states

    def states_soon(self) -> States:
        """Look at all files, or only at a large folder itself if that was done a moment ago.

        A folder's time tells what was added, removed, or put in the place of another file, as
        stores and most editors write. What is written into a file that stays shows in a second.

        Raises:
            SkillError: The folder cannot be read.
        """
        seen = self._seen
        if (
            seen is None
            or len(seen.states) <= _LARGE
            or time.monotonic() - seen.at > _TRUSTED
            or seen.folder is None
            or seen.folder != _folder_state(self._folder, time.time_ns())
        ):
            return self.states()
        return seen.states

    def _look(self) -> States:
        try:
            with os.scandir(self._folder) as entries:
                files = [entry for entry in entries if entry.name.endswith(".py")]
        except FileNotFoundError:  # the folder went away: it holds no skills
            return ()
        except OSError as error:
            raise SkillError(f"{self._folder}: cannot list the skills: {error.strerror}") from error
        found = ((entry.name[:-3], entry) for entry in files)
        states = ((name, look(entry)) for name, entry in found if is_file_name(name))
        return tuple(sorted((name, state) for name, state in states if state is not None))


def _folder_state(folder: Path, now: int) -> State | None:
    """Return a folder's state; None for one that may change again and tell the same time."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - half the time of Path.stat, at each search
    except OSError:
        return None
    changed = status.st_mtime_ns
    tick = _TICK if changed % 1_000_000_000 else _COARSE_TICK
    if not 0 <= now - changed < tick:
        return changed, status.st_size, status.st_ino
    return None
