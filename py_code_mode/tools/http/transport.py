"""Connections to addresses that were checked, and a client that keeps nothing to itself.

Place in the house: ``tools.http``; loads httpx, so only ``sending`` imports it, at the first
call. What is checked is the address that is connected to, once: a name that resolves to
another address a moment later changes nothing. Host header, SNI and certificate stay those of
the name.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from py_code_mode.errors import ToolDeniedError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.http.hosts import Resolve, is_public

__all__ = ["hide_in_logs", "make_client"]

_MOST = 100  # connections to one API; further calls wait


def make_client(resolve: Resolve | None, *, allow_private: bool) -> httpx.AsyncClient:
    """Make the client of an API.

    Args:
        resolve: Looks up hosts, so that their addresses can be checked and no proxy is used.
            None for an API whose host is the owner's word: then httpx looks up, and the
            proxies of the environment are used.
        allow_private: Whether addresses that are not public are fine, too.
    """
    limits = httpx.Limits(max_connections=_MOST, max_keepalive_connections=20, keepalive_expiry=5)
    transport = None if resolve is None else _Checked(resolve, limits, allow_private=allow_private)
    return httpx.AsyncClient(
        transport=transport,
        limits=limits,
        timeout=None,  # noqa: S113 - the whole call has a limit, set by who sends
        # Cookies of one call must not turn up in another, which may be another agent's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"Accept-Encoding": "gzip, deflate", "User-Agent": "py-code-mode"},
    )


class _Checked(httpx.AsyncBaseTransport):
    """Sends over connections of ``_Backend``."""

    def __init__(self, resolve: Resolve, limits: httpx.Limits, *, allow_private: bool) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(resolve, allow_private=allow_private),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with _as_httpx():
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Stream(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpcore's errors as httpx's, which have the same names."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


class _Backend(httpcore.AsyncNetworkBackend):
    """Looks a host up, checks what comes, and connects to just that."""

    def __init__(self, resolve: Resolve, *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._below = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the host cannot be looked up: {error}") from error
        if not self._allow_private and not all(map(is_public, addresses)):
            raise ToolDeniedError(
                f"host {host!r} is not on the open internet, and an argument names it; "
                "allow_private in the tool's file would allow it"
            )
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in addresses:
            try:
                return await self._below.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._below.sleep(seconds)


class _Hiding(logging.Filter):
    """Takes secrets out of the line httpx logs for each request: they may stand in the url."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: weakref.WeakSet[Secrets] = weakref.WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for each in list(self.secrets):
            text = each.redact(text)
        record.msg, record.args = text, ()
        return True


_hiding = _Hiding()


def hide_in_logs(secrets: Secrets) -> None:
    """Let no log line of httpx show what ``secrets`` hide, as long as they live."""
    logger = logging.getLogger("httpx")
    if _hiding not in logger.filters:
        logger.addFilter(_hiding)
    _hiding.secrets.add(secrets)
