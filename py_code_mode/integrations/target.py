"""Where a tool runs its code: an executor of this process, or a session of a session server.

Place in the house: beside the integrations that take either.
"""

from __future__ import annotations

import asyncio

from py_code_mode.errors import ConfigError, SessionLost
from py_code_mode.results import ExecutionResult
from py_code_mode.runner import Runner, SessionHost

__all__ = ["Target"]


class Target:
    """One session, reached on first use, and given back with ``aclose``.

    Args:
        executor: What runs the code: a ``CodeExecutor``, a ``Session`` or a ``SessionClient``.
        session_url: Or the address of a session server.
        token: The server's bearer token.
        timeout: Seconds a run may take; None takes the default of the executor or server.
        session_id: The session to use: a name of the executor's, an id of the server's. None:
            the executor's default session; on a server a new one, which ``aclose`` ends.

    Raises:
        ConfigError: Neither or both of ``executor`` and ``session_url`` are given, or something
            that goes only with the other one.
    """

    def __init__(
        self,
        executor: Runner | None,
        session_url: str | None,
        token: str | None,
        timeout: float | None,
        session_id: str | None,
    ) -> None:
        if (executor is None) == (session_url is None):
            given = "both" if executor is not None else "neither"
            raise ConfigError(f"give either executor= or session_url=, exactly one; got {given}")
        if token is not None and session_url is None:
            raise ConfigError("token= goes with session_url=: an executor needs none")
        if session_id is not None and not (session_url or isinstance(executor, SessionHost)):
            raise ConfigError(
                "session_id= goes with session_url=, a CodeExecutor or a SessionClient: "
                f"a {type(executor).__name__} is one session already"
            )
        self._executor = executor
        self._server = (session_url, token)
        self._timeout = timeout
        self._session_id = session_id
        self._opened: Runner | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> Runner:
        """Return the session, reached if it was not yet.

        Raises:
            CodeModeError: It cannot be reached.
        """
        async with self._opening:
            if self._opened is None:
                self._opened = await self._open()
            return self._opened

    async def _open(self) -> Runner:
        if self._executor is None:
            from py_code_mode.container import SessionClient

            url, token = self._server
            assert url is not None
            return SessionClient(url, token, self._session_id)
        if self._session_id is None:
            return self._executor
        assert isinstance(self._executor, SessionHost)
        return await self._executor.session(self._session_id)

    async def run(self, code: str) -> ExecutionResult:
        """Run code; see ``Session.run``.

        Raises:
            SessionLost: The server has lost the session. If it was made here, a new one was
                begun, without variables; the code was not run in it.
        """
        opened = await self.open()
        try:
            return await opened.run(code, timeout=self._timeout)
        except SessionLost as error:
            if self._executor is not None or self._session_id is not None:
                raise
            await opened.reset()
            raise SessionLost(
                f"{error}. A new session was begun: all variables are gone, and this code was not "
                "run"
            ) from error

    async def reset(self) -> None:
        """Replace the session's kernel; see ``Session.reset``."""
        await (await self.open()).reset()

    async def aclose(self) -> None:
        """Give back what was opened here; an executor that was handed in stays open."""
        opened, self._opened = self._opened, None
        if opened is not None and self._executor is None:
            await opened.aclose()
