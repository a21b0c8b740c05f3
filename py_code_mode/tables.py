"""Tables in few words: what columns they have, how large they are, and their first rows.

Place in the house: values layer, below ``formodel``. Frames are values that the codec made here,
of data alone; a table that was only shown is read from its HTML, which is hostile.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["describe_frame", "describe_page", "is_frame", "read_table"]

MAX_COLUMNS = 30
MAX_CELL = 48
_MAX_HEADS = 4
_MAX_BESIDE = 200
MAX_PAGE = 512 * 1024
"""Characters of a page that is looked into."""

# Possessive, and up to the next `<` at most: no page takes more than one pass. The parser of the
# standard library takes minutes for 100,000 characters of the wrong kind.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^<>]*+>")
_SIZE = re.compile(r"(\d{1,12}) rows \u00d7 (\d{1,12}) columns|shape: \((\d{1,12}), (\d{1,12})\)")
_BLOCKS = frozenset({"br", "p", "div", "li", "tr", "table", "h1", "h2", "h3", "h4", "pre", "ul"})
_CODE = frozenset({"script", "style", "template"})


def is_frame(value: Any) -> bool:
    """Whether a value is a frame or a series of pandas or polars."""
    return any(
        isinstance(value, kind)
        for name in ("pandas", "polars")
        if (module := sys.modules.get(name)) is not None
        for kind in (module.DataFrame, module.Series)
    )


def describe_frame(value: Any, rows: int, where: str = "") -> str | None:
    """Return a frame's or a series' schema, size and first rows; None if it has no more than those.

    Args:
        value: What ``is_frame`` says yes to.
        rows: How many.
        where: Where all of it is, as ``; all of it: Out[3]``.
    """
    library = type(value).__module__.partition(".")[0]
    is_series, count = len(value.shape) == 1, len(value)
    width = 1 if is_series else value.shape[1]
    if count <= rows and width <= MAX_COLUMNS:
        return None
    names = [value.name] if is_series else [*value.columns[:MAX_COLUMNS]]
    kinds = [value.dtype] if is_series else [*value.dtypes][:MAX_COLUMNS]
    columns = ", ".join(
        f"{_short(name)} ({_short(kind)})" for name, kind in zip(names, kinds, strict=True)
    )
    more = f", and {width - len(names):,} more" if width > len(names) else ""
    grid = [*_frame_rows(value, rows, library)]
    return "\n".join(
        [
            f"{type(value).__name__} of {library}, {count:,} rows x {width:,} columns",
            f"columns: {columns}{more}",
            *_grid([["index", *names] if library == "pandas" else names, *grid]),
            _rest(count, len(grid), where),
        ]
    ).rstrip("\n")


def _frame_rows(value: Any, rows: int, library: str) -> Iterable[Sequence[Any]]:
    """Return the first rows; those of pandas begin with their index."""
    head = value.head(rows)
    if len(value.shape) == 1:
        return zip(head.index, head, strict=True) if library == "pandas" else [(x,) for x in head]
    if library == "pandas":
        return head.iloc[:, :MAX_COLUMNS].itertuples(name=None)  # type: ignore[no-any-return]
    return head[:, :MAX_COLUMNS].rows()  # type: ignore[no-any-return]


def _grid(rows: Iterable[Sequence[Any]]) -> list[str]:
    return [" | ".join(map(_short, row)).rstrip() for row in rows]


def _rest(count: int, shown: int, where: str) -> str:
    return f"[... {count - shown:,} more rows{where} ...]" if count > shown else ""


def _short(cell: Any) -> str:
    try:
        text = " ".join(str(cell).split())
    except ValueError:  # an int of more digits than Python prints
        text = "..."
    return text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 3]}..."


@dataclass(slots=True)
class _Page:
    """What was read of a page: its text, and the rows of its tables."""

    text: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    heads: int = 0
    in_head: bool = False
    row: list[str] | None = None
    cell: list[str] | None = None
    skipped: str = ""

    def take(self, text: str) -> None:
        if self.skipped:
            return
        into = self.text if self.cell is None else self.cell
        into.append(html.unescape(text))

    def tag(self, name: str, *, ends: bool) -> None:
        if self.skipped or name in _CODE:
            done = ends and name == self.skipped
            self.skipped = "" if done else self.skipped or ("" if ends else name)
        elif name in ("td", "th"):
            self._end_cell()
            self.cell = None if ends else []
        elif name == "thead":
            self.in_head = not ends
        elif name in ("tr", "table"):
            self._end_row()
            self.row = [] if name == "tr" and not ends else None
        if name in _BLOCKS and self.cell is None:
            self.text.append("\n")

    def _end_row(self) -> None:
        self._end_cell()
        if self.row:
            self.rows.append(self.row)
            self.heads += self.in_head

    def _end_cell(self) -> None:
        if self.cell is not None and self.row is not None:
            self.row.append(" ".join("".join(self.cell).split()))
        self.cell = None


def describe_page(page: str, rows: int, where: str = "") -> str:
    """Return what a page says: the beginning of its tables, else its text; may be empty.

    Args:
        page: HTML.
        rows: How many of a table.
        where: Where all of it is, as ``; all of it: Out[3]``.
    """
    if len(page) > MAX_PAGE:
        return ""
    found = _read(page)
    text = "".join(found.text)
    if not found.rows:
        lines = (" ".join(line.split()) for line in text.split("\n"))
        return "\n".join(line for line in lines if line)
    said = _SIZE.search(text)
    heads = min(found.heads, _MAX_HEADS)
    stated = [int(group) for group in said.groups() if group] if said is not None else []
    count, width = stated or (len(found.rows) - heads, max(map(len, found.rows)))
    shown = found.rows[: rows + heads]
    return "\n".join(
        [
            f"table, {count:,} rows x {width:,} columns",
            *_grid(row[:MAX_COLUMNS] for row in shown),
            _rest(count, len(shown) - heads, where),
        ]
    ).rstrip("\n")


def read_table(page: str, rows: int) -> tuple[list[list[str]], int, str] | None:
    """Return the cells of a page that is little but a table; None if it is anything else.

    Args:
        page: HTML.
        rows: Most rows to return.

    Returns:
        The rows; how many of them, from the first on, are its head; the text beside it.
    """
    if len(page) > MAX_PAGE or page.lower().count("<table") != 1:
        return None
    found = _read(page)
    beside = " ".join("".join(found.text).split())
    if not found.rows or len(beside) > _MAX_BESIDE or "<img" in page.lower():
        return None
    return found.rows[:rows], min(found.heads, _MAX_HEADS), beside


def _read(page: str) -> _Page:
    found, end = _Page(), 0
    for match in _TAG.finditer(page):
        found.take(page[end : match.start()])
        found.tag(match[2].lower(), ends=bool(match[1]))
        end = match.end()
    found.take(page[end:])
    found.tag("table", ends=True)
    return found
