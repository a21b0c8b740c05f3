"""Threads remember the cell that started them.

Place in the house: beside ``cells``, standard library only. Python's threads begin with an
empty context, so what one prints after its cell ended would land in whichever cell runs then.
Here each thread, and each task of a thread pool, runs in a copy of its starter's context, as
asyncio tasks do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

__all__ = ["inherit_context"]

_start = threading.Thread.start
_submit = ThreadPoolExecutor.submit


def _start_in_context(self: threading.Thread) -> None:
    context, run = copy_context(), self.run
    # An instance attribute shadows `run` however a subclass defines it.
    self.run = lambda: context.run(run)  # type: ignore[method-assign]
    _start(self)


def _submit_in_context(
    self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Future[Any]:
    return _submit(self, copy_context().run, fn, *args, **kwargs)


def inherit_context() -> None:
    """Make every thread started from now on inherit its starter's context variables."""
    threading.Thread.start = _start_in_context  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = _submit_in_context  # type: ignore[method-assign,assignment]
