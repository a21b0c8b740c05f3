"""Runs as server-sent events, which a client can leave and come back to.

Place in the house: inside ``server``, above ``runs``. A run goes on while its reader is away; what
it tells is kept, within bounds, until it has been read or nobody came.

Each event has the id ``RUN.N``, N from 1. A reader that falls behind what is kept misses events,
and sees it by the numbers; the last event, with the whole result, is always kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Collection
from typing import Any

from py_code_mode.events import Event, Finished, event_to_dict
from py_code_mode.jsonform import dump_json
from py_code_mode.server.metrics import Metrics
from py_code_mode.server.problems import Problem, internal, problem_of
from py_code_mode.server.runs import Runs
from py_code_mode.server.served import Served
from py_code_mode.server.settings import MIB, ServerSettings

__all__ = ["EVENT_ID", "StreamedRun", "find_stream"]

EVENT_ID = r"^[A-Za-z0-9_-]{1,40}\.[0-9]{1,12}$"

_KEPT_BYTES = 16 * MIB
"""Of one run's events, its last one not counted."""

_BATCH_BYTES = 64 * 1024

_LAST = frozenset({"finished", "error"})
"""Types of events that end a stream."""

_MANY = 4096
"""Events that are dropped together."""

_FIRST_SECONDS = 5.0
"""A run has its first reader at once; should the client be gone before, it ends after these."""

_KEPT_STREAMS = 16
"""Ended runs of one session that can be come back to."""

log = logging.getLogger(__name__)


class StreamedRun:
    """One run whose events are kept for those who read them.

    Args:
        served: The session.
        runs: Counts it.
        settings: The server's.
        metrics: Counts its readers.

        name: Its id, if the client has chosen one.

    Attributes:
        id: What its events' ids begin with.

    Raises:
        Problem: There is a run of that id.
    """

    def __init__(
        self,
        served: Served,
        runs: Runs,
        settings: ServerSettings,
        metrics: Metrics,
        name: str | None = None,
    ) -> None:
        if name in served.streams:
            raise Problem(409, "bad_request", f"there is a run {name!r} already")
        self.id = name or secrets.token_hex(8)
        self._served = served
        self._runs = runs
        self._settings = settings
        self._metrics = metrics
        # Types and bytes of events number _first and later.
        self._frames: list[tuple[str, bytes]] = []
        self._first = 1
        self._dropped = 0  # of _frames, at its beginning
        self._bytes = 0
        self._readers = 0
        self._done = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._forgetting: asyncio.TimerHandle | None = None

    def start(self, code: str, timeout: float | None) -> None:
        """Begin to run code.

        Raises:
            Problem: There are too many runs, or it asks for too much time.
        """
        limit = self._runs.limit(timeout)
        held = contextlib.ExitStack()
        held.enter_context(self._runs.one(self._served))
        self._task = asyncio.create_task(self._follow(code, limit), name=f"stream {self.id}")
        self._task.add_done_callback(lambda _: held.close())
        streams = self._served.streams
        streams[self.id] = self
        ended = [run for run in streams.values() if run._done]
        for run in ended[: max(0, len(ended) - _KEPT_STREAMS)]:
            run._forget()
        self._later(least=_FIRST_SECONDS)

    async def read(self, after: int, only: Collection[str] | None = None) -> AsyncIterator[bytes]:
        """Yield what was told after event number ``after``, and what is told from now on.

        Args:
            after: The number.
            only: Types of events that are wanted; None: all. The last one always comes.
        """
        self._readers += 1
        self._metrics.streams.inc()
        try:
            yield b": stream\n\n"
            while True:
                changed, done = self._changed, self._done
                batch, after = self._from(after, only)
                if batch:
                    yield batch
                elif done:
                    return
                elif not await _happens(changed, self._settings.heartbeat_seconds):
                    yield b": ping\n\n"
        finally:
            self._readers -= 1
            self._metrics.streams.dec()
            self._later()

    async def close(self) -> None:
        """Stop it, if it has not ended, and forget it."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=1.0)
            self._task.cancel()
            await asyncio.wait({self._task})
        self._forget()

    async def _follow(self, code: str, limit: float | None) -> None:
        try:
            events = self._served.session.stream(code, timeout=limit)
            async with contextlib.aclosing(events):  # type: ignore[type-var]
                async for event in events:
                    self._tell(event)
        except Exception as error:
            self._metrics.count_failure()
            problem = problem_of(error)
            if problem is None:
                log.exception("a streamed run failed")
                problem = internal()
            self._add("error", problem.body())
        finally:
            self._done = True
            self._wake()
        self._later()

    def _tell(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._runs.ended(self._served, event.result)
        data = event_to_dict(event)
        self._add(data["type"], data)

    def _add(self, name: str, data: dict[str, Any]) -> None:
        number = self._first + len(self._frames)
        head = f"id: {self.id}.{number}\nevent: {name}\ndata: ".encode()
        frame = b"".join((head, dump_json(data), b"\n\n"))
        while self._bytes > _KEPT_BYTES:
            self._bytes -= len(self._frames[self._dropped][1])
            self._frames[self._dropped] = ("", b"")
            self._dropped += 1
        if self._dropped > _MANY and self._dropped > len(self._frames) // 2:
            del self._frames[: self._dropped]
            self._first += self._dropped
            self._dropped = 0
        self._frames.append((name, frame))
        self._bytes += len(frame)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _from(self, after: int, only: Collection[str] | None) -> tuple[bytes, int]:
        """Return some of the events after a number, and the number of their last."""
        index = max(after + 1 - self._first, self._dropped)
        batch = bytearray()
        while index < len(self._frames) and len(batch) < _BATCH_BYTES:
            name, frame = self._frames[index]
            if only is None or name in only or name in _LAST:
                batch += frame
            index += 1
        return bytes(batch), max(after, self._first + index - 1)

    def _later(self, least: float = 0.0) -> None:
        """See to it that a run nobody reads does not stay forever."""
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        if self._readers == 0 and self.id in self._served.streams:
            loop = asyncio.get_running_loop()
            seconds = max(least, self._settings.resume_seconds)
            self._forgetting = loop.call_later(seconds, self.give_up)

    def give_up(self) -> None:
        """Stop it, if it has not ended, and no other run; nobody will come back to it."""
        self._forgetting = None
        if self._task is not None:
            self._task.cancel()  # interrupts the code, if it runs
        self._forget()

    def _forget(self) -> None:
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        self._served.streams.pop(self.id, None)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def find_stream(served: Served, last: str | None) -> tuple[StreamedRun, int]:
    """Return the run a client wants to go on reading, and the number of the event it had last.

    Args:
        served: The session.
        last: The id of that event; None: the latest run, from its beginning.

    Raises:
        Problem: It is no longer kept.
    """
    key, _, number = (last or "").partition(".")
    run = served.streams.get(key)
    if last is None:
        run = next(reversed(served.streams.values()), None)
    if run is None:
        raise Problem(
            410, "stream_gone", "this run is not kept any more: nobody came back to it in time"
        )
    return run, int(number or 0)
