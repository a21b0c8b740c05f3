"""Running the app with uvicorn, from the first socket to the last kernel.

Place in the house: top of ``server``; ``py-code-mode serve`` calls it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette

from py_code_mode.errors import CodeModeError, ConfigError
from py_code_mode.server.access import is_loopback
from py_code_mode.server.app import create_app
from py_code_mode.server.connections import protocol
from py_code_mode.server.service import Service
from py_code_mode.server.settings import ServerSettings

__all__ = ["serve"]

log = logging.getLogger(__name__)

_FILES = 512
_FILES_EACH = 16
"""Open files of the server, its connections included, and of each session (measured: 11)."""

_MARGIN = 15.0
"""Seconds beyond ``shutdown_seconds`` that responses have to be sent."""


Announce = Callable[[str, Mapping[str, Any]], None]
"""Is told what there is to tell, in words, and what a program wants of it."""


def serve(settings: ServerSettings, announce: Announce) -> None:
    """Serve until SIGTERM or SIGINT; nothing is left behind.

    Args:
        settings: All of them.
        announce: Is told what there is to tell, last of all the ``url``.

    Raises:
        ConfigError: It may not, or cannot, listen where it should.
        CodeModeError: Something it needs cannot be opened.
    """
    _allow_files(settings)
    app = create_app(settings=settings)
    service: Service = app.state.service
    _check_open(settings, service, announce)
    with _listening(settings) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{port}"
        server = _Server(app, settings, lambda: announce(f"listening on {url}", {"url": url}))
        with _quiet_signals():
            server.run(sockets=[listener])
        if server.failure is not None:
            raise server.failure


def _allow_files(settings: ServerSettings) -> None:
    """Raise the limit of open files as far as the sessions need it: 1,024 end at some 90."""
    needed = _FILES + _FILES_EACH * settings.max_sessions
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < needed:
        log.warning(
            "%d files may be open, and %d sessions need %d: raise the limit (ulimit -n), or set "
            "max_sessions to less",
            possible,
            settings.max_sessions,
            needed,
        )


def _check_open(settings: ServerSettings, service: Service, announce: Announce) -> None:
    if not service.access.open:
        return
    if not is_loopback(settings.host):
        if settings.allow_anonymous == "no":
            raise ConfigError(
                f"without a token it listens on this machine only (127.0.0.1), not on "
                f"{settings.host}: set a token, or allow_anonymous",
                key="server.host",
            )
        whoever = f"whoever reaches {settings.host}"
        if settings.allow_anonymous == "container":
            whoever = "every program on the machine of this container, and maybe its neighbours,"
        warning = f"WARNING: no token is set: {whoever} can run code here. Set PY_CODE_MODE_TOKEN"
        announce(warning, {"token": False})
    else:
        announce(
            "no token is set: every program on this machine can run code here", {"token": False}
        )


class _Server(uvicorn.Server):
    """uvicorn that lets cells end before it closes connections.

    Attributes:
        failure: Why it could not start, or None.
    """

    def __init__(self, app: Starlette, settings: ServerSettings, ready: Callable[[], None]) -> None:
        self._service: Service = app.state.service
        self._ready = ready
        self.failure: Exception | None = None
        config = uvicorn.Config(
            app,
            http=protocol(settings.transfer_seconds),
            timeout_keep_alive=75,  # longer than clients keep a connection they do not use
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(settings.shutdown_seconds + _MARGIN),
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        try:
            # Before uvicorn, which would show a wrong setting as a traceback.
            await self._service.start()
        except CodeModeError as error:
            self.failure, self.should_exit = error, True
            return
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: runs have their time to end, then they are interrupted."""
        draining = asyncio.create_task(self._service.drain())
        await super().shutdown(sockets)
        draining.cancel()
        await asyncio.wait({draining})


@contextlib.contextmanager
def _listening(settings: ServerSettings) -> Iterator[socket.socket]:
    """Open the port before anything else, so that a taken one costs no kernel."""
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{settings.host}: {error.strerror}", key="server.host") from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            where = f"{settings.host}, port {settings.port}"
            raise ConfigError(f"cannot listen on {where}: {error.strerror}") from error
        yield listener


@contextlib.contextmanager
def _quiet_signals() -> Iterator[None]:
    """Let a signal that uvicorn raises again, when all is done, end nothing."""

    def done(_number: int, _frame: FrameType | None) -> None:
        return

    numbers = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.signal(number, done) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
