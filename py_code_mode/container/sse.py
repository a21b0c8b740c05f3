"""Server-sent events as they come: feed bytes, take events out.

Place in the house: bottom of ``container``, no I/O. The format is that of the HTML standard
(https://html.spec.whatwg.org/multipage/server-sent-events.html), except that a lone carriage
return ends no line: no server of ours sends one, and waiting for what follows it would delay
every event.
"""

from __future__ import annotations

from dataclasses import dataclass

from py_code_mode.errors import ProtocolError

__all__ = ["EventParser", "ServerSentEvent"]


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event.

    Attributes:
        id: The last id the server gave, of this or an earlier event; empty: none yet.
        type: What kind of event; ``message`` where the server said nothing.
        data: Its data, lines joined by newlines.
    """

    id: str
    type: str
    data: bytes


class EventParser:
    """Takes one response apart.

    Args:
        max_bytes: The largest event there may be.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._searched = 0
        self._data: list[bytes] = []
        self._size = 0
        self._id = ""
        self._type = ""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that are whole now.

        Raises:
            ProtocolError: An event is larger than it may be.
        """
        self._rest += chunk
        found: list[ServerSentEvent] = []
        # A long line comes in many chunks: what was searched before is not searched again.
        while (end := self._rest.find(b"\n", self._searched)) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            self._searched = 0
            event = self._line(line.removesuffix(b"\r"))
            if event is not None:
                found.append(event)
        self._searched = len(self._rest)
        self._check(self._size + self._searched)
        return found

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise ProtocolError(f"an event has more than {self._max_bytes:,} bytes")

    def _line(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value) + 1
            self._check(self._size)
            self._data.append(value)
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        return None  # a comment, or a field that means nothing here

    def _dispatch(self) -> ServerSentEvent | None:
        data, kind = self._data, self._type
        self._data, self._type, self._size = [], "", 0
        if not data:
            return None
        return ServerSentEvent(self._id, kind or "message", b"\n".join(data))
