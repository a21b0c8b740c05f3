"""Streamable HTTP.

Place in the house: inside ``mcp_server``, beside ``server``. Whoever reaches it runs code on this
machine: without a token it listens on loopback only.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
import sys
from contextlib import nullcontext
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from py_code_mode.errors import ConfigError
from py_code_mode.mcp_server.options import Options
from py_code_mode.mcp_server.server import create_server, executor_of

__all__ = ["serve_http"]

_PATH = "/mcp"
_GRACE = 5
"""Seconds that answers have to end when the server does."""


async def serve_http(options: Options) -> int:
    """Serve clients until told to end.

    Returns:
        0.

    Raises:
        ConfigError: It may not listen there without a token, or cannot.
        CodeModeError: The executor could not be made.
    """
    if not options.token and not _is_loopback(options.host):
        raise ConfigError(
            f"--host {options.host} lets other machines run code here: set a token in "
            "PY_CODE_MODE_MCP_TOKEN, or listen on 127.0.0.1"
        )
    executor = await executor_of(options, warm=1)()

    async def ready() -> Any:
        return executor

    try:
        server = create_server(
            ready, idle_timeout=options.idle_timeout, max_sessions=options.max_sessions
        )
        app: ASGIApp = server.streamable_http_app(
            streamable_http_path=_PATH,
            host=options.host,
            session_idle_timeout=options.idle_timeout,
            # One that only asks what there is has no kernel, and costs little.
            max_sessions=options.max_sessions * 10,
        )
        if options.token:
            app = _WithToken(app, options.token)
        await _listen(app, options)
        return 0
    finally:
        await executor.aclose()


async def _listen(app: ASGIApp, options: Options) -> None:
    try:
        listening = socket.create_server(
            (options.host, options.port), family=_family(options.host), backlog=2048
        )
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {options.host}:{options.port}: {error.strerror or error}"
        ) from error
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment] # main has them
    host = f"[{options.host}]" if ":" in options.host else options.host
    sys.stderr.write(f"py-code-mode-mcp: http://{host}:{listening.getsockname()[1]}{_PATH}\n")
    sys.stderr.flush()
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
