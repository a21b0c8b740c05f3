"""The protocol over a process's standard input and output.

Place in the house: ``tools.mcp``, on ``child``; loaded on use. The SDK has such a transport, but
it does not tell whom it has started: the reaper must know the process group before a host that
is killed could leave it behind. Here, besides, what is no message is skipped, a message of many
megabytes is not copied with every piece that arrives, a server that does not read holds nobody
up, and no task stands between the pipes and the session.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Self

import mcp_types as types
from anyio import ClosedResourceError
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

from py_code_mode.tools.mcp.child import Child
from py_code_mode.tools.mcp.pipecalls import PipeCalls
from py_code_mode.tools.mcp.server import Server

__all__ = ["StdioTransport"]

_log = logging.getLogger(__name__)

_CHUNK = 1024 * 1024
_LONGEST = 256 * 1024 * 1024  # bytes of one message
_LINGER = 0.5  # seconds for what an ended server has left in its pipe
_LAST_LINES = 10  # of stderr, for messages
_LINE = 2_000  # characters of one of them

_START = b'{"jsonrpc"'


class _Closing:
    """What both streams are to the session: something to leave."""

    async def aclose(self) -> None:
        """Do nothing: the process is ended by its transport."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


class _Messages(_Closing):
    """The messages that arrive."""

    def __init__(self, stdout: asyncio.StreamReader, calls: PipeCalls) -> None:
        self._lines = _lines(stdout)
        self._calls = calls

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message that is the session's."""
        async for line in self._lines:
            text = line[max(0, line.find(_START)) :]  # behind what was printed without a line's end
            message = None if self._calls.takes(text) else _parsed(text)
            if message is not None:
                return SessionMessage(message)
        self._calls.end()
        raise StopAsyncIteration

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return await self.receive()

    async def aclose(self) -> None:
        """Stop reading lines."""
        self._calls.end()
        await self._lines.aclose()


class _Sender(_Closing):
    """Where messages are sent."""

    def __init__(self, child: Child) -> None:
        self._child = child

    async def send(self, item: SessionMessage) -> None:
        """Send a message; it may wait in the pipe's own buffer."""
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        if not self._child.write(text.encode() + b"\n"):
            raise ClosedResourceError


class StdioTransport:
    """A server's process as two streams of messages; an asynchronous context manager.

    Args:
        server: What to start.
        on_stderr: Takes each line of its standard error.

    Attributes:
        is_gentle: Whether closing gives it time to end by itself.
        calls: Calls of its tools.
    """

    def __init__(self, server: Server, on_stderr: Callable[[str], None]) -> None:
        self._server = server
        self._on_stderr = on_stderr
        self._child: Child | None = None
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._tasks: list[asyncio.Task[None]] = []
        self.is_gentle = False
        self.calls = PipeCalls(self._write)

    async def __aenter__(self) -> tuple[_Messages, _Sender]:
        server = self._server
        argv = [server.command or "", *server.args]
        env = {**get_default_environment(), **server.env}
        child = await Child.start(argv, env=env, cwd=server.cwd)
        self._child = child
        self._tasks = [asyncio.create_task(self._listen(child)), asyncio.create_task(_watch(child))]
        return _Messages(child.stdout, self.calls), _Sender(child)

    def _write(self, data: bytes) -> bool:
        return self._child is not None and self._child.write(data)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._child is not None
        # A server that is in the middle of printing could not end.
        self._tasks.append(asyncio.create_task(_drain(self._child.stdout)))
        try:
            await self._child.stop(gently=self.is_gentle)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def has_exited(self) -> bool:
        """Tell whether the process has ended."""
        return self._child is not None and self._child.has_exited()

    def epitaph(self) -> str:
        """Say how the process ended, and what it said last; empty when it runs silently."""
        code = None if self._child is None else self._child.exit_code
        ended = ""
        if code is not None:
            ended = f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
        return "; ".join(part for part in (ended, self.last_words) if part)

    @property
    def last_words(self) -> str:
        """The last lines of its standard error."""
        return "\n".join(self._last)

    async def _listen(self, child: Child) -> None:
        async for line in _lines(child.stderr):
            text = line.decode("utf-8", "replace").rstrip()[:_LINE]
            if text:
                self._last.append(text)
                self._on_stderr(text)


async def _watch(child: Child) -> None:
    """End the conversation when the process has ended, whoever still holds its pipe."""
    await child.exited.wait()
    await asyncio.sleep(_LINGER)
    child.close_output()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(_CHUNK):
        pass


async def _lines(stream: asyncio.StreamReader) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a stream, each put together once."""
    parts: list[bytes] = []
    size = 0
    while data := await stream.read(_CHUNK):
        *ended, rest = data.split(b"\n")
        for line in ended:
            yield b"".join([*parts, line])
            parts, size = [], 0
        parts.append(rest)
        size += len(rest)
        if size > _LONGEST:
            _log.error("an MCP server sent more than %d bytes without a line's end", _LONGEST)
            return
    if size:
        yield b"".join(parts)


def _parsed(text: bytes) -> types.JSONRPCMessage | None:
    """Return the message in a line, None when there is none: servers print all sorts of things."""
    if not text.strip():
        return None
    try:
        return types.jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValueError:
        return _nonsense(text)


def _nonsense(line: bytes) -> types.JSONRPCError | None:
    """Return an error for whoever waits for an answer that is none, or its wait would not end."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    number = said.get("id") if isinstance(said, dict) and "method" not in said else None
    if type(number) is not int:
        return None
    data = types.ErrorData(code=types.PARSE_ERROR, message="its answer is no JSON-RPC response")
    return types.JSONRPCError(jsonrpc="2.0", id=number, error=data)
