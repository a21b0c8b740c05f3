"""Streamable HTTP.

Place in the house: inside ``mcp_server``, beside ``server``. Whoever reaches it runs code on this
machine: without a token it listens on loopback only.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
from contextlib import nullcontext

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from py_code_mode.errors import ConfigError
from py_code_mode.executor import CodeExecutor
from py_code_mode.mcp_server.options import Options
from py_code_mode.mcp_server.server import create_server, executor_of

__all__ = ["serve_http"]

log = logging.getLogger(__name__)

_PATH = "/mcp"
_GRACE = 2
"""Seconds that answers have to end when the server does."""


async def serve_http(options: Options) -> int:
    """Serve clients until told to end.

    Returns:
        0.

    Raises:
        ConfigError: It cannot listen there.
        CodeModeError: The executor could not be made.
    """
    with _bind(options) as listening:
        executor = await executor_of(options, warm=1)()
        try:
            await _listen(_app(options, executor), listening, executor)
        finally:
            await executor.aclose()
    return 0


def _app(options: Options, executor: CodeExecutor) -> ASGIApp:
    async def ready() -> CodeExecutor:
        return executor

    server = create_server(
        ready,
        idle_timeout=options.idle_timeout,
        max_sessions=options.max_sessions,
        max_tokens=options.max_tokens,
    )
    app: ASGIApp = server.streamable_http_app(
        streamable_http_path=_PATH,
        host=options.host,
        session_idle_timeout=options.idle_timeout,
        # One that only asks what there is has no kernel, and costs little.
        max_sessions=options.max_sessions * 10,
    )
    return _WithToken(app, options.token) if options.token else app


def _bind(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {options.host}:{options.port}: {error.strerror or error}"
        ) from error


async def _listen(app: ASGIApp, listening: socket.socket, executor: CodeExecutor) -> None:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment] # main has them
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}{_PATH}"
    log.info("%s", url, extra={"facts": {"url": url}})
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        # Cells that run end with an error that their clients still get.
        for session in await executor.sessions():
            await session.interrupt()
        server.should_exit = True
        await serving
        raise


class _WithToken:
    """Lets only those in who show the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [value for name, value in scope["headers"] if name == b"authorization"]
            if len(headers) != 1 or not hmac.compare_digest(headers[0], self._wanted):
                await _unauthorized(send)
                return
        await self._app(scope, receive, send)


async def _unauthorized(send: Send) -> None:
    headers = [(b"www-authenticate", b"Bearer"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"error": "a bearer token is needed"}'})
