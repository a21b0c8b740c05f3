"""How commands speak: text for people, JSON for programs, complaints on stderr.

Place in the house: bottom of ``cli``. What is shown was written by agents, so nothing of it
reaches a terminal but text.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "complain",
    "line",
    "moment",
    "note",
    "paint",
    "show",
    "show_json",
    "show_table",
    "stream",
]

_COLOURS = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}
_SGR = re.compile(r"\x1b\[[0-9;]*m")
"""What only sets colours; every other escape sequence could steer a terminal."""

_MOVES = "\n\r\t\b"


def show(text: str = "") -> None:
    """Print text, line by line, without control characters."""
    for each in text.split("\n"):
        print(_visible(each))


def paint(text: str, style: str) -> str:
    """Return text in a colour, if stdout is a terminal whose user wants colours.

    Args:
        text: Text of ours.
        style: ``bold``, ``dim``, ``red``, ``green`` or ``yellow``.
    """
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if _has_colours() else text


def _has_colours() -> bool:
    # https://no-color.org: any value but the empty one.
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stdout.isatty()


def stream(text: str, *, is_error: bool = False) -> None:
    """Print a piece of what code prints, at once.

    Where it goes to a terminal, colours and progress bars do what they should, and other control
    characters are shown; anywhere else it goes as it is.
    """
    out = sys.stderr if is_error else sys.stdout
    if out.isatty():
        parts = _SGR.split(text)
        colours = _SGR.findall(text) if _has_colours() else [""] * (len(parts) - 1)
        text = "".join(
            "".join(map(_seen, part)) + colour
            for part, colour in zip(parts, [*colours, ""], strict=True)
        )
    out.write(text.encode("utf-8", "replace").decode())  # a lone surrogate cannot be written
    out.flush()


def _seen(char: str) -> str:
    return char if char in _MOVES else _visible(char)


def line(text: str) -> str:
    """Return text as one line."""
    return _visible(" ".join(text.split()))


def show_json(data: Any) -> None:
    """Print plain data as JSON."""
    print(json.dumps(data, indent=2))


def show_table(
    rows: Iterable[Sequence[str]], *, gap: int = 2, styles: Mapping[str, str] | None = None
) -> None:
    """Print rows in columns; in a terminal the last column is cut to what fits.

    A column that is empty in all rows is left out.

    Args:
        rows: Cells of text.
        gap: Spaces between columns.
        styles: Colours of the first column by what it says.
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
        first, *_ = cells or ("",)
        style = (styles or {}).get(first)
        if style is not None:
            text = paint(first, style) + text[len(first) :]
        print(text.rstrip())


def moment(seconds: float) -> str:
    """Return a time since 1970 as people write it, in UTC; a dash for never."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}" if seconds else "-"


def complain(text: str) -> None:
    """Print an error, its further lines indented."""
    print("py-code-mode: " + "\n  ".join(map(_visible, text.split("\n"))), file=sys.stderr)


def note(text: str) -> None:
    """Print what goes on meanwhile, out of the way of what was asked for."""
    for each in text.split("\n"):
        print(_visible(each), file=sys.stderr)


def _visible(text: str) -> str:
    if text.isprintable() and text.isascii():
        return text
    return "".join(
        char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in text
    )
