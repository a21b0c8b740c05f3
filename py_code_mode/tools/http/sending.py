"""A request to its answer: retries, redirects, the time limit, and who gets credentials.

Place in the house: ``tools.http``, below the adapter.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import random
from typing import TYPE_CHECKING

from py_code_mode.errors import ToolCallError, ToolDeniedError, ToolError, ToolTimeoutError
from py_code_mode.tools.http.answers import Answer, TooLarge, read
from py_code_mode.tools.http.hosts import matches
from py_code_mode.tools.http.outgoing import (
    DEFAULT_PORTS,
    Outgoing,
    Settings,
    merged,
    origin_of,
    redirected,
    with_query,
)

if TYPE_CHECKING:
    import httpx

__all__ = ["Sender"]

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_TRY_AGAIN = frozenset({429, 503})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0  # seconds


class Sender:
    """Sends the requests of one API, over one pool of connections.

    Args:
        settings: How.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # One for urls an argument has a say in, which are checked, and one for the others.
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: dict[asyncio.Timeout, asyncio.Event] = {}
        self._is_closing = False

    async def send(self, out: Outgoing) -> Answer:
        """Send a request; retry and follow redirects as far as that is safe.

        Raises:
            ToolTimeoutError: It took too long.
            ToolDeniedError: Its host is not allowed.
            ToolCallError: There is no answer, or it is too large.
        """
        import httpx

        limit, over = asyncio.timeout(self._settings.timeout), asyncio.Event()
        self._running[limit] = over
        try:
            async with limit:
                return await self._with_retries(out, limit)
        except (TimeoutError, httpx.TimeoutException) as error:
            if isinstance(error, ToolError):
                raise
            if self._is_closing:
                raise ToolCallError(f"{out.what} was not answered in time") from None
            seconds = self._settings.timeout
            text = f"{out.what} took longer than its limit of {seconds:g} s"
            raise ToolTimeoutError(text, timeout=seconds) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise ToolCallError(f"{out.what} failed: {_reason(error)}") from error
        except TooLarge:
            most = self._settings.max_response
            text = f"{out.what} answered with more than {most:,} bytes (max_response)"
            raise ToolCallError(text, max_response=most) from None
        finally:
            del self._running[limit]
            over.set()

    async def aclose(self) -> None:
        """End what is being sent, and close all connections."""
        if self._loop is asyncio.get_running_loop():
            self._is_closing = True
            running = dict(self._running)
            for limit in running:
                limit.reschedule(self._loop.time())
            for over in running.values():
                await over.wait()
        self._is_closing = False
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def _with_retries(self, out: Outgoing, limit: asyncio.Timeout) -> Answer:
        import httpx

        left = self._settings.retries if out.method in _IDEMPOTENT else 0
        for attempt in range(left + 1):
            pause = _backoff(attempt)
            try:
                response = await self._follow(out)
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if attempt == left or not _fits(pause, limit):
                    raise
            else:
                try:
                    if response.status_code in _TRY_AGAIN and attempt < left:
                        wanted = _retry_after(response.headers.get("retry-after", ""))
                        pause = pause if wanted is None else wanted
                        if not _fits(pause, limit):
                            return await read(response, self._settings.max_response)
                    else:
                        return await read(response, self._settings.max_response)
                finally:
                    await response.aclose()
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _follow(self, out: Outgoing) -> httpx.Response:
        """Send, and follow redirects within the host; the answer's body is not read."""
        client = self._client(guarded=out.is_guarded)
        for _ in range(_MAX_REDIRECTS + 1):
            request = self._request(client, out)
            response = await client.send(request, stream=True)
            to = response.headers.get("location")
            if response.status_code not in _REDIRECTS or to is None:
                return response
            status = response.status_code
            await response.aclose()
            out = redirected(out, request.url, to, status)
        raise ToolCallError(f"{out.what} was redirected more than {_MAX_REDIRECTS} times")

    def _client(self, *, guarded: bool) -> httpx.AsyncClient:
        from py_code_mode.tools.http.transport import make_client

        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # connections of another loop are of no use in this one
            self._loop, self._clients = loop, {}
        if guarded not in self._clients:
            lookup = self._settings.resolve if guarded else None
            try:
                client = make_client(lookup, allow_private=self._settings.allow_private)
            except (ImportError, OSError, ValueError) as error:
                text = f"the environment's proxies or certificates cannot be used: {error}"
                raise ToolCallError(text) from error
            self._clients[guarded] = client
        return self._clients[guarded]

    def _request(self, client: httpx.AsyncClient, out: Outgoing) -> httpx.Request:
        import httpx

        try:
            url = httpx.URL(out.url)
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise ToolCallError(f"{out.what}: the url cannot be used: {error}") from None
        if url.scheme not in DEFAULT_PORTS or not url.host or url.userinfo:
            text = "must be http://host/... or https://host/..., without a user"
            raise ToolCallError(f"{out.what}: the url {text}")
        allowed = self._settings.allow_hosts
        if out.is_guarded and allowed and not matches(url.host, allowed):
            names = ", ".join(sorted(allowed))
            raise ToolDeniedError(f"host {url.host!r} is not allowed; allowed are {names}")
        headers: list[tuple[str, str]] = [("Accept", "*/*")]
        if self._is_trusted(out, url):
            headers = merged(headers, self._settings.headers)
            headers = merged(merged(headers, out.headers), self._settings.auth)
            url = with_query(url, self._settings.query)
        else:
            headers = merged(headers, out.headers)
        encoded = [(name.encode("ascii"), value.encode()) for name, value in headers]
        return client.build_request(out.method, url, headers=encoded, content=out.content)

    def _is_trusted(self, out: Outgoing, url: httpx.URL) -> bool:
        """Whether a url's host gets what tells who we are."""
        settings = self._settings
        if not out.is_guarded or matches(url.host, settings.allow_hosts):
            return True
        return origin_of(url) == settings.origin


def _backoff(attempt: int) -> float:
    """Seconds to wait: twice as long each time, and never the same for all who wait."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt) * random.uniform(0.5, 1)  # noqa: S311


def _fits(pause: float, limit: asyncio.Timeout) -> bool:
    """Whether a pause is within reason, and the call's limit leaves time after it."""
    end = limit.when()
    now = asyncio.get_running_loop().time()
    return pause <= _LONGEST_PAUSE and (end is None or now + pause < end)


def _retry_after(text: str) -> float | None:
    """Return the seconds a server asks for: it gives their number, or a date."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=dt.UTC)
    return max(0.0, (date - dt.datetime.now(dt.UTC)).total_seconds())


def _reason(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None and not str(cause):
        cause = cause.__cause__ or cause.__context__
    return str(cause) if cause is not None else type(error).__name__
