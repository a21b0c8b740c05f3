"""Iopub without a detour: whoever publishes sends, under one lock.

Place in the house: bottom of ``kernel``; ``app`` makes it. ipykernel hands each message to a
thread of its own. That thread gets the interpreter only when the cell lets go of it, so a host
heard of a cell, and of its tool calls, half a millisecond to five late. zmq allows a socket to
be used from several threads if a lock keeps them apart.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import zmq
from ipykernel.iostream import IOPubThread

from kernel_bootstrap.kernel.childpipe import ChildPipe
from kernel_bootstrap.kernel.interrupts import interrupts
from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.sockets import has_message, send_frames

__all__ = ["DirectIOPub"]


class DirectIOPub(IOPubThread):  # type: ignore[misc]
    """ipykernel's ``IOPubThread``, of which only the timed flushes still run in the thread.

    Args:
        socket: An XPUB socket, bound.
        session: Signs the welcome of a new subscriber.
    """

    def __init__(self, socket: zmq.Socket[bytes], session: Any) -> None:
        # A handler of a signal may publish in the midst of a message: same thread, same lock.
        self._lock = threading.RLock()
        self._waiting: deque[Sequence[Buffer]] = deque()
        self._sending = self._unfinished = self._has_children = False
        interrupts.wait_while(self._holds_lock)
        super().__init__(socket, pipe=True)
        self.session = session
        # Not with tornado's loop: at its end it closes descriptors, and this one is zmq's own.
        self.io_loop.asyncio_loop.add_reader(socket.fileno(), self._welcome_subscribers)
        os.register_at_fork(after_in_child=self._forget_lock, after_in_parent=self._note_child)

    def _setup_xpub_listener(self) -> None:
        """Do without ipykernel's listener, which would use the socket without the lock."""

    def _setup_pipe_in(self) -> None:
        """Take what forked children publish, without ipykernel's port on loopback."""
        self._children = ChildPipe()
        self.io_loop.asyncio_loop.add_reader(self._children.fileno(), self._pass_on)

    def close(self) -> None:
        """Close the sockets."""
        if not self.closed:
            self._children.close()
        super().close()

    def _pass_on(self) -> None:
        """Publish what children have sent; at most so much that others have their turn."""
        with self._lock:  # or what came first might be sent second
            self._waiting.extend(self._children.receive())
            if not self._sending:
                self._send_waiting()

    def _note_child(self) -> None:
        self._has_children = True

    def _holds_lock(self) -> bool:
        """Whether the calling thread holds the lock, of which a forked child has its own."""
        return bool(self._lock._is_owned())  # type: ignore[attr-defined]

    def _forget_lock(self) -> None:
        """Start afresh in a forked child, which sends through the parent."""
        self._lock = threading.RLock()

    def send_multipart(
        self,
        msg_parts: Sequence[Buffer],
        *_args: object,
        **_kwargs: object,
    ) -> None:
        """Send a message now; waits while a subscriber's queue is full."""
        if not self._is_master_process():
            self._children.send(msg_parts)
            return
        if self._has_children:  # what they have sent by now comes before what comes of it
            self._waiting.extend(self._children.receive())
        self._waiting.append(msg_parts)
        with self._lock:
            if not self._sending:  # else the message this thread is in the midst of goes first
                self._send_waiting()
        interrupts.raise_pending()

    def queue(self, msg_parts: Sequence[Buffer]) -> None:
        """Send a small message with, and before, the next one."""
        self._waiting.append(msg_parts)

    def _send_waiting(self) -> None:
        self._sending = True
        try:
            while self._waiting and not self.closed:
                parts = self._waiting.popleft()
                if self._unfinished:
                    # A signal handler of the user's raised in its midst: end it, readers drop it.
                    self.socket.send(b"")
                self._unfinished = True
                send_frames(self.socket, parts)
                self._unfinished = False
                # Sending may swallow the edge that announces a subscriber; and whoever floods the
                # socket would leave the lock to nobody else.
                self._take_subscriptions()
        finally:
            self._sending = False

    def _welcome_subscribers(self) -> None:
        """Take note of new subscribers, in the thread of the loop."""
        with self._lock:
            if not self.closed and not self._sending:
                self._take_subscriptions()
                self._send_waiting()

    def _take_subscriptions(self) -> None:
        """Tell each new subscriber that it is heard from now on (JEP 65); it leaves in turn."""
        while has_message(self.socket):
            event = self.socket.recv(zmq.NOBLOCK)
            if event[:1] == b"\x01":
                topic = event[1:].decode("utf-8", "replace")
                welcome = self.session.msg("iopub_welcome", {"subscription": topic})
                self._waiting.append(self.session.serialize(welcome, event[1:] or None))
