"""How commands speak: text for people, JSON for programs, complaints on stderr.

Place in the house: bottom of ``cli``. What is shown was written by agents, so nothing of it
reaches a terminal but text.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

__all__ = ["complain", "line", "moment", "note", "show", "show_json", "show_table"]


def show(text: str = "") -> None:
    """Print text, line by line, without control characters."""
    for each in text.split("\n"):
        print(_visible(each))


def line(text: str) -> str:
    """Return text as one line."""
    return _visible(" ".join(text.split()))


def show_json(data: Any) -> None:
    """Print plain data as JSON."""
    print(json.dumps(data, indent=2))


def show_table(rows: Iterable[Sequence[str]], *, gap: int = 2) -> None:
    """Print rows in columns; in a terminal the last column is cut to what fits.

    A column that is empty in all rows is left out.
    """
    shown = [[line(cell) for cell in row] for row in rows]
    if not shown:
        return
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]) - 1)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for *cells, last in shown:
        columns = zip(cells, widths, strict=True)
        start = "".join(cell.ljust(width + gap) for cell, width in columns if width)
        text = start + last
        if room is not None and len(text) > room:
            text = text[: max(len(start), room - 1)] + "…"
        print(text.rstrip())


def moment(seconds: float) -> str:
    """Return a time since 1970 as people write it, in UTC; a dash for never."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}" if seconds else "-"


def complain(text: str) -> None:
    """Print an error, its further lines indented."""
    print("py-code-mode: " + "\n  ".join(map(_visible, text.split("\n"))), file=sys.stderr)


def note(text: str) -> None:
    """Print what goes on meanwhile, out of the way of what was asked for."""
    print(_visible(text), file=sys.stderr)


def _visible(text: str) -> str:
    if text.isprintable() and text.isascii():
        return text
    return "".join(
        char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in text
    )
