"""Pages' connections to kernels inside a Jupyter server; its settings name this module.

Place in the house: inside ``lab``, beside ``kernels``. A page that is opened asks for the kernel's
info before it believes in it, on the shell channel, where the answer waits for the cell that runs.
Here a session's kernel is asked on the control channel instead, which answers meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

__all__ = ["SessionConnection", "connect_again"]

AGAIN_SECONDS = 0.2
"""Between requests, until the kernel is heard."""

SERVICE_RESTART = 1012
"""Why a websocket is closed; pages do not connect again after 1000 and 1001."""

PROTOCOL = "v1.kernel.websocket.jupyter.org"


class SessionConnection(ZMQChannelsWebsocketConnection):  # type: ignore[misc]
    """A page's connection to a kernel of the server, or to one of a session."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._on_control: set[str] = set()

    @property
    def _is_borrowed(self) -> bool:
        return not self.kernel_manager.owns_kernel

    def nudge(self) -> asyncio.Future[None]:
        """Return a future that is done when the kernel is heard, also while a cell runs."""
        if self._is_borrowed:
            return asyncio.ensure_future(self._hear())
        nudged: asyncio.Future[None] = super().nudge()
        return nudged

    async def _hear(self) -> None:
        iopub, control = self.channels["iopub"], self.kernel_manager.connect_control()
        heard = asyncio.Event()

        def hear(_: object) -> None:
            iopub.stop_on_recv()
            heard.set()

        iopub.on_recv(hear)
        try:
            async with asyncio.timeout(self.kernel_info_timeout):
                while not heard.is_set() and self.kernel_id in self.multi_kernel_manager:
                    self.session.send(control, "kernel_info_request")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(heard.wait(), AGAIN_SECONDS)
        except TimeoutError:
            self.log.warning("Kernel %s is not heard", self.kernel_id)
        finally:
            control.close()
            if not iopub.closed():
                iopub.stop_on_recv()

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Pass a page's message to the kernel."""
        if self._is_borrowed and self.subprotocol == PROTOCOL:
            channel, parts = deserialize_msg_from_ws_v1(incoming_msg)
            header = json.loads(parts[0])
            if channel == "shell" and header["msg_type"] == "kernel_info_request":
                self._on_control.add(header["msg_id"])
                incoming_msg = serialize_msg_to_ws_v1(parts, "control")
        super().handle_incoming_message(incoming_msg)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: Sequence[bytes]) -> None:
        """Pass a kernel's message to the page."""
        if self._on_control and getattr(stream, "channel", stream) == "control":
            _, parts = self.session.feed_identities(outgoing_msg)
            asked = json.loads(parts[2]).get("msg_id")
            if asked in self._on_control:
                self._on_control.discard(asked)
                stream = "shell"  # where the page expects it
        super().handle_outgoing_message(stream, outgoing_msg)


def connect_again(kernel: ServerKernelManager) -> None:
    """Have the pages of a kernel connect anew; they then ask what it does, and send what waits."""
    for connection in [*SessionConnection._open_sockets]:
        if connection.kernel_manager is kernel:
            connection.websocket_handler.close(SERVICE_RESTART)
