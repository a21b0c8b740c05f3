"""Changes to the source of a cell.

Place in the house: inside ``promote``. Sources are changed as text, at the places where the parser
found something, so that comments and layout stay.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Edit", "apply", "span", "without"]


@dataclass(frozen=True, slots=True)
class Edit:
    """Text of a source to be replaced: from the place ``start`` to before ``end``."""

    start: int
    end: int
    text: str


def _place(source: str, line: int, column: int) -> int:
    """Turn the parser's line and UTF-8 column into an index."""
    lines = source.split("\n")
    before = sum(len(each) + 1 for each in lines[: line - 1])
    return before + len(lines[line - 1].encode()[:column].decode())


def span(source: str, node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return where a node begins and ends in its source."""
    start = _place(source, node.lineno, node.col_offset)
    return start, _place(source, node.end_lineno or node.lineno, node.end_col_offset or 0)


def without(source: str, statement: ast.stmt) -> Edit:
    """Take a statement out: with its lines, if nothing else is on them."""
    start, end = span(source, statement)
    line_start = source.rfind("\n", 0, start) + 1
    line_end = source.find("\n", end)
    line_end = len(source) if line_end < 0 else line_end
    rest = source[end:line_end].strip()
    if source[line_start:start].strip() or (rest and not rest.startswith("#")):
        return Edit(start, end, "pass")
    return Edit(line_start, min(line_end + 1, len(source)), "")


def apply(source: str, edits: Sequence[Edit]) -> str:
    """Return the source with the edits made."""
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        source = source[: edit.start] + edit.text + source[edit.end :]
    return source
