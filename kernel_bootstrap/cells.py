"""The cell that is running, and meters that keep its floods off the wire.

Place in the house: above ``wire``, below ``kernel``; standard library only. Whatever prints or
displays looks up ``current()``: the cell in whose context it was started, even when that cell
has long ended. So late output is never taken for another cell's.
"""

from __future__ import annotations

import io
import json
import threading
from collections import deque
from contextvars import ContextVar
from typing import Any

from kernel_bootstrap.spills import Flood, Spill, spill_format
from kernel_bootstrap.wire.limits import Cut, Limits, bundle_size

__all__ = ["Cell", "OutputMeter", "TextMeter", "current", "enter", "latest"]

_MAX_HELD = 100
"""Single outputs of a cell that are held whole."""

_MAX_NOTED = 1_000
"""Single outputs of a cell of which it is said that they were cut."""


class TextMeter:
    """Lets the head of one text stream through, holds its tail, spills all of it to a file."""

    def __init__(self, what: str, limits: Limits) -> None:
        self._what = what
        self._head_room = (limits.stream_chars + 1) // 2
        self._tail_room = limits.stream_chars - self._head_room
        self._spill_room = limits.spill_bytes
        self._lock = threading.Lock()
        self._head: io.StringIO | None = io.StringIO()
        self._tail: deque[str] = deque()
        self._tail_chars = 0
        self._total = 0
        self._spill: Spill | None = None
        self._closed = False

    def take(self, text: str) -> str:
        """Account for ``text``; return the part that may be published now."""
        if not text:
            return ""
        with self._lock:
            before = self._total
            self._total += len(text)
            if self._total <= self._head_room:
                if self._head is not None:
                    self._head.write(text)
                return text
            now = text[: max(0, self._head_room - before)]
            if not self._closed:
                self._hold(text, now)
            return now

    def _hold(self, text: str, now: str) -> None:
        if self._head is not None:
            head, self._head = self._head.getvalue(), None
            if self._spill_room:
                self._spill = Spill(self._spill_room)
                self._spill.write_text(head)
        if self._spill is not None and self._spill.whole:
            self._spill.write_text(text)
        self._tail.append(text[max(len(now), len(text) - self._tail_room) :])
        self._tail_chars += len(self._tail[-1])
        while self._tail_chars - len(self._tail[0]) >= self._tail_room and len(self._tail) > 1:
            self._tail_chars -= len(self._tail.popleft())

    def reset(self) -> None:
        """Forget what was shown: the output was cleared."""
        with self._lock:
            if self._head is not None and not self._closed:
                self._head = io.StringIO()
                self._total = 0

    def finish(self) -> tuple[str, Flood | None]:
        """Close the meter: return the held tail, and the flood if there was one."""
        with self._lock:
            self._closed, self._head = True, None
            if not self._tail:
                return "", None
            tail = "".join(self._tail)[-self._tail_room :] if self._tail_room else ""
            self._tail.clear()
            kept = self._head_room + len(tail)
            spill, self._spill = self._spill, None
            if kept >= self._total:
                if spill is not None:
                    spill.close()
                return tail, None
            return tail, Flood(Cut(self._what, kept, self._total), spill)


class OutputMeter:
    """Lets the first rich outputs of a cell through, holds the last, spills all of them."""

    def __init__(self, limits: Limits) -> None:
        self._head_room = (limits.outputs + 1) // 2
        self._tail_room = limits.outputs - self._head_room
        self._bytes_room = limits.outputs_bytes // 2
        self._spill_room = limits.spill_bytes
        self._lock = threading.Lock()
        self._tail: deque[dict[str, Any]] = deque()
        self._tail_bytes = 0
        self._head: list[dict[str, Any]] | None = []
        self._head_bytes = 0
        self._total = 0
        self._spill: Spill | None = None
        self._closed = False

    def take(self, content: dict[str, Any]) -> bool:
        """Account for one display; True if it may be published now, else it is held or gone."""
        size = bundle_size(content["data"])
        with self._lock:
            self._total += 1
            if self._head is not None and (
                self._total <= self._head_room and self._head_bytes + size <= self._bytes_room
            ):
                self._head_bytes += size
                self._head.append(content)
                return True
            if not self._closed:
                self._hold(content, size)
            return False

    def _hold(self, content: dict[str, Any], size: int) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self._head_count = len(head)
            if self._spill_room:
                self._spill = Spill(self._spill_room)
                for earlier in head:
                    self._write_spill(earlier)
        self._write_spill(content)
        self._tail.append(content)
        self._tail_bytes += size
        while len(self._tail) > self._tail_room or (
            self._tail and self._tail_bytes > self._bytes_room
        ):
            self._tail_bytes -= bundle_size(self._tail.popleft()["data"])

    def _write_spill(self, content: dict[str, Any]) -> None:
        if self._spill is not None and self._spill.whole:
            line = json.dumps({"data": content["data"], "metadata": content["metadata"]})
            self._spill.write(line.encode() + b"\n")

    def reset(self) -> None:
        """Forget what was shown: the output was cleared."""
        with self._lock:
            if self._head is not None and not self._closed:
                self._head, self._head_bytes, self._total = [], 0, 0

    def finish(self) -> tuple[list[dict[str, Any]], Flood | None]:
        """Close the meter: return the held displays, and the flood if some were cut."""
        with self._lock:
            self._closed = True
            held = list(self._tail)
            self._tail.clear()
            if self._head is not None:
                return held, None
            kept = self._head_count + len(held)
            spill, self._spill = self._spill, None
            if kept >= self._total:
                if spill is not None:
                    spill.close()
                return held, None
            return held, Flood(Cut("outputs", kept, self._total, "outputs"), spill)


class Cell:
    """One execution, as what prints and displays needs to know it.

    Attributes:
        header: Jupyter header of the request that started it: parent of all its messages.
        wants_value: Whether the requester asked for the last expression's value.
        floods: What was cut from single outputs so far.
    """

    __slots__ = ("floods", "header", "limits", "outputs", "streams", "wants_value")

    def __init__(
        self, header: dict[str, Any], limits: Limits, *, wants_value: bool = False
    ) -> None:
        self.header = header
        self.limits = limits
        self.wants_value = wants_value
        self.streams = {name: TextMeter(name, limits) for name in ("stdout", "stderr")}
        self.outputs = OutputMeter(limits)
        self.floods: list[Flood] = []

    def cut(self, cut: Cut, whole: Any) -> None:
        """Note what was cut from a single output, and hold all of it.

        Of a cell that shows very many large outputs the first are held: each has a file.
        """
        room = self.limits.spill_bytes if len(self.floods) < _MAX_HELD else 0
        if len(self.floods) < _MAX_NOTED:
            self.floods.append(Flood(cut, spill_format(cut.what, whole, room)))

    def clear(self) -> None:
        """Forget what was shown so far (``clear_output``)."""
        floods, self.floods = self.floods, []
        for flood in floods:
            if flood.spill is not None:
                flood.spill.close()
        self.outputs.reset()
        for meter in self.streams.values():
            meter.reset()


_context: ContextVar[Cell] = ContextVar("py_code_mode_cell")
_latest = Cell({}, Limits())


def current() -> Cell:
    """Return the caller's cell; a thread with no context of its own belongs to the latest."""
    return _context.get(_latest)


def latest() -> Cell:
    """Return the cell that was entered last."""
    return _latest


def enter(cell: Cell) -> None:
    """Make ``cell`` the caller's cell and the latest one."""
    global _latest  # noqa: PLW0603 - the one fallback for threads that have no context
    _latest = cell
    _context.set(cell)
