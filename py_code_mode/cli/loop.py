"""An event loop for a command, which a Ctrl-C always wakes.

Place in the house: bottom of ``cli``.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run"]

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as ``asyncio.run`` does, and lose no interrupt.

    ``asyncio.run`` cancels it when its handler of the signal runs. But one that is noted while the
    loop is about to wait for events, or in another thread, would only be handled at the next event.

    Raises:
        KeyboardInterrupt: A person has pressed Ctrl-C.
    """
    return asyncio.run(_woken(main))


async def _woken(main: Coroutine[Any, Any, T]) -> T:
    if threading.current_thread() is not threading.main_thread():
        return await main
    loop = asyncio.get_running_loop()
    reads, writes = socket.socketpair()
    with reads, writes:
        for end in (reads, writes):
            end.setblocking(False)  # noqa: FBT003 - its only argument
        loop.add_reader(reads, reads.recv, 4_096)
        former = signal.set_wakeup_fd(writes.fileno(), warn_on_full_buffer=False)
        try:
            return await main
        finally:
            signal.set_wakeup_fd(former)
            loop.remove_reader(reads)
