"""Kernels that are up before they are needed.

Place in the house: executor layer, below ``settings``' users. Each kernel is handed out once;
the place it leaves is filled in the background.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from py_code_mode.errors import CodeModeError

if TYPE_CHECKING:
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["KernelPool"]

log = logging.getLogger(__name__)


class KernelPool:
    """Keeps kernels ready.

    Args:
        size: How many.
        start: Starts one.
    """

    def __init__(self, size: int, start: Callable[[], Awaitable[KernelProcess]]) -> None:
        self._size = size
        self._start = start
        self._ready: deque[KernelProcess] = deque()
        self._filling: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        """Kernels that could be handed out now."""
        return len(self._ready)

    def fill(self) -> None:
        """Begin to start what is missing."""
        missing = self._size - len(self._ready) - len(self._filling)
        for _ in range(0 if self._closed else missing):
            task = asyncio.create_task(self._add(), name="fill the pool of kernels")
            self._filling.add(task)
            task.add_done_callback(self._filling.discard)

    async def filled(self) -> None:
        """Wait until nothing is missing, or what is missing could not be started."""
        self.fill()
        while self._filling:
            await asyncio.wait(set(self._filling))

    async def take(self) -> KernelProcess | None:
        """Hand out a kernel that is up, or None if there is none yet."""
        kernel = None
        while self._ready and kernel is None:
            kernel = self._ready.popleft()
            if kernel.died.done():
                await kernel.close(now=True)
                kernel = None
        self.fill()
        return kernel

    async def _add(self) -> None:
        try:
            kernel = await self._start()
            try:
                await kernel.warm_up()
            except BaseException:
                await kernel.close(now=True)
                raise
        except CodeModeError as error:
            # Whoever needs a kernel starts one, and gets the error; a loop here would not help.
            log.warning("a kernel for the pool did not come up: %s", error)
            return
        if self._closed:
            await kernel.close(now=True)
        else:
            self._ready.append(kernel)

    async def close(self) -> None:
        """End all kernels that were not handed out."""
        self._closed = True
        for task in self._filling:
            task.cancel()  # it may wait for an environment that takes minutes to be made
        await self.filled()
        while self._ready:
            await self._ready.popleft().close(now=True)
