"""A server that says what a test tells it to, byte by byte: how hostile servers behave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from py_code_mode.events import Event, event_to_dict
from py_code_mode.jsonform import dump_json


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        method: HTTP's.
        target: Path and query.
        headers: By lower-case name.
        body: What was sent along.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """Read one request; None when the client is gone."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """Serve on loopback; each connection takes one request and is closed then."""
    writers: set[asyncio.StreamWriter] = set()

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            asked = await read_request(reader)
            if asked is not None:
                await answer(asked, writer)
                await writer.drain()
        except ConnectionError:
            pass  # the client had enough
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        for writer in [*writers]:
            writer.transport.abort()


def saying(*parts: bytes) -> Answer:
    """Answer every request with these bytes."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return answer


def http(status: int, body: Any = b"", **headers: str) -> bytes:
    """A whole answer; data other than bytes is sent as JSON."""
    text = body if isinstance(body, bytes) else dump_json(body)
    lines = [f"HTTP/1.1 {status} X", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(text)}")
    return "\r\n".join([*lines, "", ""]).encode() + text


EVENT_STREAM = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"


def sse(run: str, number: int, event: Event | dict[str, Any]) -> bytes:
    """One event as it is sent."""
    data = event if isinstance(event, dict) else event_to_dict(event)
    kind = data.get("type", "error")
    return f"id: {run}.{number}\nevent: {kind}\ndata: ".encode() + dump_json(data) + b"\n\n"
