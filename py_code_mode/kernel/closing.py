"""How a kernel is closed: once, to the end, and before its sockets' context is.

Place in the house: bottom of ``kernel``, below ``process``. A context of zmq waits, and the whole
program with it, for sockets that were left open. So what closes a kernel cannot be cancelled, and
each context knows which kernels it still has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["Closing", "at_close", "close_all"]

_open: dict[Any, set[Closing]] = {}
"""Context -> kernels that have sockets of it."""

_last: dict[Any, list[Callable[[], Awaitable[None]]]] = {}
"""Context -> what is to be done when it has no more kernels."""


class Closing:
    """The end of one kernel.

    Args:
        context: That of its sockets.
        end: Ends it; told whether to kill at once.
    """

    def __init__(self, context: Any, end: Callable[[bool], Awaitable[None]]) -> None:
        self._context = context
        self._end = end
        self._task: asyncio.Task[None] | None = None
        _open.setdefault(context, set()).add(self)

    async def begin(self, *, now: bool) -> None:
        """Begin, or wait for what has begun; cancelling the call does not stop it."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(now=now), name="close a kernel")
        await asyncio.shield(self._task)

    async def _run(self, *, now: bool) -> None:
        try:
            await self._end(now)
        finally:
            left = _open.get(self._context, set())
            left.discard(self)
            if not left:
                _open.pop(self._context, None)


async def close_all(context: Any) -> None:
    """Close every kernel that has sockets of a context; whoever held it may have been cancelled."""
    while left := _open.get(context):
        await asyncio.gather(*(closing.begin(now=True) for closing in left))
    for finish in _last.pop(context, ()):
        await finish()


def at_close(context: Any, finish: Callable[[], Awaitable[None]]) -> None:
    """Do something once all kernels that have sockets of a context are closed, and no more come.

    Args:
        context: It.
        finish: Does it.
    """
    _last.setdefault(context, []).append(finish)
