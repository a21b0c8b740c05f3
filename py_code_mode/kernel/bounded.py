"""Streams and outputs of one cell, kept within their limits on the host.

Place in the house: beside ``messages``, no I/O. The kernel has cut already if it is honest;
here a hostile one is cut again.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel_bootstrap.wire.limits import Cut, Limits, bundle_size, fit_bundle
from py_code_mode.outputs import Output, render_terminal

__all__ = ["SLACK", "Outputs"]

MAX_ITEMS = 5_000
"""Segments and outputs kept in their order; after that text joins its stream's last segment."""

SLACK = 1_024
"""Characters over the kernel's own limit, for the line in which it says that it has cut."""


@dataclass(slots=True)
class _Segment:
    """Consecutive text of one stream; ``tail`` holds the end once the head is full."""

    name: str
    head: list[str] = field(default_factory=list)
    tail: deque[str] | None = None  # an empty deque weighs more than most segments

    def text(self, left_out: int) -> str:
        if not self.tail:
            return "".join(self.head)
        marker = f"\n... {left_out:,} characters cut ...\n" if left_out else ""
        return "".join(self.head) + marker + "".join(self.tail)


@dataclass(slots=True)
class _Stream:
    """What one stream of the cell has used of its limit."""

    room: int
    tail_room: int
    total: int = 0
    tail_chars: int = 0
    last: _Segment | None = None

    @property
    def left_out(self) -> int:
        return max(0, self.total - self.kept) if self.room <= 0 else 0

    kept: int = 0


@functools.lru_cache(maxsize=64)
def _with_slack(limits: Limits) -> Limits:
    """Return limits whose texts have room for the marks that the kernel's cuts leave."""
    return dataclasses.replace(limits, text_chars=limits.text_chars + SLACK)


class Outputs:
    """Everything one cell has shown, in order, bounded."""

    def __init__(self, limits: Limits) -> None:
        self._limits = _with_slack(limits)
        self._items: list[_Segment | Output] = []
        self._streams: dict[str, _Stream] = {}
        self._bytes = 0
        self._shown = 0
        self._dropped = 0
        self._cuts: list[Cut] = []
        self._clear_on_next = False

    def print(self, name: str, text: str) -> str:
        """Add text of a stream; return the part that was within the limit."""
        if not text:
            return ""
        self._clear_if_due()
        half = self._limits.stream_chars // 2 + SLACK
        stream = self._streams.setdefault(name, _Stream(half, half))
        stream.total += len(text)
        segment = stream.last
        parted = stream.room > 0 and len(self._items) < MAX_ITEMS
        if segment is None or (parted and self._items[-1] is not segment):
            segment = stream.last = _Segment(name)
            self._items.append(segment)
        now = text[: max(0, stream.room)]
        if now:
            segment.head.append(now)
            stream.room -= len(now)
            stream.kept += len(now)
        self._hold(stream, segment, text[len(now) :])
        return now

    @staticmethod
    def _hold(stream: _Stream, segment: _Segment, rest: str) -> None:
        if not rest:
            return
        rest = rest[-stream.tail_room :]
        if segment.tail is None:
            segment.tail = deque()
        segment.tail.append(rest)
        stream.tail_chars += len(rest)
        stream.kept += len(rest)
        while stream.tail_chars - len(segment.tail[0]) >= stream.tail_room:
            gone = len(segment.tail.popleft())
            stream.tail_chars -= gone
            stream.kept -= gone

    def show(
        self,
        output_kind: str,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any],
        display_id: str | None = None,
    ) -> Output | None:
        """Add a rich output; None if there are too many or they are too large together."""
        self._clear_if_due()
        fitted, cuts = fit_bundle(data, self._limits)
        size = bundle_size(fitted) + bundle_size(metadata) + len(display_id or "")
        # One more than the displays' limit each, for the result and the error.
        full = self._shown >= self._limits.outputs + 2
        if full or self._too_much(size):
            self._dropped += 1
            return None
        self._shown += 1
        self._bytes += size
        self._cuts += cuts
        output = Output(output_kind, fitted, metadata, display_id)  # type: ignore[arg-type]
        self._items.append(output)
        return output

    def update(
        self, display_id: str, data: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> Output:
        """Replace the displays of that id by a newer form."""
        fitted, _ = fit_bundle(data, self._limits)
        newer = Output("display", fitted, metadata, display_id)
        size = bundle_size(fitted) + bundle_size(metadata)
        for index, item in enumerate(self._items):
            if isinstance(item, Output) and item.display_id == display_id:
                more = size - bundle_size(item.data) - bundle_size(item.metadata)
                if more > 0 and self._too_much(more):
                    self._dropped += 1
                    continue
                self._bytes += more
                self._items[index] = newer
        return newer

    def _too_much(self, more: int) -> bool:
        """Whether ``more`` bytes would be more than all outputs may have together."""
        return self._bytes + more > self._limits.outputs_bytes + self._limits.output_bytes

    def clear(self, *, wait: bool) -> None:
        """Clear what was shown, at once or when the next output comes."""
        self._clear_on_next = True
        if not wait:
            self._clear_if_due()

    def _clear_if_due(self) -> None:
        if self._clear_on_next:
            self._clear_on_next = False
            self._items.clear()
            self._streams.clear()
            self._bytes = self._shown = 0

    def text(self, name: str) -> str:
        """All text of one stream, as a terminal would show it."""
        stream = self._streams.get(name)
        segments = [i for i in self._items if isinstance(i, _Segment) and i.name == name]
        if stream is None:
            return ""
        return render_terminal("".join(part.text(stream.left_out) for part in segments))

    def all(self) -> list[Output]:
        """Everything shown, in order."""
        found: list[Output] = []
        for item in self._items:
            if isinstance(item, Output):
                found.append(item)
                continue
            shown = render_terminal(item.text(self._streams[item.name].left_out))
            if shown:
                found.append(Output("stream", {"text/plain": shown}, name=item.name))
        return found

    def cuts(self) -> list[Cut]:
        """What was cut here, on top of what the kernel cut."""
        cuts = list(self._cuts)
        for name, stream in self._streams.items():
            if stream.left_out:
                cuts.append(Cut(name, stream.kept, stream.total))
        if self._dropped:
            cuts.append(Cut("outputs", self._shown, self._shown + self._dropped, "outputs"))
        return cuts
