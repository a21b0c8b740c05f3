"""A channel of the kernel: messages in and out of its socket, without queues in between.

Place in the house: bottom of ``kernel``. ipykernel reads and writes its channels through pyzmq's
``ZMQStream``, which polls around each message, and sends from a queue that a second poll
empties. Here whatever has arrived is read at once, and what is sent leaves at once: a kernel's
channels are ROUTER sockets, which never make a sender wait.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import zmq
from zmq.eventloop.zmqstream import ZMQStream

from kernel_bootstrap.kernel.interrupts import counts_as_waiting
from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.sockets import Frame, has_message, receive_frames, send_frames

__all__ = ["ChannelStream"]

OnReceive = Callable[[list[Frame]], Any]
"""Takes the frames of a message; may return something to be awaited."""


class ChannelStream(ZMQStream):
    """A ``ZMQStream`` that is used from the thread of its loop only, and copies nothing."""

    _on_receive: OnReceive | None = None
    _read_is_due = False
    _is_held = False
    _held: OnReceive | None = None

    @classmethod
    def instead_of(cls, stream: ZMQStream) -> ChannelStream:
        """Serve a stream's socket, in its loop, in its place."""
        stream.io_loop.remove_handler(stream.socket)
        return cls(stream.socket, stream.io_loop)

    def on_recv(self, callback: OnReceive | None, copy: bool = True) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002 - ZMQStream's signature
        """Hand each message to ``callback``, as frames; those that have arrived as well."""
        assert callback is None or not copy, "messages are not copied"
        if self._is_held:
            self._held = callback
            return
        self._on_receive = callback
        self.io_loop.add_callback(self._read)

    def hold(self) -> None:
        """Leave messages where they are until ``release``; before ``on_recv``."""
        self._is_held = True

    def release(self) -> None:
        """Hand out what has arrived, and go on as usual; a second time does nothing."""
        if self._is_held:
            self._is_held = False
            self.on_recv(self._held, copy=False)

    def send_multipart(
        self,
        msg: Sequence[Buffer],
        flags: int = 0,  # noqa: ARG002 - ZMQStream's signature
        copy: bool = True,  # noqa: ARG002, FBT001, FBT002
        track: bool = False,  # noqa: ARG002, FBT001, FBT002
        callback: Any = None,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Send a message now."""
        send_frames(self.socket, msg)
        # Sending may swallow the edge that announces incoming messages.
        if not self._read_is_due:
            self._read_is_due = True
            self.io_loop.asyncio_loop.call_soon(self._read)  # type: ignore[attr-defined]

    def flush(self, flag: int = zmq.POLLIN | zmq.POLLOUT, limit: int | None = None) -> int:  # noqa: ARG002
        """Read what has arrived, if asked to; there is never anything left to send."""
        if flag & zmq.POLLIN:
            self._read()
        return 0

    def _handle_events(self, fd: Any, events: Any) -> None:  # noqa: ARG002 - tornado's signature
        self._read()

    def _read(self) -> None:
        self._read_is_due = False
        more = not self.closed() and self._has_message()
        while more and self._on_receive is not None:
            frames = receive_frames(self.socket)
            # Asked before the message is acted on: whoever waits for it, in another thread, goes
            # on as soon as this one has nothing left to do.
            more = self._has_message()
            result = self._on_receive(frames)
            if inspect.isawaitable(result):
                asyncio.ensure_future(result)  # noqa: RUF006 - the dispatchers log their errors

    def _has_message(self) -> bool:
        try:
            return has_message(self.socket)
        except zmq.ZMQError:
            if self.closed():
                return False
            raise

    counts_as_waiting(_read)
