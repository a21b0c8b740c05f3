"""Optional fields of a skill's docstring, and its examples.

Place in the house: inside ``skills``, below ``parse``; text in, values out. A field is a section
of a Google-style docstring, on one line or with its items indented below::

    Tags: network, scan
    Version: 1.2
    Tools: nmap, weather.get_alerts
    Packages:
        pandas>=2,<3
        matplotlib; python_version >= "3.11"

Examples are what follows ``>>>``, wherever it stands, as in ``doctest``.
"""

from __future__ import annotations

import bisect
import inspect
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from py_code_mode.skills.skill import SkillExample

__all__ = ["Fields", "examples_of", "fields_of"]

_FIELD = re.compile(r"(Tags|Version|Tools|Packages):(?:[ \t]+(.*))?", re.IGNORECASE)
_ANY = re.compile(r"^[ \t]*(?:Tags|Version|Tools|Packages):", re.IGNORECASE | re.MULTILINE)
_NOTE = re.compile(r":(?:\s|$)")
_TOOL = re.compile(r"[^\W\d][\w-]*(?:\.[\w-]+)*")
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?\s*(?:$|[\[(<>=!~;@])")
_VERSION = re.compile(r"[\w.+!-]{1,50}")
_MAX_TAG = 50
_MAX_ITEMS = 100
_MAX_EXAMPLES = 100
_PROMPT = ">>> "
_CONTINUED = "..."


@dataclass(frozen=True, slots=True)
class Fields:
    """The optional fields of a docstring, as ``Skill`` has them."""

    tags: tuple[str, ...] = ()
    version: str = ""
    tools: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def joined(self, other: Fields) -> Fields:
        """Return both; ``self`` goes first, and nothing is there twice."""
        return Fields(
            _once(self.tags + other.tags),
            self.version or other.version,
            _once(self.tools + other.tools),
            _once(self.packages + other.packages),
        )


def fields_of(text: str | None) -> Fields:
    """Read the fields of a docstring.

    What cannot be such a field, a sentence that begins with ``Tools:`` for instance, is none. Of
    items that stand below, each for itself, those count that can be one, up to a colon.
    """
    if not text or _ANY.search(text) is None:  # most have none
        return Fields()
    found: dict[str, list[str]] = {}
    for name, items, below in _sections(inspect.cleandoc(text).splitlines()):
        if all(_ACCEPTS[name](item) for item in items):
            good = filter(_ACCEPTS[name], below)
            found.setdefault(name, []).extend([*items, *good])
    version = next(iter(found.get("version", ())), "")
    return Fields(
        _once(found.get("tags", ())),
        version,
        _once(found.get("tools", ())),
        _once(found.get("packages", ())),
    )


def _sections(lines: list[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each field's name, its items on the line, and those indented below."""
    name, items = "", list[str]()
    below = list[str]()
    for line in [*lines, "end"]:
        if name and line.startswith((" ", "\t")) and line.strip():
            below += _split(_NOTE.split(line.strip().removeprefix("- "), 1)[0])
            continue
        if name and not line.strip():
            continue
        if name:
            yield name, items, below
        match = _FIELD.fullmatch(line.rstrip())
        name, items = ("", []) if match is None else (match[1].lower(), _split(match[2] or ""))
        below = []


def _split(text: str) -> list[str]:
    """Split at commas, but not inside brackets and quotes, nor before ``<3`` in ``a>=2,<3``."""
    items, depth, quote, start = [], 0, "", 0
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and depth <= 0 and not _OPERATOR.match(text, at + 1):
            items.append(text[start:at])
            start = at + 1
    return [item.strip() for item in [*items, text[start:]] if item.strip()]


_OPERATOR = re.compile(r"\s*[<>=!~]")

_ACCEPTS: dict[str, Callable[[str], object]] = {
    "tags": lambda item: len(item) <= _MAX_TAG,
    "version": _VERSION.fullmatch,
    "tools": _TOOL.fullmatch,
    "packages": _PACKAGE.match,
}


def _once(items: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))[:_MAX_ITEMS]


def examples_of(text: str | None, source: str) -> tuple[SkillExample, ...]:
    """Read the examples of a docstring.

    Args:
        text: The docstring.
        source: The source it stands in, to tell the lines.
    """
    if text is None or _PROMPT not in text:
        return ()
    examples: list[SkillExample] = []
    places: dict[str, list[int]] = {}
    for place, shown in enumerate(io.StringIO(source, newline=None), 1):
        places.setdefault(shown.strip(), []).append(place)
    last = 0
    lines = iter(inspect.cleandoc(text).splitlines())
    line = next(lines, None)
    while line is not None and len(examples) < _MAX_EXAMPLES:
        first, indent = line.lstrip(), len(line) - len(line.lstrip())
        if not first.startswith(_PROMPT):
            line = next(lines, None)
            continue
        code, expected = [first.removeprefix(_PROMPT)], []
        line = next(lines, None)
        while line is not None and line.lstrip().startswith(_CONTINUED):
            code.append(line.lstrip().removeprefix(_CONTINUED).removeprefix(" "))
            line = next(lines, None)
        while line is not None and line.strip() and not line.lstrip().startswith(_PROMPT):
            expected.append(line[indent:] if not line[:indent].strip() else line.lstrip())
            line = next(lines, None)
        # Examples stand in the source in the same order. One with escapes is not found there.
        there = places.get(first.rstrip(), [])
        number = next(iter(there[bisect.bisect(there, last) :]), 0)
        last = number or last
        examples.append(SkillExample("\n".join(code), "\n".join(expected).rstrip(), number))
    return tuple(examples)
