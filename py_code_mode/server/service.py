"""The parts of one server, from its start to its end.

Place in the house: inside ``server``, above everything that does the work; routes get it with each
call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from starlette.requests import Request

from py_code_mode.errors import CodeModeError
from py_code_mode.executor import CodeExecutor
from py_code_mode.server.access import ANYBODY, Access, Owner
from py_code_mode.server.executors import Executors
from py_code_mode.server.ledger import Ledger
from py_code_mode.server.metrics import Metrics
from py_code_mode.server.problems import Problem
from py_code_mode.server.runs import Runs
from py_code_mode.server.sessions import SessionTable
from py_code_mode.server.settings import Scope, ServerSettings

__all__ = ["Service"]

log = logging.getLogger(__name__)

_PROBE = "first-kernel"
_PROBE_EVERY = 5.0
_STORE_SECONDS = 5.0


class Service:
    """What the requests of one server share.

    Args:
        settings: The server's.
        executor: What sessions are made of; None: one is made as the settings say.

    Attributes:
        draining: Whether it takes no more work, because it is about to end.
        executors: There once it has started, as are ``runs`` and ``sessions``.
        document: The OpenAPI document.
        page: The same for people.

    Raises:
        ConfigError: The tokens in the settings cannot be used.
    """

    executors: Executors
    runs: Runs
    sessions: SessionTable

    def __init__(self, settings: ServerSettings, executor: CodeExecutor | None = None) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.access = Access(settings)
        self.draining = False
        self.document: dict[str, Any] = {}
        self.page = ""
        self._executor = executor
        self._kernel_problem: str | None = "the first kernel is starting"
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open what is needed, and begin to start a first kernel.

        Raises:
            CodeModeError: Something of it cannot be opened.
        """
        if self._executor is None:
            executors = await Executors.of_settings(self.settings)
        else:
            executors = Executors(self._executor)
        executors.check(self.access.owners)
        self.executors = executors
        try:
            ledger = await asyncio.to_thread(Ledger.opened, self.settings)
        except BaseException:
            await executors.close()
            raise
        self.runs = Runs(self.settings, self.metrics)
        self.sessions = SessionTable(self.settings, executors, ledger, self.metrics)
        self._tasks = [
            asyncio.create_task(self._cull(), name="end idle sessions"),
            asyncio.create_task(self._probe(), name="start a first kernel"),
        ]

    def owner(self, request: Request, scope: Scope | None) -> Owner:
        """Return whom a request's token stands for.

        Raises:
            Problem: The server is about to end, or the token is not there, or not enough.
        """
        if scope is None:
            return ANYBODY
        owner = self.access.owner(request.headers)
        self.access.check_scope(owner, scope)
        if self.draining and scope != "metrics":
            raise Problem(503, "shutting_down", "this server is about to end", {"Retry-After": "5"})
        return owner

    async def problems(self) -> list[str]:
        """Say why it cannot take work; empty: it can."""
        reasons = [] if self._kernel_problem is None else [self._kernel_problem]
        if self.draining:
            reasons.append("the server is about to end")
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await asyncio.to_thread(self.executors.artifacts.exists, "ready")
        except (CodeModeError, TimeoutError) as error:
            log.warning("the artifacts cannot be read: %s", error)
            reasons.append("the artifacts cannot be read")
        return reasons

    async def drain(self) -> None:
        """Take no more work; let runs end, and interrupt those that do not."""
        self.draining = True
        await self.runs.drain(self.settings.shutdown_seconds)

    async def close(self) -> None:
        """End all sessions and everything that was started for them."""
        self.draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sessions.close()
        await self.executors.close()

    async def _cull(self) -> None:
        seconds = self.settings.idle_seconds
        while seconds:
            await asyncio.sleep(min(15.0, max(0.05, seconds / 4)))
            try:
                await self.sessions.cull()
            except Exception:
                log.exception("idle sessions could not be ended")

    async def _probe(self) -> None:
        """Start a kernel for nobody: the first one takes longest, and may not come up at all."""
        executor = self.executors.of(self.access.owners[0])
        while self._kernel_problem is not None:
            session = await executor.session(_PROBE)
            try:
                await session.start()
                self._kernel_problem = None
            except CodeModeError as error:
                log.warning("no kernel can be started: %s", error)
                self._kernel_problem = "no kernel can be started"
            finally:
                with contextlib.suppress(CodeModeError):
                    await session.aclose()
            if self._kernel_problem is not None:
                await asyncio.sleep(_PROBE_EVERY)
