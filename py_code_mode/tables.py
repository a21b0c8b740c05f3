"""Tables in few words: what columns they have, how large they are, and their first rows.

Place in the house: values layer, below ``formodel``. Frames are values that the codec made here,
of data alone; a table that was only shown is read from its HTML, which is hostile.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from kernel_bootstrap.wire.limits import strip_ansi
from py_code_mode.pagetext import MAX_PAGE, PageTable, read_page

__all__ = ["describe_frame", "describe_page", "is_frame", "read_table"]

MAX_COLUMNS = 30
MAX_CELL = 48
_MAX_HEADS = 4
_MAX_BESIDE = 200
# The words of pandas are the line below a table, those of polars the line above it: a page may hold
# several frames, and words of its own that only look alike.
_SIZE_BELOW = re.compile(r"(\d{1,12}) rows \u00d7 (\d{1,12}) columns")
_SIZE_ABOVE = re.compile(r"shape: \((\d[\d_]{0,14}),(?: (\d[\d_]{0,14}))?\)")
_DOTS = frozenset({"...", "\u2026"})
_DOTS_OR_NONE = _DOTS | {""}


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
        # Before it is cut: half an escape sequence would be left.
        text = " ".join(strip_ansi(str(cell)).split())
    except ValueError:  # an int of more digits than Python prints
        text = "..."
    return text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 3]}..."


def describe_page(page: str, rows: int, where: str = "") -> str:
    """Return what a page says: its text, and of each table the size and first rows; may be empty.

    Args:
        page: HTML.
        rows: How many of a table.
        where: Where all of it is, as ``; all of it: Out[3]``.
    """
    if len(page) > MAX_PAGE:
        return ""
    found = read_page(page)
    sizes = {
        at: _stated_size(found, at) for at, each in enumerate(found) if not isinstance(each, str)
    }
    said = (
        block if isinstance(block, str) else _describe_table(block, sizes[at], rows, where)
        for at, block in enumerate(found)
    )
    return "\n".join(filter(None, said)).rstrip("\n")


def _stated_size(found: list[str | PageTable], at: int) -> tuple[int, int] | None:
    """Return the size that pandas or polars tell beside a table, and take the words out."""
    for beside, line, pattern in ((at + 1, 0, _SIZE_BELOW), (at - 1, -1, _SIZE_ABOVE)):
        text = found[beside] if 0 <= beside < len(found) else None
        if not isinstance(text, str):
            continue
        lines = text.split("\n")
        match = pattern.fullmatch(lines[line])
        if match is not None:
            del lines[line]
            found[beside] = "\n".join(lines)
            rows, columns = (int((each or "1").replace("_", "")) for each in match.groups())
            return rows, columns
    return None


def _describe_table(table: PageTable, size: tuple[int, int] | None, rows: int, where: str) -> str:
    heads = min(table.heads, _MAX_HEADS)
    # A row or column of dots stands for those that are not there.
    body = [row for row in table.rows[heads:] if not _is_left_out(row, table.index)]
    dots = _columns_left_out(table) if table.heads else 0
    whole = size is not None or len(body) == len(table.rows) - heads
    count, width = size or (len(body), max(map(len, table.rows)) - table.index - dots)
    shown = body[:rows]
    tall = "" if whole else "at least "
    wide = "at least " if dots and size is None else ""
    return "\n".join(
        [
            f"table, {tall}{count:,} rows x {wide}{width:,} columns",
            *_grid(row[:MAX_COLUMNS] for row in (*table.rows[:heads], *shown)),
            _rest(count, len(shown), where),
        ]
    ).rstrip("\n")


def _is_left_out(row: Sequence[str], index: int) -> bool:
    # Outer names may reach down over it; the innermost is dots, too.
    own = row[max(0, index - 1) :]
    return not _DOTS.isdisjoint(own) and _DOTS_OR_NONE.issuperset(own)


def _columns_left_out(table: PageTable) -> int:
    return sum(
        cell in _DOTS
        and all(row[column] in _DOTS_OR_NONE for row in table.rows if column < len(row))
        for column, cell in enumerate(table.rows[0])
    )


def read_table(page: str, rows: int) -> tuple[list[list[str]], int, str] | None:
    """Return the cells of a page that is little but a table; None if it is anything else.

    Args:
        page: HTML.
        rows: Most rows to return.

    Returns:
        The rows; how many of them, from the first on, are its head; the text beside it.
    """
    if len(page) > MAX_PAGE or page.lower().count("<table") != 1 or "<img" in page.lower():
        return None
    found = read_page(page)
    tables = [block for block in found if isinstance(block, PageTable)]
    beside = " ".join(" ".join(block for block in found if isinstance(block, str)).split())
    if len(tables) != 1 or len(beside) > _MAX_BESIDE:
        return None
    return tables[0].rows[:rows], min(tables[0].heads, _MAX_HEADS), beside
