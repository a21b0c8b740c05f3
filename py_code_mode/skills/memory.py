"""Skills kept in this process and gone with it.

Place in the house: one ``SkillStore``; what the library uses when it is given none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace as changed

from py_code_mode.skills.parse import check_name
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import MAX_VERSIONS, SkillUsage, SkillVersion

__all__ = ["MemorySkillStore"]


class MemorySkillStore:
    """A ``SkillStore`` in memory.

    Args:
        skills: What it holds at first.
        max_versions: How many versions of a skill are kept, the present one among them.
    """

    def __init__(self, skills: Iterable[Skill] = (), *, max_versions: int = MAX_VERSIONS) -> None:
        self.max_versions = max(1, max_versions)
        self._kept: dict[str, list[tuple[SkillVersion, Skill]]] = {}  # newest first
        self._usage: dict[str, SkillUsage] = {}
        self._changes = 0
        self._lock = threading.Lock()
        for skill in skills:
            self.save(skill)

    def names(self) -> list[str]:
        """Return the names of all skills, sorted."""
        with self._lock:
            return sorted(self._kept)

    def load(self, name: str, version: int | None = None) -> Skill | None:
        """Return a skill, or None if there is none of that name or version."""
        with self._lock:
            for kept, skill in self._kept.get(name, ()):
                if version is None or kept.number == version:
                    return skill
            return None

    def save(self, skill: Skill, *, replace: bool = True, creator: str = "") -> bool:
        """Keep a skill; False if the name is taken and ``replace`` is false.

        Raises:
            SkillValidationError: Its name is not acceptable.
        """
        check_name(skill.name)
        now = time.time()
        with self._lock:
            former = self._kept.get(skill.name, [])
            if former and not replace:
                return False
            if former and former[0][1] == skill:
                return True
            newest, first = former[0] if former else (SkillVersion(0, "", now), None)
            kept = SkillVersion(newest.number + 1, skill.digest, now, creator)
            known = changed(
                skill,
                number=kept.number,
                creator=creator if first is None else first.creator,
                created=now if first is None else first.created,
                modified=now,
            )
            self._kept[skill.name] = [(kept, known), *former][: self.max_versions]
            self._changes += 1
            return True

    def delete(self, name: str) -> bool:
        """Remove a skill and all that was kept of it; False if there was none."""
        with self._lock:
            if self._kept.pop(name, None) is None:
                return False
            self._usage.pop(name, None)
            self._changes += 1
            return True

    def version(self) -> object:
        """Return the number of changes so far."""
        return self._changes

    def versions(self, name: str) -> list[SkillVersion]:
        """Return the kept versions of a skill, the present one first."""
        with self._lock:
            return [kept for kept, _ in self._kept.get(name, ())]

    def add_usage(self, used: Mapping[str, SkillUsage]) -> None:
        """Add runs to the counts of skills, by name."""
        with self._lock:
            for name, more in used.items():
                if name in self._kept:
                    self._usage[name] = self._usage.get(name, SkillUsage()) + more

    def usage(self, *names: str) -> dict[str, SkillUsage]:
        """Return the counts of these skills, or of all."""
        with self._lock:
            if not names:
                return dict(self._usage)
            return {name: self._usage[name] for name in names if name in self._usage}

    def __repr__(self) -> str:
        return f"MemorySkillStore({len(self._kept)} skills)"
