"""Our comm with one kernel: what the host asks, what the kernel asks, and the answers.

Place in the house: inside ``kernel``, below ``process``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import logging
from collections.abc import Callable
from typing import Any, Protocol

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import (
    COMM_TARGET,
    PROTOCOL_VERSION,
    Cancel,
    Query,
    Reply,
    Request,
    parse,
)
from py_code_mode.errors import KernelDied, KernelError, KernelUnresponsive
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.seldom import Seldom

__all__ = ["COMM_ID", "HostComm", "greeting"]

log = logging.getLogger(__name__)

COMM_ID = "py-code-mode-host"

LIBRARIES = ("numpy", "pandas", "polars")


class Post(Protocol):
    """Sends a message of a type on the control channel."""

    def __call__(
        self, msg_type: str, content: dict[str, Any], *, buffers: list[Buffer]
    ) -> tuple[str, bytes]:
        """Send it; return its id, and the content as it went."""


def greeting(limits: Limits, tools: bytes, *, owned: bool) -> dict[str, Any]:
    """Return the parameters of the hello.

    Args:
        limits: Bounds of what the kernel sends.
        tools: Descriptions of the tools its code may call, packed by the codec.
        owned: Whether nobody else may shut the kernel down.
    """
    return {
        "protocol": PROTOCOL_VERSION,
        "limits": limits.to_dict(),
        "libraries": [name for name in LIBRARIES if importlib.util.find_spec(name)],
        "tools": tools,
        "owned": owned,
    }


class HostComm:
    """The comm to one kernel.

    Args:
        post: Sends a message on the control channel.
        died: Done when the kernel has ended.
        how_it_ended: Says how.
        patience: Seconds until a question counts as not heard; the first one is not bounded here.

    Attributes:
        on_request: Takes a request of the kernel, and the id of the cell it belongs to.
        on_cancel: Takes the id of a request whose answer is no longer wanted.
    """

    def __init__(
        self,
        post: Post,
        died: asyncio.Future[None],
        how_it_ended: Callable[[], str],
        patience: float,
    ) -> None:
        self._post = post
        self._died = died
        self._how_it_ended = how_it_ended
        self._patience = patience
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._warn = Seldom(log)
        self.on_request: Callable[[Request, str], None] | None = None
        self.on_cancel: Callable[[int], None] | None = None

    async def ask(self, method: str, params: dict[str, Any], patience: float | None = None) -> Any:
        """Ask, and wait for the answer.

        Args:
            method: What.
            params: Its parameters.
            patience: Seconds, if less than usual.

        Raises:
            CodeModeError: What the kernel answered with.
            KernelDied: It ended before it answered.
            KernelUnresponsive: It has not answered in time.
        """
        id_ = next(self._ids)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = answer
        try:
            data, buffers = Request(id_, method, params).to_wire()
            content: dict[str, Any] = {"comm_id": COMM_ID, "data": data}
            if method == Query.HELLO:
                content["target_name"] = COMM_TARGET
            opens = "comm_open" if method == Query.HELLO else "comm_msg"
            self._post(opens, content, buffers=buffers)
            either: set[asyncio.Future[Any]] = {answer, self._died}
            seconds = self._patience if patience is None else min(patience, self._patience)
            timeout = None if method == Query.HELLO else seconds
            await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise self._silence(seconds)
            return answer.result().unwrap()
        finally:
            del self._waiting[id_]

    def _silence(self, seconds: float) -> KernelError:
        if self._died.done():
            return KernelDied(self._how_it_ended())
        return KernelUnresponsive(
            f"the kernel has not answered for {seconds:g} s: its process is stopped, or native "
            "code keeps its threads from running"
        )

    def reply(self, data: dict[str, Any], buffers: list[Buffer]) -> bytes:
        """Answer a request of the kernel; return the content as it went."""
        return self._post("comm_msg", {"comm_id": COMM_ID, "data": data}, buffers=buffers)[1]

    def receive(self, channel: str, message: JupyterMessage) -> None:
        """Take a message of a comm; one that is not ours, or of no sense, is dropped."""
        if message.content.get("comm_id") != COMM_ID:
            return
        try:
            parsed = parse(message.content.get("data"), message.buffers)
        except ProtocolError as error:
            self._warn("dropped a malformed message of the kernel: %s", error)
            return
        if isinstance(parsed, Request) and channel == "iopub" and self.on_request:
            self.on_request(parsed, message.parent_id)
        elif isinstance(parsed, Cancel) and channel == "iopub" and self.on_cancel:
            self.on_cancel(parsed.id)
        elif isinstance(parsed, Reply) and channel == "control":
            self._settle(parsed)

    def _settle(self, reply: Reply) -> None:
        answer = self._waiting.get(reply.id)
        if answer is not None and not answer.done():
            answer.set_result(reply)
