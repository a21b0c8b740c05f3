"""The three ways to speak to a server, each as one context manager of two streams.

Place in the house: ``tools.mcp``, between ``connection`` and the SDK's transports; loaded on use.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Self

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from py_code_mode.tools.mcp.server import Server
from py_code_mode.tools.mcp.stdio import StdioTransport

__all__ = ["Refusals", "opened"]

_CONNECT = 30.0  # seconds for connecting and sending
_QUIET = 24 * 3600.0  # seconds a server may say nothing; calls have limits of their own
_REFUSED = 400  # statuses from here on
_BODY = 500  # bytes of a refusal
_BODY_SECONDS = 5.0
_LARGEST = 256 * 1024 * 1024  # bytes of one event


@dataclass(slots=True)
class Refusals:
    """What a server answers to requests it does not take; the SDK leaves most of that out.

    Attributes:
        last: Status and beginning of the last such answer.
        has_lost_session: Whether it does not know our session: it was started anew.
    """

    last: str = ""
    has_lost_session: bool = False

    async def see(self, response: httpx2.Response) -> None:
        """Look at a response as it arrives."""
        if response.status_code < _REFUSED:
            return
        text = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(_BODY_SECONDS):
                text = (await response.aread())[:_BODY].decode("utf-8", "replace")
        status = f"HTTP {response.status_code} {response.reason_phrase}"
        self.last = f"{status}: {text}" if text else status
        if "mcp-session-id" in response.request.headers and "session" in text.lower():
            self.has_lost_session = True


class _Watched:
    """A stream of incoming messages that tells when it has ended.

    A session does not tell its owner that the other side is gone: it fails the next call.
    """

    def __init__(self, stream: Any, on_end: Callable[[], None]) -> None:
        self._stream = stream
        self._on_end = on_end

    @property
    def last_context(self) -> Context | None:
        """The context in which the last message was asked for, where the transport knows it."""
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Any:
        """Return the next message."""
        return await self._stream.receive()

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await anext(self._stream)
        except BaseException:  # an end, an error, or the session closes
            self._on_end()
            raise

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        return await self._stream.__aexit__(*error)


@asynccontextmanager
async def opened(
    server: Server,
    process: StdioTransport | None,
    refusals: Refusals,
    on_end: Callable[[], None],
) -> AsyncIterator[tuple[Any, Any]]:
    """Open the streams to a server.

    Args:
        server: The server.
        process: What starts it, for ``stdio``.
        refusals: Notes what it refuses, for ``http``.
        on_end: Called when nothing comes from it any more.
    """
    if process is not None:
        async with process as (incoming, outgoing):
            yield _Watched(incoming, on_end), outgoing
        return
    assert server.url is not None
    headers = dict(server.headers)
    if server.transport == "sse":
        async with sse_client(server.url, headers, _CONNECT, _QUIET) as (incoming, outgoing):
            yield _Watched(incoming, on_end), outgoing
        return
    timeout = httpx2.Timeout(_CONNECT, read=_QUIET)
    hooks = {"response": [refusals.see]}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks=hooks) as client,
        streamable_http_client(server.url, http_client=client, max_sse_event_size=_LARGEST) as (
            incoming,
            outgoing,
        ),
    ):
        yield _Watched(incoming, on_end), outgoing
