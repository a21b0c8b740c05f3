"""Coroutines in code that does not await.

Place in the house: below ``skills``; knows nothing of skills.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

__all__ = ["to_end"]


def to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine from sync code.

    The cell's own loop is busy with that code, so it gets a loop of its own in a thread.
    """
    outcome: list[Any] = []
    failure: list[BaseException] = []
    context = copy_context()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []
    given_up: list[bool] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        if given_up:  # before there was anything to cancel
            coroutine.close()
            return
        try:
            outcome.append(await coroutine)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)  # from here, so that its traceback shows nothing of the loop

    def target() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=lambda: context.run(target), name="async skill", daemon=True)
    try:
        thread.start()  # waits as well, and an interrupt may come while it does
        thread.join()
    except BaseException:
        given_up.append(True)
        for loop, task in running:
            loop.call_soon_threadsafe(task.cancel)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
