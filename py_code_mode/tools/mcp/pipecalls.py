"""Calls of tools over a pipe, past the SDK's session: one line out, one line back.

Place in the house: ``tools.mcp``, below ``stdio``, which hands it what arrives; loaded on use.

The SDK's session makes and checks several models of each request and of each answer, and passes
both through streams in memory: a third of what a call costs. Whoever pipes a thousand calls
through a loop pays that a thousand times, so this one request is written and matched here.
Everything else a connection needs is the SDK's, and so are calls over HTTP.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

__all__ = ["PipeCalls"]

_FIRST = 1_000_000_000
"""The SDK counts its own requests from 1."""

Progressed = Callable[[float, float | None, str | None], None]


class _Call:
    """One that has not been answered."""

    __slots__ = ("answer", "on_progress")

    def __init__(self, on_progress: Progressed | None) -> None:
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.on_progress = on_progress


class PipeCalls:
    """The calls of one connection.

    Args:
        write: Takes a line; False when nobody reads it any more.
    """

    def __init__(self, write: Callable[[bytes], bool]) -> None:
        self._write = write
        self._numbers = itertools.count(_FIRST)
        self._open: dict[int, _Call] = {}
        self._has_ended = False

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        meta: Mapping[str, Any],
        on_progress: Progressed | None,
    ) -> dict[str, Any]:
        """Call a tool; cancelling this tells the server to stop.

        Args:
            tool: What its server calls it.
            arguments: JSON values by name.
            meta: What every request of the connection carries as ``_meta``.
            on_progress: Told of progress; without it the server is not asked for any.

        Returns:
            The answer's ``result``, as it came.

        Raises:
            MCPError: The server refused, or the connection has ended.
        """
        number = next(self._numbers)
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        if on_progress is not None:
            meta = {**meta, "progressToken": number}
        if meta:
            params["_meta"] = meta
        call = self._open[number] = _Call(on_progress)
        try:
            if self._has_ended or not self._send("tools/call", params, number):
                raise _closed()
            return await call.answer
        except asyncio.CancelledError:
            self._send("notifications/cancelled", {"requestId": number, "reason": "cancelled"})
            raise
        finally:
            del self._open[number]

    def _send(self, method: str, params: dict[str, Any], number: int | None = None) -> bool:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        return self._write(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    def takes(self, line: bytes) -> bool:
        """Look at a line that arrived; False if it is not about one of these calls."""
        if not self._open:
            return False
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return False
        if message.get("method") == "notifications/progress":
            return self._takes_progress(message.get("params"))
        number = message.get("id")
        call = self._open.get(number) if type(number) is int else None
        if call is None or "method" in message:
            return False
        return self._takes_answer(call, message)

    def _takes_answer(self, call: _Call, message: Mapping[str, Any]) -> bool:
        if call.answer.done():  # answered twice, or nobody waits any more
            return True
        if isinstance(message.get("result"), dict):
            call.answer.set_result(message["result"])
            return True
        try:
            error = types.ErrorData.model_validate(message.get("error"), by_name=False)
        except ValueError:
            error = types.ErrorData(
                code=types.PARSE_ERROR, message="its answer is no JSON-RPC response"
            )
        call.answer.set_exception(MCPError.from_error_data(error))
        return True

    def _takes_progress(self, said: Any) -> bool:
        token = said.get("progressToken") if isinstance(said, dict) else None
        call = self._open.get(token) if type(token) is int else None
        if call is None:
            return False
        done, total, text = said.get("progress"), said.get("total"), said.get("message")
        if call.on_progress is not None and _is_number(done):
            call.on_progress(
                float(done),
                float(total) if _is_number(total) else None,
                text if isinstance(text, str) else None,
            )
        return True

    def end(self) -> None:
        """Fail what is not answered: nothing comes any more."""
        self._has_ended = True
        for call in self._open.values():
            if not call.answer.done():
                call.answer.set_exception(_closed())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _closed() -> MCPError:
    return MCPError(code=types.CONNECTION_CLOSED, message="Connection closed")
