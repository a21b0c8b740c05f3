"""The app: tables of operations behind one door.

Place in the house: top of ``server``, below ``serving``.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from py_code_mode.executor import CodeExecutor
from py_code_mode.server import about_routes, artifact_routes, run_routes, session_routes
from py_code_mode.server.door import Door
from py_code_mode.server.openapi import openapi
from py_code_mode.server.operations import Answer, Call, Operation, as_json
from py_code_mode.server.page import page
from py_code_mode.server.problems import Problem
from py_code_mode.server.service import Service
from py_code_mode.server.settings import ServerSettings, load_settings

__all__ = ["create_app"]

_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

_KINDS = {404: "not_found", 405: "method_not_allowed"}


def create_app(
    executor: CodeExecutor | None = None,
    *,
    settings: ServerSettings | None = None,
    **options: Any,
) -> Starlette:
    """Make the session server as an ASGI app.

    Sessions begin and end with the app's lifespan. ``py-code-mode serve`` runs it with uvicorn;
    any ASGI server of one process does.

    Args:
        executor: What sessions are made of; it stays open when the app ends. None: one is made
            of the settings ``tools``, ``skills``, ``artifacts`` and so on.
        settings: All settings; None: read from environment and ``py-code-mode.toml``.
        **options: Single settings, which go before those.

    Raises:
        ConfigError: A setting is wrong.
    """
    if settings is None:
        settings = load_settings(**options)
    elif options:
        raise TypeError("give settings or single options, not both")
    service = Service(settings, executor)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.close()

    app = Starlette(
        routes=_routes(service),
        middleware=[Middleware(Door, access=service.access, settings=settings)],
        exception_handlers={HTTPException: _refused},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


def _routes(service: Service) -> list[Route]:
    operations = (
        *session_routes.OPERATIONS,
        *run_routes.OPERATIONS,
        *artifact_routes.OPERATIONS,
        *about_routes.OPERATIONS,
        *_documents(),
    )
    document = openapi(operations)
    service.document, service.page = document, page(document)
    paths: dict[str, dict[str, Operation]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method] = each
    return [
        Route(
            path.replace("/artifacts/{name}", "/artifacts/{name:path}"),
            _endpoint(methods, service),
            methods=[*methods],
        )
        for path, methods in paths.items()
    ]


def _endpoint(
    methods: dict[str, Operation], service: Service
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        # A GET that is asked for its head alone is done all the same; the server sends no body.
        operation = methods.get(request.method) or methods["GET"]
        return await operation.serve(request, service)

    return endpoint


def _documents() -> Sequence[Operation]:
    async def document(call: Call) -> Response:
        return as_json(call.service.document)

    async def docs(call: Call) -> Response:
        return HTMLResponse(call.service.page, headers={"Content-Security-Policy": _PAGE_POLICY})

    return (
        Operation(
            "GET",
            "/openapi.json",
            document,
            "Get this description as data",
            {200: Answer("OpenAPI 3.1.", media="application/json")},
            errors=(422,),
        ),
        Operation(
            "GET",
            "/docs",
            docs,
            "Get this description as a page",
            {200: Answer("HTML.", media="text/html")},
            errors=(422,),
        ),
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    message = {
        404: "there is nothing at this path; /docs shows what there is",
        405: "this path does not take this method; the header Allow says which it takes",
    }.get(status, str(error.detail))
    kind = _KINDS.get(status, "bad_request")
    return Problem(status, kind, message, dict(error.headers or {})).response()
