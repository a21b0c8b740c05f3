"""One run's events, over as many connections as it takes.

Place in the house: inside ``container``, above ``connection`` and ``sse``. The rules:

* The client names the run (``run``), so that it can ask for it whatever became of the request.
* Each event has the id ``RUN.N``; N grows. After a dropped connection the stream is opened anew
  behind the last event that came; what comes twice is left out. So nothing is lost or doubled.
* A request to begin is sent again only if the server says that it knows nothing of the run.
* The server pings; silence for ``patience`` seconds counts as a dropped connection.
* Whoever leaves before the last event has the server stop the run, and no other one.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager, aclosing

import httpx

from py_code_mode.container.connection import Connection, unreachable
from py_code_mode.container.failures import failure
from py_code_mode.container.sse import EventParser, ServerSentEvent
from py_code_mode.errors import (
    NotAuthorized,
    RemoteError,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    SessionLost,
    SessionNotFound,
)
from py_code_mode.events import EVENT_TYPES, Event, Finished, event_from_dict
from py_code_mode.jsonform import dump_json, load_json

__all__ = ["RESUME_SECONDS", "RunStream"]

RESUME_SECONDS = 30.0
"""How long a lost connection is tried to be made again: servers keep a run that long."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
_STEADY_SECONDS = 5.0
"""A connection that holds for so long is one, even if it brings no event."""

_RUN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PASSING = {429, 502, 503, 504}
_NEVER_ASKED = (httpx.ConnectError, httpx.ConnectTimeout)
_LAST_WORDS = (NotAuthorized, ServerBusy, ServerUnreachable, SessionLost, SessionNotFound)
"""Errors after which there is no run to stop, or nobody to say it to."""


class RunStream:
    """One run on a server.

    Args:
        connection: To the server.
        session_path: Of the session: ``/sessions/ID``.
        code: What to run.
        timeout: Seconds it may take; None: the server's own limit.
        only: Types of events that are wanted; None: all. The last one always comes.
    """

    def __init__(
        self,
        connection: Connection,
        session_path: str,
        code: str,
        timeout: float | None,
        only: Collection[str] | None = None,
    ) -> None:
        self._connection = connection
        self._session = session_path
        self._request = {"code": code, "timeout": timeout}
        self._only = only
        self._run = uuid.uuid4().hex
        self._last = 0
        self._asked = False  # it may have been: the server may know of the run
        self._met = False  # it was: the server answered
        self._over = False
        self._lost: float | None = None  # since when there is no connection

    async def events(self) -> AsyncGenerator[Event, None]:
        """Run the code; yield its events, the last of which is ``Finished``.

        Raises:
            CodeModeError: The server refused the run, could not run it, or was lost.
        """
        try:
            async with aclosing(self._over_connections()) as sent:
                async for each in sent:
                    event = self._read(each)
                    if event is not None:
                        self._over = isinstance(event, Finished)
                        yield event
                    if self._over:
                        return
        except _LAST_WORDS:
            self._over = True
            raise
        finally:
            if self._asked and not self._over and not self._connection.closed:
                self._connection.say_later(self._stop())

    async def _stop(self) -> None:
        await self._connection.ask("POST", f"{self._session}/interrupt", data={"run": self._run})

    # --- connections ---------------------------------------------------------------------------

    async def _over_connections(self) -> AsyncGenerator[ServerSentEvent, None]:
        pause = _FIRST_PAUSE
        while True:
            answered = False
            parser = EventParser(self._connection.max_bytes)
            try:
                async with self._open() as response:
                    self._meet(response)
                    answered = True
                    steady = time.monotonic() + _STEADY_SECONDS
                    async for chunk in response.aiter_raw():
                        events = self._fed(parser, chunk)
                        if events or time.monotonic() > steady:
                            self._lost, pause = None, _FIRST_PAUSE
                        for each in events:
                            yield each
                self._count(ServerUnreachable(f"{self._connection.url} ended the stream too early"))
            except httpx.ReadTimeout as error:
                if answered:  # and then was silent: something between may hold its pings back
                    self._lost = None
                    continue
                self._count(unreachable(error, self._connection.url), error)
            except httpx.TransportError as error:
                self._count(unreachable(error, self._connection.url), error)
            except RemoteError as error:
                if not self._is_passing(error):
                    raise
                self._count(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _open(self) -> AbstractAsyncContextManager[httpx.Response]:
        headers = {"Accept": "text/event-stream"}
        if self._asked:
            method, body = "GET", None
            headers["Last-Event-ID"] = f"{self._run}.{self._last}"
        else:
            method, body = "POST", dump_json({**self._request, "run": self._run})
            headers["Content-Type"] = "application/json"
        self._asked = True
        return self._connection.open(
            method,
            f"{self._session}/stream",
            params={} if self._only is None else {"events": ",".join(sorted(self._only))},
            body=body,
            headers=headers,
            patience=self._connection.patience,
        )

    def _meet(self, response: httpx.Response) -> None:
        kind = response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            raise ServerFailed(f"{self._connection.url} sent {kind!r:.80} instead of events")
        run = response.headers.get("x-run-id", "")
        if run and not self._met and _RUN.fullmatch(run):
            self._run = run  # a server may have names of its own
        self._met = True

    def _fed(self, parser: EventParser, chunk: bytes) -> list[ServerSentEvent]:
        with self._connection.checking():
            return parser.feed(chunk)

    def _count(self, problem: RemoteError, cause: Exception | None = None) -> None:
        """Note that there is no connection.

        Raises:
            RemoteError: The problem, if there has been none for too long, or there never was one.
        """
        now = time.monotonic()
        if self._lost is None:
            self._lost = now
            if not self._met and isinstance(cause, _NEVER_ASKED):
                raise problem from cause
        elif now - self._lost > RESUME_SECONDS:
            raise problem from cause

    def _is_passing(self, error: RemoteError) -> bool:
        """Whether a refusal is not the last word: a proxy without its server, a request lost."""
        if self._lost is None and not self._met:
            return False  # it is the answer to the first request
        if error.kind == "stream_gone" and not self._met:
            self._asked = False  # it never arrived: it can be sent again
            return True
        return error.status in _PASSING

    # --- events --------------------------------------------------------------------------------

    def _read(self, sent: ServerSentEvent) -> Event | None:
        """Return the event that was sent; None if it came before or is not wanted."""
        url = self._connection.url
        run, _, number = sent.id.rpartition(".")
        if sent.id:
            if run != self._run or not (number.isascii() and number.isdigit()):
                raise ServerFailed(f"{url} sent an event of another run: {sent.id!r:.100}")
            if int(number[:20]) <= self._last:
                return None
            self._last = int(number[:20])
        if sent.type == "error":
            self._over = True
            raise failure(None, {}, sent.data, url)
        wanted = self._only is None or sent.type in self._only or sent.type == "finished"
        if sent.type not in EVENT_TYPES or not wanted:
            return None
        with self._connection.checking():
            return event_from_dict(load_json(sent.data))
