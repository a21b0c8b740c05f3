"""Wait for a descriptor, or for work that blocks.

Place in the house: bottom of ``kernel``, no knowledge of kernels.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

__all__ = ["in_thread", "readable"]

T = TypeVar("T")


async def readable(*fds: int) -> None:
    """Return when one of ``fds`` has something to read, or its other side is gone.

    For a process descriptor (pidfd): when the process has ended.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    watched: list[int] = []
    try:
        for fd in fds:
            # Another waiter may watch the same descriptor: each watches a copy of its own.
            watched.append(os.dup(fd))
            loop.add_reader(watched[-1], ready.set)
        await ready.wait()
    finally:
        for fd in watched:
            loop.remove_reader(fd)
            os.close(fd)


async def in_thread(work: Callable[[], T]) -> T:
    """Do blocking work in a thread that ends with it: a loop's own pool would keep its threads."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(cast("T", result))
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - raised where it is awaited
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="py-code-mode work", daemon=True).start()
    return await done
