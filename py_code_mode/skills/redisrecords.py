"""What Redis holds of a skill, as bytes and as values.

Place in the house: inside ``skills``, below ``redis``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from py_code_mode.errors import SkillValidationError
from py_code_mode.redisdb import token
from py_code_mode.skills.parse import invalid, parse_skill
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import SkillUsage

__all__ = ["ID", "Record", "parse", "text", "unpack", "unpack_or_empty", "usage"]

ID = 32
"""Characters at the beginning of a record that no other record has."""


@dataclass(frozen=True, slots=True)
class Record:
    """A saved state of a skill.

    Attributes:
        number: Its place in the order of saves, from 1.
        source: Its source, the description in its docstring.
        digest: ``Skill.digest``.
        time: When it was saved.
        by: Who saved it.
        creator: Who saved the first version.
        created: When that was.
    """

    number: int
    source: str
    digest: str
    time: float
    by: str
    creator: str
    created: float

    def pack(self) -> str:
        """Return it as it is kept; a new id comes first, for scripts to compare."""
        data = {name: getattr(self, name) for name in self.__slots__}
        return token() + json.dumps(data, ensure_ascii=False)


def unpack(name: str, raw: bytes) -> Record:
    """Read what ``Record.pack`` gave.

    Raises:
        SkillValidationError: It is something else.
    """
    try:
        record = Record(**json.loads(raw[ID:]))
        texts = (record.source, record.digest, record.by, record.creator)
        numbers = (record.number, record.time, record.created)
        if not all(isinstance(each, str) for each in texts):
            raise TypeError("a text is none")
        return replace(record, number=int(numbers[0]), time=float(numbers[1]))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise invalid(name, f"what Redis holds of it is damaged: {error!s:.200}") from None


def parse(name: str, raw: bytes) -> Skill:
    """Return the skill of a record.

    Raises:
        SkillValidationError: The record or the source is damaged.
    """
    record = unpack(name, raw)
    return replace(
        parse_skill(name, record.source),
        number=record.number,
        creator=record.creator,
        created=record.created,
        modified=record.time,
    )


def unpack_or_empty(name: str, raw: bytes) -> Record:
    """Read a record; one that is damaged must not keep its name from being saved again."""
    try:
        return unpack(name, raw)
    except SkillValidationError:
        return Record(0, "", "", 0.0, "", "", 0.0)


def usage(packed: bytes) -> SkillUsage:
    """Read the counts of a skill, as the script that adds to them writes them."""
    try:
        uses, failures, seconds, last = packed.split()
        return SkillUsage(int(uses), int(failures), float(seconds), float(last))
    except ValueError:  # damaged, and counted anew from the next run on
        return SkillUsage()


def text(name: bytes) -> str:
    """Read a skill's name; somebody else may have put anything there."""
    return name.decode("utf-8", "replace")
