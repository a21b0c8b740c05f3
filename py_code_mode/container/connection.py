"""The one door to a server: sends requests, bounds and checks what comes back.

Place in the house: inside ``container``, above ``failures``; the only module but ``streaming``
that knows httpx.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from py_code_mode.container.failures import failure
from py_code_mode.errors import (
    ConfigError,
    ProtocolError,
    RemoteError,
    ServerFailed,
    ServerUnreachable,
    SessionClosed,
)
from py_code_mode.jsonform import dump_json, load_json

__all__ = ["PATIENCE", "Body", "Connection", "unreachable"]

log = logging.getLogger(__name__)

Body = bytes | AsyncIterator[bytes]

PATIENCE = 60.0
CONNECT = 10.0
LAST_WORDS = 5.0
"""Seconds that what is still to be said may take when the client is closed."""

_ERROR_BYTES = 1024 * 1024
_FIRST_ERROR = 400
_CUT_OFF = re.compile("disconnected|closed connection")
"""What httpx says of a connection that ended too early, as it does of one that makes no sense."""

_TOKEN = re.compile(r"[\x21-\x7e]+")

_KEEP_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)
    ),
]
"""Requests that wait for a cell have no time limit: this is how a dead machine is noticed."""


class Connection:
    """Requests to one server, with one token.

    Args:
        base_url: Where the server is.
        token: Goes along with every request; None: nothing does.
        max_bytes: The largest answer that is read.
        patience: Seconds without a byte after which the server is given up.
        http: An httpx client to use; it stays open. None makes one.

    Raises:
        ConfigError: The url or the token cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None,
        *,
        max_bytes: int,
        patience: float,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self.url = _checked(base_url)
        self.max_bytes = max_bytes
        self.patience = patience
        self.closed = False
        if token is not None and not _TOKEN.fullmatch(token):
            raise ConfigError("a token is ASCII without blanks, and not empty", key="token")
        self._headers = {"Accept-Encoding": "identity"}  # nothing unfolds to more than was sent
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._given = http
        self._made: httpx.AsyncClient | None = None
        self._last_words: set[asyncio.Task[None]] = set()

    @property
    def _http(self) -> httpx.AsyncClient:
        if self.closed:
            raise SessionClosed("the client is closed")
        if self._given is not None:
            return self._given
        if self._made is None:
            # Connections are let go before uvicorn's five seconds are over: one that the server
            # closes at the same moment could not take the next request.
            limits = httpx.Limits(
                max_connections=None, max_keepalive_connections=20, keepalive_expiry=3.0
            )
            transport = httpx.AsyncHTTPTransport(
                # Making a TLS context takes longer than a request; plain HTTP needs none.
                verify=self.url.startswith("https:"),
                limits=limits,
                socket_options=_KEEP_ALIVE,
            )
            self._made = httpx.AsyncClient(transport=transport)
        return self._made

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None,
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; give the head of a good answer, whose body is still to be read.

        Raises:
            httpx.TransportError: The connection failed; ``unreachable`` makes ours of it.
            CodeModeError: The server refused or failed.
        """
        request = self._http.build_request(
            method,
            f"{self.url}{path}",
            params=dict(params or {}),
            content=body,
            headers={**self._headers, **(headers or {})},
            timeout=httpx.Timeout(patience, connect=CONNECT, write=self.patience, pool=None),
        )
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise self.nonsense("it sent something compressed, which was not asked for")
            if response.status_code >= _FIRST_ERROR:
                said = await self.read(response, _ERROR_BYTES)
                raise failure(response.status_code, response.headers, said, self.url)
            if not response.is_success:
                raise self.nonsense(f"HTTP {response.status_code} is no answer to {method} {path}")
            yield response
        finally:
            await response.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        waits: bool = False,
    ) -> Any:
        """Send JSON, return the JSON of the answer; None if it has no content.

        Args:
            method: HTTP's.
            path: Below the server's url.
            params: Go into the query.
            data: Goes into the body; None: nothing does.
            waits: Whether the server may have to wait for a cell to end before it answers.

        Raises:
            CodeModeError: What the server said.
            ServerUnreachable: There was no answer.
            ServerFailed: The answer makes no sense.
        """
        body = None if data is None else dump_json(data)
        headers = {} if data is None else {"Content-Type": "application/json"}
        patience = None if waits else self.patience
        try:
            async with self.open(
                method, path, params=params, body=body, headers=headers, patience=patience
            ) as response:
                text = await self.read(response)
        except httpx.TransportError as error:
            raise unreachable(error, self.url) from error
        return self.parse(text)

    def parse(self, text: bytes) -> Any:
        """Return the JSON of an answer; None if it has no content.

        Raises:
            ServerFailed: It is no JSON.
        """
        with self.checking():
            return load_json(text) if text else None

    async def read(self, response: httpx.Response, limit: int | None = None) -> bytes:
        """Return the body of an answer.

        Raises:
            httpx.TransportError: The connection failed.
            ServerFailed: It has more than ``limit`` bytes; None: than any answer may have.
        """
        limit = self.max_bytes if limit is None else limit
        parts: list[bytes] = []
        size = 0
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > limit:
                raise self.nonsense(f"an answer has more than {limit:,} bytes")
            parts.append(chunk)
        return b"".join(parts)

    def nonsense(self, what: str) -> ServerFailed:
        """Make the error for what no session server would answer."""
        return ServerFailed(f"{self.url} is no session server, or it failed: {what}")

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Take data of the server apart.

        Raises:
            ServerFailed: It is malformed.
        """
        try:
            yield
        except ProtocolError as error:
            raise self.nonsense(str(error)) from error

    def say_later(self, words: Coroutine[Any, Any, None]) -> None:
        """Let something be sent that nobody waits for; ``aclose`` does, for a while."""
        task = asyncio.get_running_loop().create_task(words)
        self._last_words.add(task)
        task.add_done_callback(self._said)

    def _said(self, task: asyncio.Task[None]) -> None:
        self._last_words.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s was not told: %s", self.url, error)

    async def aclose(self) -> None:
        """Close the connections; closing twice is fine."""
        if self._last_words:
            _, late = await asyncio.wait(self._last_words, timeout=LAST_WORDS)
            for task in late:
                task.cancel()
        self.closed = True
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()


def unreachable(error: httpx.TransportError, url: str) -> RemoteError:
    """Say in our words what httpx raised."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.RemoteProtocolError) and not _CUT_OFF.search(reason):
        return ServerFailed(f"{url} does not speak HTTP: {reason}")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ServerUnreachable(f"cannot connect to {url}: {reason}")
    if isinstance(error, httpx.TimeoutException):
        return ServerUnreachable(f"{url} did not answer in time: {type(error).__name__}")
    return ServerUnreachable(f"the connection to {url} broke: {reason}")


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        well_formed = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        well_formed = False
    if not well_formed or parts.query or parts.fragment or parts.username is not None:
        raise ConfigError(
            f"{url!r} is no url of a server: 'http://localhost:8080' would be one", key="base_url"
        )
    return url.rstrip("/")
