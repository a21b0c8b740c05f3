"""What a folder of skills remembers beside the files: former versions, and counts of uses.

Place in the house: inside ``skills``, between ``disk`` and ``file``. It lives in a hidden folder::

    skills/
        quick_scan.py                  the present one, which people edit by hand
        .py-code-mode/
            .gitignore                 "*": it belongs to the machine, not to the project
            lock                       held by whoever writes
            usage.json  usage-7.jsonl  counts of uses; see ``counts``
            search-index  parsed       what makes the next start quick; can be deleted
            versions/quick_scan/
                log.json               numbers, digests, times, creators; newest first
                1.py  2.py             what each of them was, byte by byte

A file that differs from the newest version of the log was edited by hand: it counts as the
version after that, saved by nobody when the file was changed, and the next save writes it down.
Damaged files count as none, whoever damaged them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from py_code_mode.errors import SkillValidationError
from py_code_mode.search.filekeeper import HIDDEN, ignored
from py_code_mode.skills.counts import Counts, as_time
from py_code_mode.skills.disk import State, exclusive, look, prepared, read_bytes
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import SkillVersion

__all__ = ["History", "Log", "known"]


@dataclass(frozen=True, slots=True)
class Log:
    """Versions of one skill.

    Attributes:
        versions: The newest first.
        creator: Who saved the first one.
        created: When that was.
    """

    versions: tuple[SkillVersion, ...] = ()
    creator: str = ""
    created: float = 0.0

    def added(self, digest: str, time: float, creator: str = "") -> Log:
        """Return the log with one more version."""
        number = self.versions[0].number + 1 if self.versions else 1
        versions = (SkillVersion(number, digest, time, creator), *self.versions)
        if len(versions) == 1:
            return Log(versions, creator, time)
        return Log(versions, self.creator, self.created)

    def seeing(self, digest: str, time: float) -> Log:
        """Return the log with the present file in it, which may have been edited by hand."""
        if self.versions and self.versions[0].digest == digest:
            return self
        return self.added(digest, time)


def known(skill: Skill, log: Log, **more: Any) -> Skill:
    """Return a skill with what the log knows of it, and with ``more`` of its fields changed."""
    newest = log.versions[0]
    return changed(
        skill,
        number=newest.number,
        creator=log.creator,
        created=log.created,
        modified=newest.time,
        **more,
    )


class History:
    """The hidden folder of a folder of skills.

    Args:
        folder: The folder of skills.

    Attributes:
        root: The hidden folder.
        counts: How often each skill was used; the lock is held for what changes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / HIDDEN
        self._lock = threading.Lock()
        self.counts = Counts(self.root)

    def locked(self, *, make: bool = True) -> contextlib.AbstractContextManager[None]:
        """Keep other writers out.

        Args:
            make: Whether to make the hidden folder; without it there may be nothing to lock.
        """
        if make:
            self.make()
        return exclusive(self.root / "lock", self._lock, make=make)

    def make(self) -> None:
        """Make the hidden folder, which git does not see."""
        ignored(self.root)

    # Versions.

    def state(self, name: str) -> State | None:
        """Return the state of a skill's log."""
        return look(self._log_file(name))

    def logged(self) -> set[str]:
        """Return the names of skills that have a log."""
        try:
            with os.scandir(self.root / "versions") as entries:
                return {entry.name for entry in entries}
        except OSError:
            return set()

    def log(self, name: str) -> Log:
        """Return what is written down of a skill's versions."""
        try:
            data = json.loads(self._log_file(name).read_bytes())
            versions = tuple(_version(item) for item in data["versions"])
            return Log(versions, str(data["creator"]), as_time(data["created"]))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return Log()

    def source(self, name: str, number: int) -> bytes | None:
        """Return the bytes of a version, if they are kept."""
        file = self._source_file(name, number)
        try:
            # As with the files themselves: no link, of a folder either, leads elsewhere.
            if not file.resolve().is_relative_to(self._folder.resolve()):
                return None
            return read_bytes(name, file, self._folder)
        except (OSError, RuntimeError, SkillValidationError):
            return None

    @contextlib.contextmanager
    def writing(self, name: str, log: Log, sources: Mapping[int, bytes]) -> Any:
        """Write a log and versions that are new in it; it counts when the block has ended well."""
        folder = self._log_file(name).parent
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in sources.items():
            with prepared(self._source_file(name, number), data) as temporary:
                temporary.replace(self._source_file(name, number))
        content = {
            "creator": log.creator,
            "created": log.created,
            "versions": [version.to_dict() for version in log.versions],
        }
        with prepared(self._log_file(name), json.dumps(content, indent=1).encode()) as temporary:
            yield
            temporary.replace(self._log_file(name))
        kept = {f"{version.number}.py" for version in log.versions}
        for file in folder.glob("*.py"):
            if file.name not in kept:
                file.unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """Drop a skill's versions and counts."""
        shutil.rmtree(self._log_file(name).parent, ignore_errors=True)
        self.counts.forget(name)

    def _log_file(self, name: str) -> Path:
        return self.root / "versions" / name / "log.json"

    def _source_file(self, name: str, number: int) -> Path:
        return self.root / "versions" / name / f"{number}.py"


def _version(data: Any) -> SkillVersion:
    number, digest, creator = data["number"], data["digest"], data["creator"]
    if type(number) is not int or not isinstance(digest, str) or not isinstance(creator, str):
        raise TypeError("not a version")
    return SkillVersion(number, digest, as_time(data["time"]), creator)
