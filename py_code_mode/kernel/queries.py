"""What the host asks a kernel between cells, and the answers.

Place in the house: inside ``kernel``, below ``process``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
from collections.abc import Callable
from typing import Any

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import COMM_TARGET, PROTOCOL_VERSION, Query, Reply, Request
from py_code_mode.errors import KernelDied

__all__ = ["COMM_ID", "Queries", "greeting"]

COMM_ID = "py-code-mode-host"

LIBRARIES = ("numpy", "pandas", "polars")

Send = Callable[[str, dict[str, Any], list[Buffer]], object]
"""Sends a message of a type, its content and buffers on the control channel."""


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


class Queries:
    """Questions to one kernel.

    Args:
        send: Sends a comm message.
        died: Done when the kernel has ended.
        how_it_ended: Says how.
    """

    def __init__(
        self, send: Send, died: asyncio.Future[None], how_it_ended: Callable[[], str]
    ) -> None:
        self._send = send
        self._died = died
        self._how_it_ended = how_it_ended
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Ask, and wait for the answer.

        Raises:
            CodeModeError: What the kernel answered with.
            KernelDied: It ended before it answered.
        """
        id_ = next(self._ids)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = answer
        try:
            data, buffers = Request(id_, method, params).to_wire()
            content: dict[str, Any] = {"comm_id": COMM_ID, "data": data}
            if method == Query.HELLO:
                content["target_name"] = COMM_TARGET
            self._send("comm_open" if method == Query.HELLO else "comm_msg", content, buffers)
            either: set[asyncio.Future[Any]] = {answer, self._died}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise KernelDied(self._how_it_ended())
            return answer.result().unwrap()
        finally:
            del self._waiting[id_]

    def settle(self, reply: Reply) -> None:
        """Take an answer; one to nothing is dropped."""
        answer = self._waiting.get(reply.id)
        if answer is not None and not answer.done():
            answer.set_result(reply)
