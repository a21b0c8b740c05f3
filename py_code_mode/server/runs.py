"""Running cells for clients: how many at once, and what becomes of a client that goes away.

Place in the house: inside ``server``, above ``sessions``; routes and streams run cells with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from starlette.types import Receive

from py_code_mode.results import ExecutionResult
from py_code_mode.server.metrics import Metrics
from py_code_mode.server.problems import Problem, too_many
from py_code_mode.server.served import Served
from py_code_mode.server.settings import ServerSettings

__all__ = ["ClientGone", "Runs", "while_connected"]

T = TypeVar("T")


class ClientGone(Exception):  # noqa: N818 - nobody is there who could call it an error
    """Whoever asked has closed the connection."""


class Runs:
    """The runs under way.

    Args:
        settings: The server's.
        metrics: Counts them.
    """

    def __init__(self, settings: ServerSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._now: list[Served] = []
        self._fewer = asyncio.Event()

    @contextlib.contextmanager
    def one(self, served: Served) -> Iterator[None]:
        """Count one run of a session.

        Raises:
            Problem: There are too many.
        """
        if len(self._now) >= self._settings.max_runs:
            self._metrics.refused.labels("runs").inc()
            raise too_many(f"{self._settings.max_runs} runs are under way, the most allowed", 1.0)
        self._now.append(served)
        self._metrics.running.inc()
        served.running += 1
        try:
            with served.busy():
                yield
        finally:
            served.running -= 1
            self._now.remove(served)
            self._metrics.running.dec()
            self._fewer.set()

    def limit(self, timeout: float | None) -> float | None:
        """Return the seconds a run may take.

        Raises:
            Problem: It asks for more than is allowed.
        """
        most = self._settings.max_timeout
        if timeout is not None and timeout > most:
            raise Problem(422, "bad_request", f"timeout: at most {most:g} seconds are allowed")
        return timeout

    async def run(self, served: Served, code: str, timeout: float | None) -> ExecutionResult:
        """Run a cell and count it.

        Raises:
            Problem: There are too many runs.
            CodeModeError: As ``Session.run``.
        """
        limit = self.limit(timeout)
        with self.one(served):
            try:
                result = await served.session.run(code, timeout=limit)
            except Exception:
                self._metrics.count_failure()
                raise
            self.ended(served, result)
            return result

    def ended(self, served: Served, result: ExecutionResult) -> None:
        """Take note of a result."""
        served.up = True
        served.execution_count = result.execution_count or served.execution_count
        self._metrics.count_run(result)

    async def drain(self, seconds: float) -> None:
        """Wait until no run is under way; interrupt those that take longer than ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none()
        for _ in range(2):
            # One cell of a session may have waited behind another.
            for served in {*self._now}:
                await served.session.interrupt()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await self._none()

    async def _none(self) -> None:
        while self._now:
            self._fewer.clear()
            await self._fewer.wait()


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do something for a client, as long as it is there.

    Args:
        receive: Tells of the client, whose request has been read.
        work: What to do; cancelled when the client goes away.

    Raises:
        ClientGone: It did.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.wait({task, gone})
        if not task.cancelled():
            task.exception()  # seen: nobody is there to hear of it


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
