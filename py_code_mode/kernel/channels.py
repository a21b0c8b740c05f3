"""The sockets of one kernel, and the one reader that drains them for its whole life.

Place in the house: inside ``kernel``. The reader runs on the host's event loop, whether or not
a run is on, and never waits: iopub holds back the kernel when nobody reads it. A long burst is
read in slices, so that the loop stays responsive.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import zmq
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session

from kernel_bootstrap.wire.codec import Buffer
from py_code_mode.kernel.messages import JupyterMessage, read_message

__all__ = ["Channels", "Receive"]

Receive = Callable[[str, JupyterMessage], None]
"""Takes one message and the name of its channel; must not wait."""

SLICE_SECONDS = 0.02
"""How long one burst may keep the loop before others get their turn."""

log = logging.getLogger(__name__)


class Channels:
    """Shell, control and iopub of one kernel.

    Args:
        manager: The started kernel's manager.
        receive: Called with each message.
        max_bytes: Larger messages are refused by zmq: the connection is dropped.
    """

    def __init__(self, manager: AsyncKernelManager, receive: Receive, *, max_bytes: int) -> None:
        self._session: Session = manager.session
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._sockets: dict[str, zmq.Socket[bytes]] = {
            "iopub": manager.connect_iopub(),
            "shell": manager.connect_shell(),
            "control": manager.connect_control(),
        }
        for name, socket in self._sockets.items():
            socket.linger = 0
            socket.reconnect_ivl = 5
            socket.maxmsgsize = max_bytes
            if name != "iopub":
                # Replies to a burst of calls queue here instead of being refused.
                socket.sndhwm = 0
            self._loop.add_reader(socket.fileno(), self._drain, name)

    def send(
        self,
        channel: str,
        msg_type: str,
        content: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> str:
        """Send one message; return its id. Never waits."""
        socket = self._sockets.get(channel)
        if socket is None:
            return ""
        message = self._session.send(
            socket,
            msg_type,
            dict(content),
            metadata=dict(metadata or {}),
            buffers=list(buffers),  # type: ignore[arg-type]
        )
        # Sending may swallow the edge that announces incoming messages.
        self._loop.call_soon(self._drain, channel)
        return "" if message is None else str(message["header"]["msg_id"])

    def _drain(self, channel: str) -> None:
        socket = self._sockets.get(channel)
        until = time.monotonic() + SLICE_SECONDS
        while socket is not None and not socket.closed:
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._take(channel, frames)
            if time.monotonic() > until:
                self._loop.call_soon(self._drain, channel)
                return
            socket = self._sockets.get(channel)

    def _take(self, channel: str, frames: list[bytes]) -> None:
        try:
            _, parts = self._session.feed_identities(frames)
            message = read_message(self._session.deserialize(parts))
        except (ValueError, TypeError, KeyError, IndexError, RecursionError, AttributeError):
            log.warning("dropped a malformed message on %s", channel)
            return
        if message is not None:
            self._receive(channel, message)

    def close(self) -> None:
        """Close the sockets; what has not been read is dropped."""
        sockets, self._sockets = self._sockets, {}
        for socket in sockets.values():
            self._loop.remove_reader(socket.fileno())
            socket.close()
