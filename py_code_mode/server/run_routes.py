"""Running code over HTTP: at once, as a stream, and in the simple form.

Place in the house: inside ``server``; a table of operations.
"""

from __future__ import annotations

import re
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from py_code_mode.results import ExecutionResult
from py_code_mode.server.answers import ResultAnswer, SimpleAnswer
from py_code_mode.server.forms import RunRequest, StreamQuery, StreamRequest
from py_code_mode.server.operations import Answer, Call, Header, Operation, as_json
from py_code_mode.server.plain import plain
from py_code_mode.server.problems import Problem
from py_code_mode.server.runs import ClientGone, while_connected
from py_code_mode.server.session_routes import served_of
from py_code_mode.server.sessions import SESSION_ID
from py_code_mode.server.streams import EVENT_ID, StreamedRun, find_stream

__all__ = ["OPERATIONS"]

_EVENTS = "text/event-stream"


async def _execute(call: Call) -> Response:
    served, body = served_of(call), call.body
    work = call.service.runs.run(served, body.code, body.timeout)
    result: ExecutionResult = await while_connected(call.request.receive, work)
    return as_json(result.to_dict())


async def _stream(call: Call) -> Response:
    served, service = served_of(call), call.service
    body = call.body
    run = StreamedRun(served, service.runs, service.settings, service.metrics, body.run)
    run.start(body.code, body.timeout)
    return _EventStream(run, 0, _wanted(call))


async def _resume(call: Call) -> Response:
    served, last = served_of(call), call.header("last-event-id")
    _check_header("Last-Event-ID", last, EVENT_ID)
    return _EventStream(*find_stream(served, last), _wanted(call))


def _wanted(call: Call) -> frozenset[str] | None:
    events = call.query.events
    return frozenset(events.split(",")) if events else None


async def _simple(call: Call) -> Response:
    key, anew = call.header("x-session-id"), call.header("x-session-new")
    _check_header("X-Session-ID", key, SESSION_ID)
    _check_header("X-Session-New", anew, _BOOLEAN)
    service, body = call.service, call.body
    service.runs.limit(body.timeout)  # before a session is made

    async def work() -> tuple[ExecutionResult, str, bool]:
        served, created = await service.sessions.find_or_make(call.owner, key, anew=anew == "true")
        result = await service.runs.run(served, body.code, body.timeout)
        return result, served.id, created

    result, used, created = await while_connected(call.request.receive, work())
    return as_json(
        {
            "value": plain(result.value),
            "stdout": result.stdout,
            "error": None if result.error is None else result.error.text,
            "execution_time_ms": round(result.seconds * 1000, 3),
            "session_id": used,
            "created": created,
        }
    )


def _check_header(name: str, value: str | None, pattern: str) -> None:
    if value is not None and re.fullmatch(pattern, value) is None:
        raise Problem(422, "bad_request", f"the header {name} must be like {pattern}")


class _EventStream(Response):
    """Sends a run's events until it ends, or its reader goes away."""

    def __init__(self, run: StreamedRun, after: int, only: frozenset[str] | None) -> None:
        # Else proxies would wait for enough to send on.
        headers = {"X-Run-ID": run.id, "X-Accel-Buffering": "no"}
        super().__init__(None, 200, headers, media_type=_EVENTS)
        del self.headers["content-length"]
        self._run = run
        self._after = after
        self._only = only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            await while_connected(receive, self._send(send))
        except ClientGone:
            return

    async def _send(self, send: Send) -> None:
        async with aclosing(self._run.read(self._after, self._only)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


_BOOLEAN = "^(true|false)$"
_ERRORS = (400, 408, 409, 413, 415, 422, 429, 502)
_EVENTS_ANSWER = Answer(
    "The run's events.",
    media=_EVENTS,
    headers={"X-Run-ID": "what the ids of its events begin with"},
)
_LAST = Header(
    "Last-Event-ID",
    "The id of the last event that came: RUN.N. RUN.0 is the beginning of a run; without the "
    "header it is the beginning of the session's latest.",
    {"type": "string", "pattern": EVENT_ID},
)
_KEY = Header(
    "X-Session-ID",
    "In which session: one that was made here, or an id of the client's own. Without it: in a new "
    "session.",
    {"type": "string", "pattern": SESSION_ID},
)
_ANEW = Header(
    "X-Session-New",
    "`true`: the client knows that a former session of this id is gone.",
    {"type": "string", "enum": ["true", "false"]},
)
_MORE = """Events are those of `Session.stream`, each with an id `RUN.N`, its type, and JSON
that `py_code_mode.events.event_from_dict` reads. The last one is `finished`, which carries the
result, or `error`. Comments `: ping` are signs of life. A client that drops out may come back with
`GET` and the header `Last-Event-ID`; a run that nobody reads is interrupted after a while."""

OPERATIONS = (
    Operation(
        "POST",
        "/execute",
        _simple,
        "Run a cell, the simple form",
        {200: Answer("What it returned; code that fails has an error.", SimpleAnswer)},
        "run",
        "The session is made when it is first used. If the client goes away, the cell is "
        "interrupted.",
        body=RunRequest,
        headers=(_KEY, _ANEW),
        errors=(*_ERRORS, 404, 410),
    ),
    Operation(
        "POST",
        "/sessions/{id}/execute",
        _execute,
        "Run a cell",
        {200: Answer("What it returned and showed; code that fails has an error.", ResultAnswer)},
        "run",
        "If the client goes away, the cell is interrupted.",
        body=RunRequest,
        errors=(*_ERRORS, 404, 410),
    ),
    Operation(
        "POST",
        "/sessions/{id}/stream",
        _stream,
        "Run a cell and tell what it shows as it comes",
        {200: _EVENTS_ANSWER},
        "run",
        _MORE,
        body=StreamRequest,
        query=StreamQuery,
        errors=(*_ERRORS, 404, 410),
    ),
    Operation(
        "GET",
        "/sessions/{id}/stream",
        _resume,
        "Go on reading a streamed run",
        {200: _EVENTS_ANSWER},
        "run",
        headers=(_LAST,),
        query=StreamQuery,
        errors=(404, 410, 422),
    ),
)
