"""What differs between two stores of skills, and making one like the other.

Place in the house: inside ``skills``, between the stores and ``library``.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from py_code_mode.errors import SkillValidationError
from py_code_mode.skills.parse import with_description
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import SkillStore

__all__ = ["SkillChange", "SkillChanges", "compare", "sync"]

_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines splits at more


@dataclass(frozen=True, slots=True)
class SkillChange:
    """One difference between a store and one it is to be made like.

    Attributes:
        name: The skill.
        kind: What happens to it.
        diff: How its source changes, as a unified diff.
    """

    name: str
    kind: Literal["added", "changed", "removed"]
    diff: str


@dataclass(frozen=True, slots=True)
class SkillChanges:
    """What differs, or what was done about it.

    Attributes:
        changes: Skills that change, by name.
        same: Names of those that are alike.
        kept: Names of those that only the target has, and keeps.
        problems: What is wrong with broken skills of the source; they are left out.
    """

    changes: tuple[SkillChange, ...] = ()
    same: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    problems: tuple[SkillValidationError, ...] = ()

    def names(self, kind: str) -> list[str]:
        """Return the names of what is ``added``, ``changed`` or ``removed``."""
        return [change.name for change in self.changes if change.kind == kind]

    @property
    def diff(self) -> str:
        """All differences, as one unified diff."""
        return "".join(change.diff for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "changes": [asdict(change) for change in self.changes],
            "same": [*self.same],
            "kept": [*self.kept],
            "problems": [problem.message for problem in self.problems],
        }


def compare(source: SkillStore, target: SkillStore, *, delete: bool = False) -> SkillChanges:
    """Say what would make ``target`` like ``source``.

    Args:
        source: What it should be like.
        target: What may have to change.
        delete: Whether skills go that only the target has.
    """
    changes: list[SkillChange] = []
    same, problems = [], []
    here = {*target.names()}
    there = [*source.names()]
    for name in there:
        try:
            wanted = source.load(name)
        except SkillValidationError as error:
            problems.append(error)
            continue
        if wanted is None:  # deleted since
            continue
        new, old = with_description(wanted), _text(target, name)
        if old == new:
            same.append(name)
        else:
            kind: Literal["added", "changed"] = "changed" if name in here else "added"
            changes.append(SkillChange(name, kind, _diff(name, old, new)))
    alone = sorted(here - {*there})
    if delete:
        changes += [SkillChange(n, "removed", _diff(n, _text(target, n), None)) for n in alone]
    return SkillChanges(
        tuple(sorted(changes, key=lambda change: change.name)),
        tuple(same),
        () if delete else tuple(alone),
        tuple(problems),
    )


def sync(
    source: SkillStore, target: SkillStore, *, delete: bool = False, creator: str = ""
) -> SkillChanges:
    """Make ``target`` like ``source``, skill by skill; former versions stay in its history.

    Args:
        source: What it should be like.
        target: What changes.
        delete: Whether skills go that only the target has.
        creator: Who does it; empty: whoever made each skill.

    Raises:
        SkillError: One could not be written; those before it are.
    """
    changes = compare(source, target, delete=delete)
    for change in changes.changes:
        if change.kind == "removed":
            target.delete(change.name)
            continue
        skill = source.load(change.name)
        if skill is not None:
            target.save(skill, creator=creator or skill.creator)
    return changes


def _text(store: SkillStore, name: str) -> str | None:
    """Return the source as a folder would have it; None for none, or a broken one."""
    try:
        skill: Skill | None = store.load(name)
    except SkillValidationError:
        return None
    return None if skill is None else with_description(skill)


def _diff(name: str, old: str | None, new: str | None) -> str:
    file = f"{name}.py"
    lines = difflib.unified_diff(
        _LINE.findall(old or ""),
        _LINE.findall(new or ""),
        "/dev/null" if old is None else file,
        "/dev/null" if new is None else file,
    )
    # As diff and git write it, so that `patch` can read it.
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
