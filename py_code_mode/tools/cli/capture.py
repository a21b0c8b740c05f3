"""What a command prints, bounded while it is read.

Place in the house: ``tools.cli``, used by ``process`` alone.
"""

from __future__ import annotations

import codecs

__all__ = ["CHUNK", "Capture"]

CHUNK = 64 * 1024
"""What a pipe holds."""


class Capture:
    """Keeps the head and the tail of a stream.

    Args:
        limit: Bytes kept.
    """

    __slots__ = ("_half", "_head", "_limit", "_tail", "_total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    @property
    def is_cut(self) -> bool:
        """Whether there was more than is kept."""
        return self._total > self._limit

    def feed(self, data: bytes) -> None:
        """Take what comes next."""
        self._total += len(data)
        if room := self._limit - len(self._head):
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail += data
            # Trimmed now and then, not at every chunk: moving the tail costs its length.
            if len(self._tail) > self._limit + CHUNK:
                del self._tail[: -self._limit]

    def text(self) -> str:
        """Return what was kept; bytes that are no UTF-8 survive as lone surrogates."""
        if self._total <= self._limit:
            return self._head.decode("utf-8", "surrogateescape")
        kept = self._head + self._tail  # its last bytes are the stream's last bytes
        head, tail = kept[: self._limit - self._half], kept[len(kept) - self._half :]
        # Neither cut may go through a character.
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        first = decoder.decode(head)
        while tail and 0x80 <= tail[0] < 0xC0 and len(tail) > self._half - 3:  # noqa: PLR2004 - 10xxxxxx goes on
            del tail[0]
        cut = self._total - len(head) - len(tail) + len(decoder.getstate()[0])
        last = tail.decode("utf-8", "surrogateescape")
        return f"{first}\n[... {cut} of {self._total} bytes cut ...]\n{last}"
