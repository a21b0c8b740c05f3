"""All of a flood, held in a file until its cell ends.

Place in the house: below ``cells``; standard library only.
"""

from __future__ import annotations

import base64
import binascii
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kernel_bootstrap.wire.limits import Cut

__all__ = ["Flood", "Spill", "spill_format"]

_IN_MEMORY = 1024 * 1024
"""Bytes for which no file is made."""

_STEP = 1024 * 1024
"""Characters that are encoded at once."""

_BINARY = ("image/png", "image/jpeg", "image/gif", "application/pdf")
"""Formats that Jupyter has as base64; as files they are themselves."""


class Spill:
    """Takes what there was of a flood, up to a limit.

    A full disk must not break the cell that prints: what was written until then stays.

    Args:
        room: Bytes it may have.

    Attributes:
        size: Bytes it has.
        whole: Whether all that came is in it.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - lives until the cell ends
        self.size = 0
        self.whole = True

    def write_text(self, text: str) -> None:
        """Write as much of a text as there is room for, whole characters only."""
        for start in range(0, len(text), _STEP):
            data = text[start : start + _STEP].encode("utf-8", "backslashreplace")
            left = self._room - self.size
            self.write(
                data if len(data) <= left else data[:left].decode("utf-8", "ignore").encode()
            )
            self.whole = self.whole and len(data) <= left
            if not self.whole:
                return

    def write(self, data: bytes) -> None:
        """Write bytes, all or none of them; what comes after a gap is left out."""
        if not self.whole:
            return
        try:
            self.whole = len(data) <= self._room - self.size
            if self.whole:
                self._file.write(data)
                self.size += len(data)
        except OSError:
            self.whole = False

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield what was written, piece by piece.

        Raises:
            OSError: It cannot be read, or the last of it could not be written.
        """
        self._file.seek(0)
        while piece := self._file.read(size):
            yield piece

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@dataclass(slots=True)
class Flood:
    """What was held back, handed out once when its cell ends.

    Attributes:
        cut: What was cut; its artifact is filled in by whoever stores ``spill``.
        spill: All of it (a file of its format, UTF-8 text, or one JSON bundle a line), or None
            if nothing is kept.
    """

    cut: Cut
    spill: Spill | None = None


def spill_format(what: str, value: Any, room: int) -> Spill | None:
    """Return one format of an output as a file of that format; None if it has no use.

    Args:
        what: The MIME type.
        value: As it is in the bundle.
        room: Bytes it may have; half a picture is of no use, half a text is.
    """
    if not room:
        return None
    spill = Spill(room)
    is_text = isinstance(value, str) and not what.endswith("json")
    if what not in _BINARY or not is_text:
        spill.write_text(value if is_text else json.dumps(value, default=repr))
        return spill
    try:
        spill.write(base64.b64decode(value))
    except binascii.Error:
        spill.whole = False
    if spill.whole:
        return spill
    spill.close()
    return None
