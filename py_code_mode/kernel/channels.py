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
from kernel_bootstrap.wire.jupyter import MessageWriter
from kernel_bootstrap.wire.sockets import Frame, has_message, receive_frames, send_frames
from py_code_mode.errors import ProtocolError
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.reading import MessageReader
from py_code_mode.kernel.seldom import Seldom

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
        context: Makes the sockets.
        receive: Called with each message.
        max_bytes: Larger messages are refused by zmq: the connection is dropped.
    """

    def __init__(
        self,
        manager: AsyncKernelManager,
        context: zmq.Context[zmq.Socket[bytes]],
        receive: Receive,
        *,
        max_bytes: int,
    ) -> None:
        session: Session = manager.session
        self._writer = MessageWriter(
            session.auth, session=session.session, username=session.username
        )
        self._reader = MessageReader(self._writer.sign)
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._due: set[str] = set()
        self._warn = Seldom(log)
        self._sockets: dict[str, zmq.Socket[bytes]] = {
            name: _connect(context, name, manager.get_connection_info())
            for name in ("iopub", "shell", "control")
        }
        for name, socket in self._sockets.items():
            socket.maxmsgsize = max_bytes
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
        return self.post(channel, msg_type, content, metadata=metadata, buffers=buffers)[0]

    def post(
        self,
        channel: str,
        msg_type: str,
        content: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> tuple[str, bytes]:
        """Send one message; return its id, and its content as it went. Never waits."""
        socket = self._sockets.get(channel)
        if socket is None:
            return "", b""
        id_, header = self._writer.new_header(msg_type)
        frames = self._writer.frames(header, {}, metadata or {}, content)
        send_frames(socket, [*frames, *buffers])
        # Sending may swallow the edge that announces incoming messages.
        self._drain_soon(channel)
        return id_, frames[-1]

    def drain(self) -> None:
        """Read what has arrived, without waiting for the loop's turn."""
        for channel in list(self._sockets):
            self._drain(channel)

    def _drain_soon(self, channel: str) -> None:
        # Once a turn of the loop, however many ask: each may take a slice of it.
        if channel not in self._due:
            self._due.add(channel)
            self._loop.call_soon(self._drain, channel)

    def _drain(self, channel: str) -> None:
        self._due.discard(channel)
        socket = self._sockets.get(channel)
        until = time.monotonic() + SLICE_SECONDS
        while socket is not None and not socket.closed:
            if not has_message(socket):
                return
            self._take(channel, receive_frames(socket))
            if time.monotonic() > until:
                self._drain_soon(channel)
                return
            socket = self._sockets.get(channel)

    def _take(self, channel: str, frames: list[Frame]) -> None:
        try:
            message = self._reader.read(frames)
        except ProtocolError:
            self._warn("dropped a malformed message on %s", channel)
            return
        if message is None:
            return
        try:
            self._receive(channel, message)
        except Exception as error:  # noqa: BLE001 - handed to the loop, as from any callback
            # Whatever a message does to its receiver, the ones behind it must be read.
            what = f"a message on {channel} could not be handled"
            self._loop.call_exception_handler({"message": what, "exception": error})

    def close(self) -> None:
        """Close the sockets; what has not been read is dropped."""
        sockets, self._sockets = self._sockets, {}
        for socket in sockets.values():
            self._loop.remove_reader(socket.fileno())
            socket.close()


def _connect(
    context: zmq.Context[zmq.Socket[bytes]], name: str, info: Mapping[str, Any]
) -> zmq.Socket[bytes]:
    """Connect one channel.

    jupyter_client makes sockets too, but asyncio ones, whose receive costs a task a message.
    """
    socket = context.socket(zmq.SUB if name == "iopub" else zmq.DEALER)
    socket.linger = 0
    # The kernel binds when it is up: look often, that is what the first result waits for.
    socket.reconnect_ivl = 5
    # Replies to a burst of calls queue here instead of being refused.
    socket.sndhwm = 0
    if name == "iopub":
        socket.subscribe(b"")
    if info.get("curve_publickey"):
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = info["curve_publickey"].encode()  # zmq takes bytes alone
    between = ":" if info["transport"] == "tcp" else "-"
    socket.connect(f"{info['transport']}://{info['ip']}{between}{info[name + '_port']}")
    return socket
