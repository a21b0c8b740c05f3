"""Replies that a kernel has not taken yet: how much memory of the host they hold.

Place in the house: beside ``uploads``, below ``calls``. A socket's queue has no bound, because an
honest kernel reads whatever it does; one that asks for a great deal and then stops reading would
fill the host. zmq lets go of a buffer when it has left the process, and that is noticed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Sequence

from kernel_bootstrap.wire.messages import Method
from kernel_bootstrap.wire.parts import Buffer
from kernel_bootstrap.wire.sockets import NO_COPY_BYTES

__all__ = ["Backlog"]

MOST = 64 * 1024 * 1024
"""Bytes of replies on their way from which on no further request is served."""

_BULKY = (Method.ARTIFACTS_READ, Method.ARTIFACTS_LOAD)
_AT_ONCE = 8
"""Bulky requests of one session that are served at once: as many as one download has under way."""


class Backlog:
    """The replies to one session's kernel. Used from one event loop."""

    def __init__(self) -> None:
        self._held = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._less = asyncio.Event()

    @contextlib.asynccontextmanager
    async def turn(self, method: str) -> AsyncIterator[None]:
        """Wait until a request may be served: what was answered before has mostly left."""
        async with self._turns if method in _BULKY else contextlib.nullcontext():
            while self._held > MOST:
                self._less.clear()
                await self._less.wait()
            yield

    def counted(self, buffers: Sequence[Buffer]) -> list[Buffer]:
        """Return the same buffers, to be sent; they count until zmq lets go of them."""
        return [self._counted(buffer) for buffer in buffers]

    def _counted(self, buffer: Buffer) -> Buffer:
        view = memoryview(buffer)
        if view.nbytes < NO_COPY_BYTES:  # zmq has a copy, however short it lives
            return buffer
        self._held += view.nbytes
        loop = asyncio.get_running_loop()
        weakref.finalize(view, self._left, loop, view.nbytes).atexit = False
        return view

    def _left(self, loop: asyncio.AbstractEventLoop, size: int) -> None:
        """Called by whichever thread lets go of a buffer."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._subtract, size)

    def _subtract(self, size: int) -> None:
        self._held -= size
        self._less.set()
