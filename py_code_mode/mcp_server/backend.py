"""What the server serves: one executor, made behind the first answers, and the clients' sessions.

Place in the house: inside ``mcp_server``, below the handlers; knows of MCP no more than what tells
one client from another.

=====================  ==========================================================================
client                 its session
=====================  ==========================================================================
stdio                  the executor's default session: one process, one client
HTTP, ``initialize``   one for its MCP session; it ends when that does (DELETE, or idle)
HTTP, 2026-07-28       that version knows no connections: the first run makes a session and returns
                       its handle, which the client gives from then on; it ends when it is idle
=====================  ==========================================================================
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from py_code_mode.errors import CodeModeError, SessionClosed
from py_code_mode.executor import CodeExecutor
from py_code_mode.session import Session

__all__ = ["Backend", "Context", "MakeExecutor", "takes_handles"]

MakeExecutor = Callable[[], Awaitable[CodeExecutor]]

_KEY = "py-code-mode"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    """A session that is reached by a handle."""

    session: Session
    used: float = field(default_factory=time.monotonic)
    running: int = 0


class Backend:
    """Sessions of one executor, each reached by the client it belongs to.

    Args:
        make_executor: Makes the executor; called once, at once, and not waited for.
        idle_timeout: Seconds after which a session that is reached by a handle ends.
        max_sessions: How many sessions there may be at a time.
        is_single: Whether there is one client, whose session is made ready before it asks.
        max_tokens: What an answer may have, for a model.
    """

    def __init__(
        self,
        make_executor: MakeExecutor,
        *,
        idle_timeout: float = 1800.0,
        max_sessions: int = 100,
        is_single: bool = False,
        max_tokens: int = 10_000,
    ) -> None:
        self.max_tokens = max_tokens
        self._make = make_executor
        self._idle, self._max, self._is_single = idle_timeout, max_sessions, is_single
        self._making: asyncio.Task[CodeExecutor] | None = None
        self._others: list[asyncio.Task[None]] = []
        self._kept: dict[str, _Kept] = {}
        self._warming: Session | None = None
        self.failure: CodeModeError | None = None

    async def __aenter__(self) -> Self:
        self._making = asyncio.create_task(self._made())
        self._others = [asyncio.create_task(self._sweep()), asyncio.create_task(self._warm())]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._making is not None
        self._making.cancel()
        with suppress(asyncio.CancelledError, CodeModeError, OSError):
            # First: a kernel that is just being started is then given up in good order.
            await (await self._making).aclose()
        for task in self._others:
            task.cancel()
        await asyncio.gather(*self._others, return_exceptions=True)

    async def _made(self) -> CodeExecutor:
        try:
            return await self._make()
        except CodeModeError as error:
            self.failure = error
            log.error("%s", error)  # noqa: TRY400 - it is the user's, who needs no traceback
            raise

    async def executor(self) -> CodeExecutor:
        """Return the executor when it is there.

        Raises:
            MCPError: It could not be made; the message says why.
        """
        assert self._making is not None
        try:
            return await asyncio.shield(self._making)
        except CodeModeError as error:
            raise MCPError(INTERNAL_ERROR, f"the server cannot start: {error}") from error

    async def executor_soon(self, seconds: float = 2.0) -> CodeExecutor | None:
        """Return the executor if it is there soon: servers it takes tools from may be slow.

        Raises:
            MCPError: It could not be made; the message says why.
        """
        assert self._making is not None
        done, _ = await asyncio.wait({self._making}, timeout=seconds)
        return await self.executor() if done else None

    async def _warm(self) -> None:
        """Do what the first calls would wait for; what fails here is told when it fails there."""
        with suppress(CodeModeError, MCPError):
            executor = await self.executor()
            session = executor.default if self._is_single else await executor.session()
            self._warming = session
            await session.start()
            if not self._is_single:  # what it leaves is a template, and kernels kept ready
                await session.aclose()
            await asyncio.to_thread(executor.registry.search, "warm")
            await asyncio.to_thread(executor.skill_library.search, "warm")

    async def session(self, ctx: Context, handle: str | None = None) -> tuple[Session, str]:
        """Return the session a call is for.

        Args:
            ctx: The call's.
            handle: What the client gave as ``session``.

        Returns:
            The session, and its handle; empty where sessions have none.

        Raises:
            SessionClosed: There is no session of that handle.
            CodeModeError: There are too many sessions.
        """
        executor = await self.executor()
        if ctx.request is None:
            return executor.default, ""
        if takes_handles(ctx):
            return await self._by_handle(executor, handle)
        if handle is not None:
            raise CodeModeError("this connection has a session of its own: leave `session` out")
        return await self._of_connection(executor, ctx), ""

    async def _of_connection(self, executor: CodeExecutor, ctx: Context) -> Session:
        # The SDK documents state and exit stack of a connection as meant for handlers, but its
        # context for handlers does not show the connection yet.
        connection = ctx.session._connection
        session: Session | None = connection.state.get(_KEY)
        if session is None:
            await self._check_room(executor)
            session = connection.state[_KEY] = await executor.session()
            stack: AsyncExitStack = connection.exit_stack
            stack.push_async_callback(session.aclose)
        return session

    async def _by_handle(self, executor: CodeExecutor, handle: str | None) -> tuple[Session, str]:
        if handle is None:
            await self._check_room(executor)
            handle = secrets.token_urlsafe(16)
            self._kept[handle] = _Kept(await executor.session(handle))
        kept = self._kept.get(handle)
        if kept is None:
            raise SessionClosed(
                f"there is no session {handle[:40]!r}: it ended, or the server was started anew, "
                "and its variables are gone; leave `session` out to begin a new one"
            )
        kept.used = time.monotonic()
        return kept.session, handle

    async def _check_room(self, executor: CodeExecutor) -> None:
        others = [each for each in await executor.sessions() if each is not self._warming]
        if len(others) >= self._max:
            raise CodeModeError(
                f"there are {self._max} sessions, and no more are allowed (--max-sessions); "
                "try again when one has ended"
            )

    def using(self, handle: str) -> _Using:
        """Keep a session from ending while it is used."""
        return _Using(self._kept.get(handle))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(self._idle / 4, 60.0))
            before = time.monotonic() - self._idle
            for handle, kept in [*self._kept.items()]:
                if not kept.running and kept.used < before:
                    del self._kept[handle]
                    await kept.session.aclose()


class _Using:
    """What ``Backend.using`` returns, for a ``with``."""

    def __init__(self, kept: _Kept | None) -> None:
        self._kept = kept

    def __enter__(self) -> None:
        if self._kept is not None:
            self._kept.running += 1

    def __exit__(self, *exc_info: object) -> None:
        if self._kept is not None:
            self._kept.running -= 1
            self._kept.used = time.monotonic()


Context = ServerRequestContext[Backend, Any]
"""What every handler gets."""


def takes_handles(ctx: Context) -> bool:
    """Whether this client's sessions are reached by handles."""
    return ctx.request is not None and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
