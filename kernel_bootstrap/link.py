"""One request out, one future back.

Place in the house: above ``wire``, below ``namespaces``. It knows no transport: the callable
that sends is given to it, so it is tested with no kernel. Requests may come from any thread;
replies are delivered by the thread that reads the control channel.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.errors import ToolError
from kernel_bootstrap.wire.messages import Cancel, Reply, Request

__all__ = ["Link", "Send"]

Send = Callable[[dict[str, Any], list[Buffer]], None]
"""Sends one message: its data and its buffers. Must be callable from any thread."""


LOOK_SECONDS = 0.2
"""Between looks of a blocked caller: a signal that came just before it blocked wakes nobody."""


class _Waiter:
    """A thread that is blocked until its reply comes.

    A ``Future`` is a condition with a lock and callbacks; this is one bare lock, which an
    interrupt gets through as well.
    """

    __slots__ = ("_come", "_reply")

    def __init__(self) -> None:
        self._come = threading.Lock()
        self._come.acquire()
        self._reply: Reply | None = None

    def deliver(self, reply: Reply) -> None:
        self._reply = reply
        self._come.release()

    def wait(self) -> Reply:
        while not self._come.acquire(timeout=LOOK_SECONDS):
            pass
        assert self._reply is not None
        return self._reply


class _FutureReply:
    """A future of a reply's value."""

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future: Future[Any] = Future()

    def deliver(self, reply: Reply) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        if reply.failure is not None:
            self.future.set_exception(reply.failure.to_exception())
        else:
            self.future.set_result(reply.value)


class Link:
    """The kernel's line to its host.

    Args:
        send: Sends one message towards the host.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._ids = itertools.count(1)
        self._pending: dict[int, _Waiter | _FutureReply] = {}
        self._pid = os.getpid()
        self._deliverer: int | None = None

    def request(self, method: str, /, **params: Any) -> Future[Any]:
        """Send one request.

        Returns:
            A future of the reply's value. Cancelling it tells the host to stop the work.

        Raises:
            ValueNotEncodableError: A parameter cannot cross.
            ToolError: The caller is where no reply could ever reach it: a forked child
                process, or the thread that delivers replies.
        """
        asked = _FutureReply()
        id_ = self._ask(asked, method, params)
        asked.future.add_done_callback(lambda done: self._forget(id_, done))
        return asked.future

    def _ask(self, asked: _Waiter | _FutureReply, method: str, params: dict[str, Any]) -> int:
        if os.getpid() != self._pid:
            raise ToolError(
                "tools, skills and artifacts cannot be used in a forked child process: "
                "call them in the session's own process, or use threads"
            )
        if threading.get_ident() == self._deliverer:
            raise ToolError(f"{method} cannot be called from the thread that delivers replies")
        id_ = next(self._ids)
        data, buffers = Request(id_, method, params).to_wire()
        self._pending[id_] = asked
        try:
            self._send(data, buffers)
        except Exception:
            self._pending.pop(id_, None)
            raise
        except BaseException:
            # An interrupt: the message may have left, so the work on it must be stopped.
            self._pending.pop(id_, None)
            self._send(*Cancel(id_).to_wire())
            raise
        return id_

    def call(self, method: str, /, **params: Any) -> Any:
        """Send one request and block for its value; an interrupt cancels it on the host.

        Raises:
            CodeModeError: What the host answered with.
        """
        waiter = _Waiter()
        id_ = self._ask(waiter, method, params)
        try:
            reply = waiter.wait()
        except BaseException:
            if self._pending.pop(id_, None) is not None:
                self._send(*Cancel(id_).to_wire())
            raise
        return reply.unwrap()

    def tell(self, method: str, /, **params: Any) -> None:
        """Send one request and go on; whatever the host answers is dropped.

        Raises:
            CodeModeError: It could not be sent.
        """
        self._send(*Request(next(self._ids), method, params).to_wire())

    async def acall(self, method: str, /, **params: Any) -> Any:
        """Send one request and await its value; cancelling the await cancels it on the host."""
        return await asyncio.wrap_future(self.request(method, **params))

    def restart(self) -> None:
        """Begin anew in a forked process that is a session of its own: nobody waits here."""
        self._pid = os.getpid()
        self._pending.clear()

    def deliver(self, reply: Reply) -> None:
        """Hand a reply to whoever waits for it; replies to nothing are dropped."""
        self._deliverer = threading.get_ident()
        asked = self._pending.pop(reply.id, None)
        if asked is not None:
            asked.deliver(reply)

    def _forget(self, id_: int, future: Future[Any]) -> None:
        if future.cancelled() and self._pending.pop(id_, None) is not None:
            self._send(*Cancel(id_).to_wire())
