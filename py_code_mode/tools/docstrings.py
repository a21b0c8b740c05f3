"""Docstrings of functions, Google style: what a function does, and what its parameters are.

Place in the house: ``tools``, used by ``signatures``.
"""

from __future__ import annotations

import itertools
import re

__all__ = ["read_docstring"]

_ARGS = re.compile(r"(Args|Arguments|Parameters):\s*$")
_SECTION = re.compile(r"(Args|Arguments|Parameters|Returns|Yields|Raises|Examples?):\s*$")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Return the first paragraph, and what a Google-style ``Args:`` says of each parameter."""
    lines = text.splitlines()
    first = itertools.takewhile(lambda line: line.strip() and not _SECTION.match(line), lines)
    summary = " ".join(line.strip() for line in first)
    start = next((at for at, line in enumerate(lines) if _ARGS.match(line)), len(lines))
    notes: dict[str, str] = {}
    name, level = "", None
    for line in lines[start + 1 :]:
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            break
        level = indent if level is None else level
        entry = _ENTRY.match(line.strip()) if indent == level else None
        if entry:
            name = entry[1]
            notes[name] = entry[2]
        elif name and line.strip():
            notes[name] = f"{notes[name]} {line.strip()}".strip()
    return summary, notes
