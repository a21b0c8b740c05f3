"""How often the skills of a folder were used: a file of counts, and a journal of what came since.

Place in the house: inside ``skills``, below ``history``. A batch of runs is one line at the end of
the journal, so it costs the same however many skills there are. When the journal has grown, it is
added to the counts, which name the journal that follows: whoever reads finds each run once, also
after a crash in between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from py_code_mode.skills.disk import State, look, prepared
from py_code_mode.skills.store import SkillUsage

__all__ = ["Counts", "as_time"]

_MAX_JOURNAL = 64 * 1024
"""Bytes after which a journal is added to the counts."""

_TRIES = 20


class Counts:
    """Counts of one folder.

    Args:
        root: The hidden folder.
    """

    def __init__(self, root: Path) -> None:
        self._file = root / "usage.json"
        self._known: tuple[State | None, int, dict[str, SkillUsage]] = None, 0, {}

    def read(self) -> dict[str, SkillUsage]:
        """Return the counts of all skills; no lock is needed."""
        for _ in range(_TRIES):
            journal, counts = self._base()
            lines = self._lines(journal)
            if look(self._file) == self._known[0]:  # else they may be part of newer counts
                break
        return _sum(dict(counts), lines)

    def add(self, used: Mapping[str, SkillUsage]) -> None:
        """Add to the counts; the store's lock is held."""
        self._note({name: _numbers(usage) for name, usage in used.items()})

    def forget(self, name: str) -> None:
        """Drop the counts of a skill; the store's lock is held."""
        if name in self.read():
            self._note({name: None})

    def _note(self, changes: Mapping[str, Any]) -> None:
        journal, _ = self._base()
        with self._journal(journal).open("ab") as opened:
            # A line that a crash cut short must not swallow this one.
            opened.write(f"\n{json.dumps(changes)}\n".encode())
            size = opened.tell()
        if size > _MAX_JOURNAL:
            self._write(journal, self.read())

    def _journal(self, number: int) -> Path:
        return self._file.with_name(f"usage-{number}.jsonl")

    def _base(self) -> tuple[int, dict[str, SkillUsage]]:
        """Return the number of the journal, and the counts before it."""
        known, state = self._known, look(self._file)
        if known[0] != state:
            try:
                data = json.loads(self._file.read_bytes())
                counts = {str(name): _usage(numbers) for name, numbers in data["counts"].items()}
                known = state, int(data["journal"]), counts
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                known = state, 0, {}
            self._known = known
        return known[1], known[2]

    def _lines(self, journal: int) -> list[Any]:
        try:
            return self._journal(journal).read_bytes().split(b"\n")
        except OSError:
            return []

    def _write(self, journal: int, counts: Mapping[str, SkillUsage]) -> None:
        numbers = {name: _numbers(usage) for name, usage in counts.items()}
        content = json.dumps({"journal": journal + 1, "counts": numbers}).encode()
        with prepared(self._file, content, fsync=False) as temporary:
            # Left over from damaged counts, it would be counted.
            self._journal(journal + 1).unlink(missing_ok=True)
            temporary.replace(self._file)
        self._journal(journal).unlink(missing_ok=True)


def _sum(counts: dict[str, SkillUsage], lines: list[bytes]) -> dict[str, SkillUsage]:
    """Apply the lines of a journal: ``{name: numbers to add, or null to forget it}``."""
    for line in filter(None, lines):
        try:
            changes = {
                str(name): None if numbers is None else _usage(numbers)
                for name, numbers in json.loads(line).items()
            }
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue  # damaged
        for name, usage in changes.items():
            if usage is None:
                counts.pop(name, None)
            else:
                counts[name] = counts.get(name, SkillUsage()) + usage
    return counts


def _numbers(usage: SkillUsage) -> list[Any]:
    return [*asdict(usage).values()]


def _usage(numbers: Any) -> SkillUsage:
    uses, failures, seconds, last_used = numbers
    if type(uses) is not int or type(failures) is not int:
        raise TypeError("not counts")
    return SkillUsage(uses, failures, as_time(seconds), as_time(last_used))


def as_time(value: Any) -> float:
    """Return a finite number of seconds.

    Raises:
        TypeError: It is none.
    """
    if type(value) not in (int, float) or not isfinite(value):
        raise TypeError("not a time")
    return float(value)
