"""Threads that run functions for coroutines.

Place in the house: ``tools``, used by ``functions``. ``concurrent.futures`` does the same in
twice the time: its futures can be waited for from any thread, and asyncio then wraps them in
futures of its own. Here the only one who waits is a coroutine, and what comes of a function is
handed straight to its loop.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
import weakref
from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Literal

__all__ = ["CallThreads"]


class _Call:
    """One function on its way through a thread; its coroutine awaits it.

    It speaks the part of a future that ``asyncio.Task`` asks of whatever it awaits. A future
    would wake its task one turn of the loop later.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_callbacks",
        "_loop",
        "_result",
        "_state",
        "args",
        "context",
        "function",
    )

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.function = function
        self.args = args
        self.context = copy_context()
        self._loop = asyncio.get_running_loop()
        self._asyncio_future_blocking = False
        self._callbacks: list[tuple[Callable[[Any], object], Context]] = []
        self._state: Literal["pending", "done", "cancelled"] = "pending"
        self._result: Any = None

    # In a thread.

    def work(self) -> Any:
        return self.context.run(self.function, *self.args)

    def deliver(self, result: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, "done", result)

    def drop(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, "cancelled", None)

    # In the loop.

    def _settle(self, state: Literal["done", "cancelled"], result: Any) -> None:
        if self._state != "pending":
            return
        self._state, self._result = state, result
        callbacks, self._callbacks = self._callbacks, []
        for callback, context in callbacks:
            context.run(callback, self)

    def __await__(self) -> Generator[Any, None, Any]:
        if self._state == "pending":
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        if self._state == "pending":
            # Not `or`: a context without variables is false.
            self._callbacks.append((callback, copy_context() if context is None else context))
        else:
            self._loop.call_soon(callback, self, context=context)

    def cancel(self, msg: Any = None) -> bool:  # noqa: ARG002 - a future's signature
        if self._state != "pending":
            return False
        # Later, as futures do: whoever cancels a task does not run in it.
        self._loop.call_soon(self._settle, "cancelled", None)
        return True

    def cancelled(self) -> bool:
        return self._state == "cancelled"

    def result(self) -> Any:
        if self._state == "cancelled":
            raise asyncio.CancelledError
        return self._result


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Shared:
    """What the threads know; they do not keep their owner alive."""

    calls: SimpleQueue[_Call | None] = field(default_factory=SimpleQueue)
    lock: threading.Lock = field(default_factory=threading.Lock)
    threads: list[threading.Thread] = field(default_factory=list)
    free: int = 0  # threads less calls that run or wait; negative when some wait for a thread


_all: weakref.WeakSet[_Shared] = weakref.WeakSet()


class CallThreads:
    """Runs functions in threads, which are started when needed and kept.

    Threads end with ``close``, with the last reference to this object, or with the interpreter,
    which waits for functions that run.

    Args:
        most: How many there may be; further calls wait.
        name: Begins the threads' names.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._shared = _Shared()
        _all.add(self._shared)
        weakref.finalize(self, _tell_to_end, self._shared).atexit = False

    @property
    def busy(self) -> bool:
        """Whether a function runs or waits for a thread."""
        return self._shared.free < len(self._shared.threads)

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in a thread, with the caller's context variables.

        When this is cancelled, a function that runs runs on, one that waits does not begin.

        Args:
            function: What to call; it must not raise.
            *args: Its arguments.

        Returns:
            What it returns.
        """
        call, shared = _Call(function, args), self._shared
        with shared.lock:
            shared.free -= 1
            start = shared.free < 0 and len(shared.threads) < self._most
            if start:
                self._start_thread(call)
        if not start:
            shared.calls.put(call)
        return await call

    def _start_thread(self, call: _Call) -> None:
        shared = self._shared
        name = f"{self._name}_{len(shared.threads)}"
        thread = threading.Thread(target=_work, args=(shared, call), name=name, daemon=True)
        shared.threads.append(thread)
        shared.free += 1
        thread.start()

    def close(self) -> None:
        """End the threads: idle ones now, others when their function ends; drop what waits."""
        with contextlib.suppress(Empty):
            while True:
                call = self._shared.calls.get_nowait()
                if call is not None:
                    call.drop()
                    with self._shared.lock:
                        self._shared.free += 1
        if self.busy:
            _tell_to_end(self._shared)
        else:  # then this takes no time
            _end(self._shared)


def _work(shared: _Shared, first: _Call | None) -> None:
    call, first = first, None
    while call is not None:
        result = None if call.cancelled() else call.work()
        with shared.lock:
            shared.free += 1
        call.deliver(result)
        call = result = None  # they must not live until the next one comes
        call = shared.calls.get()


def _tell_to_end(shared: _Shared) -> None:
    for _ in shared.threads:
        shared.calls.put(None)


def _end(shared: _Shared) -> None:
    _tell_to_end(shared)
    for thread in shared.threads:
        thread.join()


@atexit.register
def _end_all() -> None:
    for shared in list(_all):
        _end(shared)
