"""Coroutines in code that does not await, and calls that may be awaited or not.

Place in the house: below ``skills``; knows nothing of skills.
"""

from __future__ import annotations

import asyncio
import dis
import functools
import threading
from collections.abc import Coroutine
from contextvars import copy_context
from types import CodeType, FrameType
from typing import Any

__all__ = ["is_awaited", "to_end"]


def is_awaited(caller: FrameType) -> bool:
    """Whether the call that ``caller`` is in the middle of is awaited: ``await f(...)``.

    The next instruction tells. Where the result goes anywhere else first, it is not.
    """
    return _await_follows(caller.f_code, caller.f_lasti)


@functools.lru_cache(maxsize=1024)
def _await_follows(code: CodeType, offset: int) -> bool:
    following = False
    for instruction in dis.get_instructions(code):
        if instruction.offset > offset:
            return following and instruction.opname == "GET_AWAITABLE"
        following = True
    return False


def to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine from sync code.

    The cell's own loop is busy with that code, so it gets a loop of its own in a thread.
    """
    outcome: list[Any] = []
    failure: list[BaseException] = []
    context = copy_context()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def main() -> Any:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        return await coroutine

    def target() -> None:
        try:
            outcome.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=lambda: context.run(target), name="async skill", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        for loop, task in running:
            loop.call_soon_threadsafe(task.cancel)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
