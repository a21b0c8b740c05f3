"""Who listens to all that happens in a session, whichever program's cells they are.

Place in the house: executor layer, below ``cellqueue``.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from py_code_mode.events import Event, Started

__all__ = ["Emit", "Listeners", "Mailbox"]

MAX_WAITING_EVENTS = 10_000
"""Events that may wait for one listener; further ones are left out."""

Emit = Callable[[Event], None]
"""Takes the events of a run; must not wait."""


class Mailbox:
    """Events on their way to one listener; what it has not taken is bounded."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()

    def offer(self, event: Event) -> None:
        """Put an event in, unless too many wait: a deaf listener must not fill the host."""
        if self._events.qsize() < MAX_WAITING_EVENTS:
            self._events.put_nowait(event)

    def close(self) -> None:
        """Let ``events`` end after what waits."""
        self._events.put_nowait(None)

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events until it is closed."""
        while (event := await self._events.get()) is not None:
            yield event


class Listeners:
    """Those who listen to a session."""

    def __init__(self) -> None:
        self._boxes: set[Mailbox] = set()
        self._closed = False

    async def listen(self) -> AsyncIterator[Event]:
        """Yield the events of all cells until the session is closed."""
        box = Mailbox()
        self._boxes.add(box)
        if self._closed:
            box.close()
        try:
            async with aclosing(box.events()) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event
        finally:
            self._boxes.discard(box)

    def tell(self, event: Event) -> None:
        """Hand an event to all."""
        for box in self._boxes:
            box.offer(event)

    def along(self, emit: Emit | None, code: str) -> Emit | None:
        """Return what takes the events of a cell: its own listener and all others.

        Args:
            emit: The cell's own listener.
            code: What the cell runs; those who have not sent it are told.
        """
        if not self._boxes:
            return emit

        def both(event: Event) -> None:
            if emit is not None:
                emit(event)
            if isinstance(event, Started):
                event = dataclasses.replace(event, code=code)
            self.tell(event)

        return both

    def close(self) -> None:
        """End all listening."""
        self._closed = True
        for box in self._boxes:
            box.close()
