"""Skills kept in this process and gone with it.

Place in the house: one ``SkillStore``; what the library uses when it is given none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from py_code_mode.skills.parse import check_name
from py_code_mode.skills.skill import Skill

__all__ = ["MemorySkillStore"]


class MemorySkillStore:
    """A ``SkillStore`` in memory.

    Args:
        skills: What it holds at first.
    """

    def __init__(self, skills: Iterable[Skill] = ()) -> None:
        self._skills: dict[str, Skill] = {}
        self._changes = 0
        self._lock = threading.Lock()
        for skill in skills:
            self.save(skill)

    def names(self) -> list[str]:
        """Return the names of all skills, sorted."""
        with self._lock:
            return sorted(self._skills)

    def load(self, name: str) -> Skill | None:
        """Return a skill, or None if there is none of that name."""
        with self._lock:
            return self._skills.get(name)

    def save(self, skill: Skill, *, replace: bool = True) -> bool:
        """Keep a skill; False if the name is taken and ``replace`` is false.

        Raises:
            SkillValidationError: Its name is not acceptable.
        """
        check_name(skill.name)
        with self._lock:
            if not replace and skill.name in self._skills:
                return False
            self._skills[skill.name] = skill
            self._changes += 1
            return True

    def delete(self, name: str) -> bool:
        """Remove a skill; False if there was none."""
        with self._lock:
            if self._skills.pop(name, None) is None:
                return False
            self._changes += 1
            return True

    def version(self) -> object:
        """Return the number of changes so far."""
        return self._changes

    def __repr__(self) -> str:
        return f"MemorySkillStore({len(self._skills)} skills)"
