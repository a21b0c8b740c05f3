"""What the server can be asked, as data: one row for each method of a path.

Place in the house: inside ``server``, above ``forms`` and below the routes, which fill tables of
these. The app serves the tables and the OpenAPI document is written from them, so that they cannot
disagree.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from py_code_mode.jsonform import dump_json
from py_code_mode.server.access import Owner
from py_code_mode.server.bodies import read_json
from py_code_mode.server.forms import Empty
from py_code_mode.server.problems import Problem, internal, problem_of
from py_code_mode.server.runs import ClientGone
from py_code_mode.server.settings import Scope

if TYPE_CHECKING:
    from py_code_mode.server.service import Service

__all__ = ["Answer", "Call", "Header", "Operation", "as_json"]

_CLIENT_GONE = 499
"""nginx's number for it; only the metrics see it."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Call:
    """One request, checked.

    Attributes:
        request: As it came.
        service: The server's parts.
        owner: Whom its token stands for.
        body: Its body, or None.
        query: Its query.
    """

    request: Request
    service: Service
    owner: Owner
    body: Any = None
    query: Any = None

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters of its path."""
        return self.request.path_params

    def header(self, name: str) -> str | None:
        """Return a header of it."""
        return self.request.headers.get(name)


@dataclass(frozen=True, slots=True)
class Answer:
    """What may come back.

    Attributes:
        text: When it does.
        form: Form of its JSON, or None.
        media: Its content type; empty: there is no content.
        headers: Names of the headers it has, and what they say.
    """

    text: str
    form: type[BaseModel] | None = None
    media: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """A header that may come along.

    Attributes:
        name: Its name.
        text: What it is for.
        schema: What it looks like.
    """

    name: str
    text: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        method: HTTP's.
        path: With its parameters in braces.
        do: Answers a call.
        text: One line: what it does.
        scope: What a token needs for it; None: no token is asked for.
        more: Further lines.
        body: Form of the JSON it takes; None: none.
        optional: Whether the body may be missing.
        raw: What it takes instead of JSON; empty: nothing.
        query: Form of its query.
        headers: Headers that mean something to it.
        answers: Status -> what it means; those of errors come from ``errors``.
        errors: Statuses of errors.
    """

    method: str
    path: str
    do: Callable[[Call], Awaitable[Response]]
    text: str
    answers: Mapping[int, Answer]
    scope: Scope | None = None
    more: str = ""
    body: type[BaseModel] | None = None
    optional: bool = False
    raw: str = ""
    query: type[BaseModel] = Empty
    headers: tuple[Header, ...] = ()
    errors: tuple[int, ...] = ()

    async def serve(self, request: Request, service: Service) -> Response:
        """Answer a request, whatever happens."""
        began = time.monotonic()
        try:
            response = await self._answer(request, service)
        except (ClientGone, ClientDisconnect):
            response = Response(status_code=_CLIENT_GONE)
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                log.exception("%s %s failed", self.method, self.path)
                problem = internal()
            response = problem.response()
        seconds = time.monotonic() - began
        service.metrics.count_request(self.method, self.path, response.status_code, seconds)
        return response

    async def _answer(self, request: Request, service: Service) -> Response:
        call = Call(request, service, service.owner(request, self.scope))
        call.query = _check(self.query, dict(request.query_params))
        if self.body is not None:
            call.body = await read_json(request, self.body, service.settings, self.optional)
        return await self.do(call)


def _check(form: type[BaseModel], data: dict[str, str]) -> BaseModel:
    try:
        return form.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Problem(422, "bad_request", f"query parameter {where}: {first['msg']}") from None


def as_json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return plain data as a response."""
    return Response(
        dump_json(data),
        status,
        None if headers is None else dict(headers),
        media_type="application/json",
    )
