"""HTML in words: its text, and its tables as rows of cells.

Place in the house: values layer, below ``tables``. Pages are a kernel's, so hostile: they are read
in one pass, and nothing in them is believed. The parser of the standard library takes minutes for
100,000 characters of the wrong kind.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

__all__ = ["MAX_PAGE", "PageTable", "read_page"]

MAX_PAGE = 512 * 1024
"""Characters of a page that is looked into."""

_MAX_SPAN = 1_000
_MAX_CELLS = 50_000
"""Cells of a page, each counted as often as it stands; what comes after is text."""

_MAX_WIDTH = 200
"""Columns of a row, however far its cells are said to reach."""

# Possessive, so that no start is tried twice; quotes may hold `>`, but not for ever.
_TAG = re.compile(
    r"<!--(?:[^-]|-(?!->))*+(?:-->|\Z)"
    r"""|<(/?)([a-zA-Z][a-zA-Z0-9]*+)((?:"[^"<]{0,300}+"|'[^'<]{0,300}+'|[^<>"'])*+[^<>]*+)>"""
)
_SPAN = re.compile(r"\b(row|col)span\s{0,3}=\s{0,3}[\"']?(\d{1,9})", re.IGNORECASE)
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "br", "caption", "dd", "details", "div"),
        *("dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4"),
        *("h5", "h6", "header", "hr", "legend", "li", "main", "nav", "ol", "option", "p", "pre"),
        *("section", "summary", "table", "textarea", "title", "tr", "ul"),
    }
)
_SKIPPED = frozenset({"script", "style", "template"})
_PLAYED = frozenset({"audio", "video"})
"""What is in them is for programs that cannot play them."""


@dataclass(slots=True)
class PageTable:
    """A table.

    Attributes:
        rows: Its cells; one that reaches over several rows or columns stands in each of them.
        heads: How many rows, from the first on, are its head.
        index: How many columns, from the first on, name the rows.
    """

    rows: list[list[str]] = field(default_factory=list)
    heads: int = 0
    index: int = 0


def read_page(page: str) -> list[str | PageTable]:
    """Return what a page says, in order: lines of text, and tables.

    Args:
        page: HTML, of at most ``MAX_PAGE`` characters.
    """
    reader, end = _Reader(), 0
    for match in _TAG.finditer(page):
        reader.take(page[end : match.start()])
        if match[2]:
            reader.tag(match[2].lower(), match[3] or "", ends=bool(match[1]))
        end = match.end()
    reader.take(page[end:])
    return reader.end()


@dataclass(slots=True)
class _Reader:
    """What was read so far; tables inside of tables are text of the cell they are in."""

    found: list[str | PageTable] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    table: PageTable | None = None
    depth: int = 0
    in_head: bool = False
    row: dict[int, str] | None = None
    reaching: dict[int, tuple[int, str]] = field(default_factory=dict)
    names: int = 0
    free: int = 0
    cell: list[str] | None = None
    cell_tag: tuple[str, str] = ("", "")
    cells: int = 0
    skipped: str = ""

    def take(self, text: str) -> None:
        if not self.skipped:
            (self.text if self.cell is None else self.cell).append(html.unescape(text))

    def tag(self, name: str, said: str, *, ends: bool) -> None:
        if self.skipped or name in _SKIPPED or name in _PLAYED:
            self._skip(name, ends=ends)
            return
        if name == "table":
            self._table(ends=ends)
        elif self.depth == 1:
            self._inside(name, said, ends=ends)
        if name in _BLOCKS or name in ("td", "th"):
            (self.text if self.cell is None else self.cell).append("\n")

    def _skip(self, name: str, *, ends: bool) -> None:
        if ends and name == self.skipped:
            self.skipped = ""
        elif not self.skipped and not ends:
            if name in _PLAYED:
                self.take(f"[{name}]")
            self.skipped = name

    def _table(self, *, ends: bool) -> None:
        if not ends:
            self.depth += 1
            if self.depth == 1:
                self._flush()
                self.table, self.reaching, self.in_head = PageTable(), {}, False
        elif self.depth:
            self.depth -= 1
            if self.depth == 0:
                self._end_row()
                if self.table is not None and self.table.rows:
                    self.found.append(self.table)
                self.table = None

    def _inside(self, name: str, said: str, *, ends: bool) -> None:
        if self.cells > _MAX_CELLS:
            self._end_row()
            return
        if name in ("td", "th"):
            self._end_cell()
            if not ends:
                if self.row is None:
                    self.row, self.names, self.free = {}, 0, 0
                self.cell, self.cell_tag = [], (name, said)
        elif name == "caption" and ends and self.cell is None:
            self._flush()  # above its table
        elif name == "thead":
            self.in_head = not ends
        elif name == "tr":
            self._end_row()
            self.row, self.names, self.free = (None if ends else {}), 0, 0

    def _end_cell(self) -> None:
        if self.cell is None or self.row is None:
            return
        text, (name, said) = " ".join("".join(self.cell).split()), self.cell_tag
        self.cell = None
        spans = {kind.lower(): int(count) for kind, count in _SPAN.findall(said)}
        # Cells come from left to right: none is free before the last one's end.
        at = self.free
        while at in self.row or at in self.reaching:
            at += 1
        self.free = at
        self.names += name == "th"
        for column in range(at, min(at + min(spans.get("col", 1) or 1, _MAX_SPAN), _MAX_WIDTH)):
            self.row[column] = text
            down = min(spans.get("row", 1), _MAX_SPAN) - 1
            if down > 0:
                self.reaching[column] = (down + 1, text)

    def _end_row(self) -> None:
        self._end_cell()
        row, self.row = self.row, None
        if row is None or self.table is None or not row:
            return
        for column, (_, text) in self.reaching.items():
            row.setdefault(column, text)
        self.reaching = {
            column: (left - 1, text) for column, (left, text) in self.reaching.items() if left > 1
        }
        self.cells += max(row) + 1
        self.table.rows.append([row.get(column, "") for column in range(max(row) + 1)])
        of_names = self.names > max(row)
        if self.in_head or (of_names and self.table.heads == len(self.table.rows) - 1):
            # A first row of names alone is a head that says so in no other way.
            self.table.heads += 1
        else:
            self.table.index = max(self.table.index, self.names if self.names <= max(row) else 0)

    def _flush(self) -> None:
        lines = (" ".join(line.split()) for line in "".join(self.text).split("\n"))
        text = "\n".join(line for line in lines if line)
        if text:
            self.found.append(text)
        self.text = []

    def end(self) -> list[str | PageTable]:
        if self.depth:
            self.depth = 1
            self._table(ends=True)
        self._flush()
        return self.found
