"""How long a run may take, not counting what it waits for others.

Place in the house: values layer. ``cellrun`` starts and stops it; a call that waits for
somebody's answer, or for its turn, holds it up. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["TimeLimit"]


class TimeLimit:
    """A timer that stands still while somebody waits; overlapping waits count once.

    Args:
        seconds: What the run may take, or None.
        within: The limit of a run that waits for this one: it stands still at the same time.
    """

    def __init__(self, seconds: float | None, within: TimeLimit | None = None) -> None:
        self._left = seconds
        self._within = within
        self._waits = 0
        self._over: Callable[[], object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, over: Callable[[], object]) -> None:
        """Begin to count; ``over`` is called once when the time has been spent."""
        self._over = over
        self._go_on()

    def stop(self) -> None:
        """Count no more."""
        self._over = None
        self._hold()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Stand still meanwhile."""
        self._pause()
        try:
            yield
        finally:
            self._resume()

    def _pause(self) -> None:
        if self._within is not None:
            self._within._pause()
        self._waits += 1
        if self._waits == 1:
            self._hold()
            if self._left is not None and self._left <= 0:
                self._end()  # spent before the wait began, only nobody has looked yet

    def _resume(self) -> None:
        if self._within is not None:
            self._within._resume()
        self._waits -= 1
        self._go_on()

    def _go_on(self) -> None:
        if self._left is not None and self._over is not None and not self._waits:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, self._left), self._end)

    def _hold(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            self._left = timer.when() - asyncio.get_running_loop().time()
            timer.cancel()

    def _end(self) -> None:
        over, self._over, self._timer = self._over, None, None
        if over is not None:
            over()
