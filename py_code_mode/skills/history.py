"""What a folder of skills remembers beside the files: former versions, and counts of uses.

Place in the house: inside ``skills``, between ``disk`` and ``file``. It lives in a hidden folder::

    skills/
        quick_scan.py                  the present one, which people edit by hand
        .py-code-mode/
            .gitignore                 "*": it belongs to the machine, not to the project
            lock                       held by whoever writes
            usage.json                 {"quick_scan": {"uses": 3, ...}}
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
import shutil
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from py_code_mode.skills.disk import State, exclusive, look, prepared
from py_code_mode.skills.store import SkillUsage, SkillVersion

__all__ = ["History", "Log"]

FOLDER = ".py-code-mode"


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


class History:
    """The hidden folder of a folder of skills.

    Args:
        folder: The folder of skills.
    """

    def __init__(self, folder: Path) -> None:
        self._root = folder / FOLDER
        self._lock = threading.Lock()

    def locked(self, *, make: bool = True) -> contextlib.AbstractContextManager[None]:
        """Keep other writers out.

        Args:
            make: Whether to make the hidden folder; without it there may be nothing to lock.
        """
        if make and not self._root.is_dir():
            self._root.mkdir(parents=True, exist_ok=True)
            (self._root / ".gitignore").write_text("*\n")
        return exclusive(self._root / "lock", self._lock, make=make)

    # Versions.

    def state(self, name: str) -> State | None:
        """Return the state of a skill's log."""
        return look(self._log_file(name))

    def log(self, name: str) -> Log:
        """Return what is written down of a skill's versions."""
        try:
            data = json.loads(self._log_file(name).read_bytes())
            versions = tuple(_version(item) for item in data["versions"])
            return Log(versions, str(data["creator"]), _time(data["created"]))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return Log()

    def source(self, name: str, number: int) -> bytes | None:
        """Return the bytes of a version, if they are kept."""
        try:
            return self._source_file(name, number).read_bytes()
        except OSError:
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
        counts = self.usage()
        if counts.pop(name, None) is not None:
            self._write_usage(counts)

    def _log_file(self, name: str) -> Path:
        return self._root / "versions" / name / "log.json"

    def _source_file(self, name: str, number: int) -> Path:
        return self._root / "versions" / name / f"{number}.py"

    # Uses.

    def usage(self) -> dict[str, SkillUsage]:
        """Return the counts of all skills."""
        try:
            data = json.loads((self._root / "usage.json").read_bytes())
            return {str(name): _usage(item) for name, item in data.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}

    def add_usage(self, used: Mapping[str, SkillUsage]) -> None:
        """Add to the counts; the lock must be held."""
        counts = self.usage()
        for name, more in used.items():
            counts[name] = counts.get(name, SkillUsage()) + more
        self._write_usage(counts)

    def _write_usage(self, counts: Mapping[str, SkillUsage]) -> None:
        file = self._root / "usage.json"
        content = json.dumps({name: asdict(item) for name, item in counts.items()}).encode()
        with prepared(file, content, fsync=False) as temporary:
            temporary.replace(file)


def _version(data: Any) -> SkillVersion:
    number, digest, creator = data["number"], data["digest"], data["creator"]
    if type(number) is not int or not isinstance(digest, str) or not isinstance(creator, str):
        raise TypeError("not a version")
    return SkillVersion(number, digest, _time(data["time"]), creator)


def _usage(data: Any) -> SkillUsage:
    uses, failures = data["uses"], data["failures"]
    if type(uses) is not int or type(failures) is not int:
        raise TypeError("not counts")
    return SkillUsage(uses, failures, _time(data["seconds"]), _time(data["last_used"]))


def _time(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise TypeError("not a time")
    return float(value)
