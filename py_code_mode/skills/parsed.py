"""What was read from the sources of a folder of skills, kept so that no start has to parse again.

Place in the house: inside ``skills``, above ``parse``, below ``file``. It is a cache and no more:
plain JSON, by digest of the source, so that it can be lost, old or of another folder without
harm. Several may write it; the last one wins, and what it did not know is parsed by who comes
next. Whatever reads sources in another way makes it worthless, hence ``_maker``.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py_code_mode.search import FileIndexKeeper
from py_code_mode.skills import described, docstring, fields, grammar, parse, skill
from py_code_mode.skills.skill import Skill

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["MANY", "Parses"]

_log = logging.getLogger(__name__)

MANY = 100
"""Fewer sources than this are parsed before a file of parses is found, read and checked."""


class Parses:
    """Skills as they were read from their sources, in one file.

    Args:
        file: The file; its folder is made when something is written.
    """

    def __init__(self, file: Path) -> None:
        self._keeper = FileIndexKeeper(file)

    def read(self) -> Mapping[str, Skill]:
        """Return what is kept, by digest; skills without name and source."""
        try:
            maker, _, rows = (self._keeper.read() or b"").partition(b"\n")
            return _adapter().validate_json(rows) if maker == _maker() else {}
        except (OSError, ValueError, RecursionError) as error:  # a ValidationError is a ValueError
            _log.info("skills are parsed anew, %r is damaged: %.200s", self._keeper, error)
            return {}

    def write(self, skills: Iterable[Skill]) -> None:
        """Keep skills in place of what was kept; a folder that is only read is no error."""
        rows = {each.digest: _row(each) for each in skills}
        data = _maker() + b"\n" + json.dumps(rows, separators=(",", ":")).encode()
        with contextlib.suppress(OSError):
            self._keeper.write(data)


def _row(skill: Skill) -> dict[str, Any]:
    return skill.to_dict(source=True) | {"name": "", "source": ""}


@functools.cache
def _maker() -> bytes:
    """Say what made it: this Python, whose grammar and ``unparse`` it is, and our own parser."""
    digest = hashlib.sha256(sys.version.encode())
    for module in (skill, described, docstring, fields, grammar, parse):
        with contextlib.suppress(OSError, TypeError):  # without its source: Python's version
            digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest().encode()


@functools.cache
def _adapter() -> TypeAdapter[dict[str, Skill]]:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, Skill])
