"""Sources of skills, which agents write.

Place in the house: ``tests.fuzz.targets``.
"""

from __future__ import annotations

import contextlib
import json

from py_code_mode.errors import SkillValidationError
from py_code_mode.skills import disk
from py_code_mode.skills.parse import parse_skill, revised, with_description
from tests.fuzz.draw import Draw
from tests.fuzz.texts import SKILL_PIECES, SKILLS

__all__ = ["skills"]

_NAMES = ("scan", "run", "list", "_x", "", "ﬁnd", "a b", "class", "x" * 200, "\ud800")


def skills(data: bytes) -> None:
    """A source is read, or refused with a reason; a description survives being written into it."""
    draw = Draw(data)
    how = draw.below(8)
    name = draw.pick(_NAMES) if how == 7 else "scan"
    seed = draw.pick(SKILLS)
    with contextlib.suppress(SkillValidationError):
        if how == 6:
            source = disk.decode(name, draw.damaged(seed.encode()))
        else:
            source = draw.spliced(seed, SKILL_PIECES)
        skill = parse_skill(name, source)
        json.dumps(skill.to_dict(source=True))
        if how == 5:
            skill = revised(name, skill, None, draw.text())
        elif how == 4:
            skill = parse_skill(name, skill.source, description=draw.text())
        again = parse_skill(name, with_description(skill))
        told = (skill.description, skill.documentation)
        assert (again.description, again.documentation) == told, "a description changed"
        assert [each.name for each in again.params] == [each.name for each in skill.params]
