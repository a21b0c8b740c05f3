"""What a docstring says of parameters, in the three manners of writing it.

Place in the house: inside ``skills``, below ``parse``; text in, text out, in linear time however
hostile the text. As at Google, as in NumPy, as fields of reStructuredText::

    Args:                   Parameters              :param name: One line
        name (str): One     ----------                  or more.
            line or more.   name : str
                                One line or more.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

__all__ = ["arg_descriptions"]

_GOOGLE_HEADER = re.compile(r"(args|arguments|parameters|params):\s*", re.IGNORECASE)
_GOOGLE_ARG = re.compile(r"(\*{0,2}\w+)\s*+(?:\(.*?\)\s*+)?:(?:\s++(.*))?$")
_NUMPY_HEADER = re.compile(r"(?:Other )?Parameters")
_NUMPY_RULE = re.compile(r"-{3,}")
_NUMPY_ARGS = re.compile(r"(\*{0,2}\w++(?:\s*+,\s*+\*{0,2}\w++)*+)\s*+(?::.*)?")
_FIELD = re.compile(r":(?:param|parameter|arg|argument|key|keyword)\s([^:]*+):(.*)")


def arg_descriptions(text: str | None) -> dict[str, str]:
    """Read what a docstring says of parameters: name to one line."""
    if not text:
        return {}
    lines = inspect.cleandoc(text).splitlines()
    found = {**_fields(lines), **_numpy(lines), **_google(lines)}
    return {name: " ".join(filter(None, words)) for name, words in found.items()}


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _google(lines: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    section: int | None = None  # how far the section's header is indented
    entry: int | None = None  # how far its entries are
    words: list[str] = []
    for line in lines:
        stripped, indent = line.strip(), _indent(line)
        if section is None:
            section = indent if _GOOGLE_HEADER.fullmatch(stripped) else None
        elif not stripped:
            continue
        elif indent <= section:
            section = entry = None
        elif entry is None or indent <= entry:
            entry, match, words = indent, _GOOGLE_ARG.match(stripped), []
            if match:
                words = found[match[1]] = [match[2] or ""]
        else:
            words.append(stripped)
    return found


def _numpy(lines: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    section: int | None = None
    words: list[str] = []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        stripped, indent = line.strip(), _indent(line)
        if _NUMPY_RULE.fullmatch(below.strip()):  # a header
            section = indent if _NUMPY_HEADER.fullmatch(stripped) else None
            words = []
        elif section is None or not stripped or _NUMPY_RULE.fullmatch(stripped):
            continue
        elif indent > section:
            words.append(stripped)
        else:
            match, words = _NUMPY_ARGS.fullmatch(stripped), []
            for name in match[1].split(",") if match else ():
                found[name.strip()] = words
    return found


def _fields(lines: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    field = 0
    words: list[str] | None = None
    for line in lines:
        stripped, indent = line.strip(), _indent(line)
        match = _FIELD.match(stripped)
        said = match[1].split() if match else []
        if match and said:
            field, words = indent, [match[2].strip()]
            found[said[-1]] = words  # its type may stand before it
        elif words is not None and stripped and indent > field:
            words.append(stripped)
        else:
            words = None
    return found
