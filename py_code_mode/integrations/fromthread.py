"""Call coroutines of an event loop from threads that have none.

Place in the house: beside the integrations of frameworks whose tools are plain functions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from py_code_mode.errors import ConfigError

__all__ = ["blocking"]

T = TypeVar("T")

_HOW = "run the agent in a thread: `await asyncio.to_thread(agent.run, task)`"


def blocking(function: Callable[[str], Coroutine[Any, Any, T]]) -> Callable[[str], T]:
    """Return a function that other threads may call; it runs on this thread's event loop.

    Raises:
        ConfigError: No event loop runs here. Later, in the call: the call was made on the thread
            of the loop itself, which would wait for itself.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError as error:
        raise ConfigError(
            f"make this tool where the executor's event loop runs, in an `async def`; then {_HOW}"
        ) from error

    def call(code: str) -> T:
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is loop:
            raise ConfigError(f"this call would stop the event loop it waits for; {_HOW}")
        return asyncio.run_coroutine_threadsafe(function(code), loop).result()

    return call
