"""Wait for a descriptor.

Place in the house: bottom of ``kernel``, no knowledge of kernels.
"""

from __future__ import annotations

import asyncio
import os

__all__ = ["readable"]


async def readable(fd: int) -> None:
    """Return when ``fd`` has something to read, or its other side is gone.

    For a process descriptor (pidfd): when the process has ended.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    # Another waiter may watch the same descriptor: each watches a copy of its own.
    watched = os.dup(fd)
    try:
        loop.add_reader(watched, ready.set)
        await ready.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)
