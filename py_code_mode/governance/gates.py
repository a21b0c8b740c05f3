"""Tools that take turns: so many at once, so many a second.

Place in the house: ``governance``, above ``budget``. First come, first served. Belongs to one
event loop; all sessions of an executor share it.

The rate is a token bucket: it holds ``burst`` tokens, gets ``per_second`` new ones each second,
and each call takes one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager
from contextvars import ContextVar

from py_code_mode.errors import ToolDeniedError
from py_code_mode.governance.budget import ToolLimit
from py_code_mode.governance.globs import as_patterns, matches

__all__ = ["Gate", "Gates", "Waiting", "passing"]

Waiting = Callable[[], AbstractContextManager[None]]
"""Makes what is entered while a call waits: the time does not count as the code's."""

_held: ContextVar[frozenset[Gate]] = ContextVar("py_code_mode_gates", default=frozenset())
"""Where the calls above this one have slots: a call made on behalf of one needs no second."""


class Gate:
    """Where the calls of one limit take turns.

    Args:
        limit: What it lets through.
    """

    def __init__(self, limit: ToolLimit) -> None:
        self.limit = limit
        self._running = 0
        self._tokens = float(limit.most_at_once)
        self._filled: float | None = None
        self._queue: deque[tuple[asyncio.Future[None], bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._queue)

    async def enter(self, name: str, *, slot: bool = True) -> None:
        """Wait for a turn.

        Args:
            name: The tool, for messages.
            slot: Whether the call takes one of ``concurrent``; if so, it must ``leave``.

        Raises:
            ToolDeniedError: Waiting is not wanted, or too many wait.
        """
        if not self._queue and self._take(slot=slot):
            return
        self._refuse(name)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((turn, slot))
        self._plan()
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # its turn had come, but it will not use it
                self._tokens += 1
                self._running -= slot
            else:
                with contextlib.suppress(ValueError):  # somebody may have come upon it
                    self._queue.remove((turn, slot))
            self._admit()
            raise

    def leave(self) -> None:
        """Give the slot to the next."""
        self._running -= 1
        self._admit()

    def _refuse(self, name: str) -> None:
        limit = self.limit
        most = "" if limit.concurrent is None else f"{limit.concurrent:,} at once"
        if limit.per_second is not None:
            most += f"{' and ' if most else ''}{limit.per_second:g} a second"
        if not limit.wait:
            raise ToolDeniedError(f"{name} was not run: at most {most} (ToolLimit); try later")
        if len(self._queue) >= limit.queue:
            raise ToolDeniedError(
                f"{name} was not run: at most {most}, and {len(self._queue):,} calls wait "
                "already (ToolLimit.queue)"
            )

    def _take(self, *, slot: bool) -> bool:
        if slot and self.limit.concurrent is not None and self._running >= self.limit.concurrent:
            return False
        if self.limit.per_second is not None:
            self._fill(self.limit.per_second)
            if self._tokens < 1:
                return False
            self._tokens -= 1
        self._running += slot
        return True

    def _fill(self, per_second: float) -> None:
        now = asyncio.get_running_loop().time()
        passed = 0.0 if self._filled is None else now - self._filled
        self._filled = now
        self._tokens = min(self.limit.most_at_once, self._tokens + passed * per_second)

    def _admit(self) -> None:
        while self._queue:
            turn, slot = self._queue[0]
            if turn.done():  # cancelled, and its call has not come to take it out
                self._queue.popleft()
            elif self._take(slot=slot):
                self._queue.popleft()
                turn.set_result(None)
            else:
                break
        self._plan()

    def _plan(self) -> None:
        """See to it that somebody looks when the next token has come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        rate = self.limit.per_second
        if self._queue and rate is not None and self._tokens < 1:
            delay = (1 - self._tokens) / rate
            self._timer = asyncio.get_running_loop().call_later(delay, self._admit)


class Gates:
    """The gates of all limits.

    Args:
        limits: In the order in which a call passes them.
    """

    def __init__(self, limits: Iterable[ToolLimit]) -> None:
        self._limits = tuple(limits)
        self._made: dict[tuple[int, str], Gate] = {}

    def of(self, name: str) -> list[Gate]:
        """Return the gates a tool has to pass."""
        found = []
        for index, limit in enumerate(self._limits):
            if matches(as_patterns(limit.tools), name):
                key = (index, name if limit.each else "")
                found.append(self._made.setdefault(key, Gate(limit)))
        return found


@contextlib.asynccontextmanager
async def passing(gates: list[Gate], name: str, waiting: Waiting) -> AsyncIterator[None]:
    """Pass all gates, and hold their slots meanwhile.

    Args:
        gates: In their order, the same for all calls: else two could wait for each other.
        name: The tool, for messages.
        waiting: Entered while a turn is waited for.
    """
    held = _held.get()
    entered: list[Gate] = []
    try:
        with waiting():
            for gate in gates:
                slot = gate not in held
                await gate.enter(name, slot=slot)
                if slot:
                    entered.append(gate)
        token = _held.set(held | {*entered})
        try:
            yield
        finally:
            _held.reset(token)
    finally:
        for gate in reversed(entered):
            gate.leave()
