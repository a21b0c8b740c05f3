"""The first and last thing a request meets: who may enter at all, and how long a client may dawdle.

Place in the house: inside ``server``; ASGI middleware around the routes.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from py_code_mode.server.access import Access
from py_code_mode.server.problems import Problem
from py_code_mode.server.settings import MIB, ServerSettings

__all__ = ["Door"]

_UNREAD_BYTES = 256 * MIB
_UNREAD_SECONDS = 30.0
"""Of a body nobody wants: a client that is cut off while it sends never reads why."""

_FIRST_ERROR = 400

log = logging.getLogger(__name__)


class Door:
    """Wraps the app.

    Args:
        app: What is behind it.
        access: Says who may enter.
        settings: The server's.
    """

    def __init__(self, app: ASGIApp, access: Access, settings: ServerSettings) -> None:
        self._app = app
        self._access = access
        self._seconds = settings.transfer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, receive, send, self._seconds)
        try:
            self._check(scope)
        except Problem as problem:
            answer: ASGIApp = problem.response()
        else:
            answer = self._app
        try:
            await answer(scope, visit.receive, visit.send)
        except _TakesNothing:
            # The response stays unfinished, and uvicorn closes the connection.
            log.info("a client took nothing for %g seconds and was left", self._seconds)

    def _check(self, scope: Scope) -> None:
        self._access.check_place(scope, Headers(scope=scope))
        try:
            unquote_to_bytes(scope.get("raw_path") or b"").decode()
        except UnicodeDecodeError:
            raise Problem(400, "bad_request", "the path is not UTF-8") from None


class _TakesNothing(Exception):  # noqa: N818 - private
    """The client does not read what is sent to it."""


class _Visit:
    """One request's way in and out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        self._unread = length != "0" or "transfer-encoding" in headers
        self._waits = "expect" in headers
        self._receive = receive
        self._send = send
        self._seconds = seconds

    async def receive(self) -> Message:
        message = await self._receive()
        self._waits = False  # by now it was told to go on
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"
            if message["status"] >= _FIRST_ERROR:
                await self._swallow()
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError:
            raise _TakesNothing from None

    async def _swallow(self) -> None:
        if self._waits:
            return
        size = 0
        try:
            async with asyncio.timeout(min(_UNREAD_SECONDS, self._seconds)):
                while self._unread and size < _UNREAD_BYTES:
                    size += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return
