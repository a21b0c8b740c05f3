"""``SessionClient``: code runs on a session server as it runs in a ``CodeExecutor``.

Place in the house: top of ``container``; what a program constructs.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from py_code_mode.container.artifacts import RemoteArtifacts
from py_code_mode.container.connection import PATIENCE, Connection
from py_code_mode.container.session import RemoteSession
from py_code_mode.errors import RemoteError, SessionClosed
from py_code_mode.events import Event
from py_code_mode.jsonform import read_fields
from py_code_mode.peek import Peek
from py_code_mode.results import ExecutionResult, Variable

if TYPE_CHECKING:
    import httpx
    from nbformat import NotebookNode

    from py_code_mode.executor import CodeExecutor
    from py_code_mode.runner import Runner, SessionHost
    from py_code_mode.session import Session

__all__ = ["SessionClient"]

MAX_BYTES = 256 * 1024 * 1024


class SessionClient:
    """Runs an agent's code on a session server.

    It has a default session, whose methods it repeats; ``session()`` makes further ones. Use it
    as an async context manager, or call ``aclose()`` when done: the sessions it made end with it.

    Args:
        base_url: Where the server is, e.g. ``http://localhost:8080``.
        token: The server's bearer token, if it asks for one.
        session: Id of the session that is to be the default one, which then outlives the client;
            None: one of its own, made when it is first needed.
        keep: Whether the sessions it makes outlive it, too.
        patience: Seconds without a sign of life after which the server is given up. Code may
            take as long as its own time limit allows: while it runs, the server gives signs.
        max_bytes: The largest answer, or event, that is taken.
        http: An httpx client to send requests with, e.g. for certificates of your own or a
            proxy; it stays open. Those of the environment are not used otherwise.

    Attributes:
        artifacts: The server's artifacts.

    Raises:
        ConfigError: The url or the token cannot be one.
        SessionNotFound: The session's id cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        session: str | None = None,
        *,
        keep: bool = False,
        patience: float = PATIENCE,
        max_bytes: int = MAX_BYTES,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._closed = True  # until everything below has been made
        self._connection = Connection(
            base_url, token, max_bytes=max_bytes, patience=patience, http=http
        )
        self._keep = keep
        self.default = RemoteSession(self._connection, session, owned=session is None and not keep)
        self.artifacts = RemoteArtifacts(self._connection)
        self._sessions: list[RemoteSession] = [self.default]
        self._closed = False

    # --- sessions ------------------------------------------------------------------------------

    async def session(self, name: str | None = None) -> RemoteSession:
        """Return the session of that name, made if there is none; None makes a new one.

        Sessions share tools, skills and artifacts, and nothing else.

        Raises:
            ServerBusy: The server has as many as it may have.
            KernelStartError: No kernel could be started there.
        """
        self._check_open()
        data = await self._connection.ask(
            "POST", "/sessions", data={} if name is None else {"name": name}, waits=True
        )
        return self._known(data, owned=not self._keep)

    async def sessions(self) -> list[RemoteSession]:
        """List the open sessions of this token; closing those made elsewhere leaves them there."""
        self._check_open()
        data = await self._connection.ask("GET", "/sessions")
        with self._connection.checking():
            found = read_fields("the answer", data, sessions=list)["sessions"]
        return [self._known(each, owned=False) for each in found]

    def _known(self, data: Any, *, owned: bool) -> RemoteSession:
        session = RemoteSession.of(self._connection, data, owned=owned)
        for known in self._sessions:
            if known.id == session.id and not known.closed:
                return known
        self._sessions = [each for each in self._sessions if not each.closed]
        self._sessions.append(session)
        return session

    async def fork(self, name: str | None = None) -> RemoteSession:
        """Branch the default session; see ``RemoteSession.fork``."""
        branch = await self.default.fork(name)
        self._sessions.append(branch)
        return branch

    # --- the default session -------------------------------------------------------------------

    async def start(self) -> None:
        """Start the default session's kernel now; see ``RemoteSession.start``."""
        await self.default.start()

    async def run(self, code: str, *, timeout: float | None = None) -> ExecutionResult:
        """Run code in the default session; see ``RemoteSession.run``."""
        return await self.default.run(code, timeout=timeout)

    execute = run

    def stream(self, code: str, *, timeout: float | None = None) -> AsyncIterator[Event]:
        """Run code in the default session and yield its events; see ``RemoteSession.stream``."""
        return self.default.stream(code, timeout=timeout)

    async def interrupt(self) -> None:
        """Break the default session's running cell; see ``RemoteSession.interrupt``."""
        await self.default.interrupt()

    async def peek(self) -> Peek:
        """Look at the default session's running cell; see ``RemoteSession.peek``."""
        return await self.default.peek()

    async def reset(self) -> None:
        """Replace the default session's kernel; see ``RemoteSession.reset``."""
        await self.default.reset()

    async def variables(self) -> list[Variable]:
        """List the default session's variables; see ``RemoteSession.variables``."""
        return await self.default.variables()

    async def get_variable(self, name: str) -> Any:
        """Return a variable of the default session; see ``RemoteSession.get_variable``."""
        return await self.default.get_variable(name)

    async def set_variable(self, name: str, value: Any) -> None:
        """Give a variable of the default session a value; see ``RemoteSession.set_variable``."""
        await self.default.set_variable(name, value)

    async def transcript(self) -> NotebookNode:
        """Return the default session's cells as a notebook; see ``RemoteSession.transcript``."""
        return await self.default.transcript()

    async def export_notebook(self, path: str | Path) -> Path:
        """Write the default session's notebook; see ``RemoteSession.export_notebook``."""
        return await self.default.export_notebook(path)

    # --- what the code has ---------------------------------------------------------------------

    async def list_tools(self) -> list[dict[str, Any]]:
        """Return the tools the code has: ``name``, ``description``, ``params``, ..."""
        return await self._listed("/tools", "tools")

    async def search_tools(self, query: str) -> list[dict[str, Any]]:
        """Return the tools that match plain words, best first."""
        return await self._listed("/tools", "tools", search=query)

    async def list_skills(self) -> list[dict[str, Any]]:
        """Return the skills the code has: ``name``, ``description``, ``params``, ..."""
        return await self._listed("/skills", "skills")

    async def search_skills(self, query: str, limit: int = 5) -> list[dict[str, Any]]:
        """Return the skills that match plain words, best first."""
        return await self._listed("/skills/search", "skills", q=query, limit=limit)

    async def _listed(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        self._check_open()
        data = await self._connection.ask("GET", path, params=params)
        with self._connection.checking():
            found: list[dict[str, Any]] = read_fields("the answer", data, **{key: list})[key]
            for each in found:
                read_fields(key, each, name=str, description=str)
        return found

    # --- the end -------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise SessionClosed("the client is closed")

    async def aclose(self) -> None:
        """End the sessions it made and the connections; closing twice is fine.

        A server that is gone keeps nobody waiting: its sessions are gone with it, or are culled.
        """
        if self._closed:
            return
        self._closed = True
        try:
            ended = await asyncio.gather(
                *(session.aclose() for session in self._sessions), return_exceptions=True
            )
            for each in ended:
                if isinstance(each, BaseException) and not isinstance(each, RemoteError):
                    raise each
        finally:
            await self._connection.aclose()

    close = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            warnings.warn(
                "a SessionClient was not closed: use `async with` or `await client.aclose()`",
                ResourceWarning,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<SessionClient {self._connection.url}{state}>"


if TYPE_CHECKING:

    def _can_take_either(
        executor: CodeExecutor, session: Session, client: SessionClient, remote: RemoteSession
    ) -> tuple[SessionHost, Runner, SessionHost, Runner]:
        """Mypy checks here that code which takes a runner can take any of these."""
        return executor, session, client, remote
