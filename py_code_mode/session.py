"""A session: an isolated namespace in which one cell runs after another.

Place in the house: executor layer, above ``slot`` and ``calls``. Turns time limits, interrupts
and the death of a kernel into results.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.messages import Query
from py_code_mode.calls import SessionCalls, ancestry
from py_code_mode.errors import CodeModeError, KernelDied, KernelError, SessionClosed
from py_code_mode.events import Event, Finished
from py_code_mode.notebook import Notebook
from py_code_mode.results import ErrorInfo, ExecutionResult, Variable
from py_code_mode.settings import SessionSettings
from py_code_mode.slot import KernelSlot
from py_code_mode.values import read_variable

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from py_code_mode.kernel.execution import Execution
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["Session"]

Emit = Callable[[Event], None]


@dataclass(slots=True)
class _Run:
    """One call of ``run`` on its way.

    Attributes:
        code: What to run.
        limit: Seconds it may take, or None.
        emit: Takes its events.
        execution: The cell, once it has been sent.
        started: When it was sent, by the monotonic clock.
    """

    code: str
    limit: float | None
    emit: Emit | None
    execution: Execution | None = None
    started: float = 0.0
    interrupted: bool = False

    def seconds(self) -> float:
        return time.monotonic() - self.started


class Session:
    """One isolated namespace that lives across runs.

    Made by ``CodeExecutor``; its methods may be called from tasks of one event loop.

    Args:
        name: Its name, unique in its executor.
        settings: What it shares with its executor's other sessions.
    """

    def __init__(self, name: str, settings: SessionSettings) -> None:
        self.name = name
        self._settings = settings
        self._lock = asyncio.Lock()
        self._running: _Run | None = None
        self._closed = False
        self._calls = SessionCalls(name, settings.dispatcher, settings.limits)
        self._slot = KernelSlot(name, settings, self._calls)
        self._notebook = Notebook()

    @property
    def closed(self) -> bool:
        """Whether the session was closed."""
        return self._closed

    async def start(self) -> None:
        """Start the kernel now instead of with the first run.

        Raises:
            KernelStartError: It did not come up.
            SessionClosed: The session was closed.
        """
        async with self._held():
            await self._slot.ready()

    async def run(self, code: str, *, timeout: float | None = None) -> ExecutionResult:
        """Run code and return all it returned and showed.

        Code that fails, runs too long or kills its kernel gives a result with ``error``.

        Args:
            code: Python as IPython takes it: magics, ``!shell`` and top-level ``await`` too.
            timeout: Seconds the code may take; None takes the executor's default.

        Raises:
            KernelStartError: No kernel could be started.
            SessionClosed: The session was closed.
            KernelError: A tool called ``run`` on the session that waits for it.
        """
        return await self._submit(code, timeout, None)

    async def stream(self, code: str, *, timeout: float | None = None) -> AsyncIterator[Event]:
        """Run code and yield what it tells as it comes; the last event is ``Finished``.

        Leaving the loop early interrupts the code. Arguments and errors are those of ``run``.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.create_task(self._submit(code, timeout, events.put_nowait))
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            yield Finished(await task)
        finally:
            task.cancel()

    async def _submit(self, code: str, timeout: float | None, emit: Emit | None) -> ExecutionResult:
        self._check_usable()
        if len(code) > self._settings.limits.code_chars:
            raise KernelError(
                f"the code has {len(code):,} characters, more than the limit of "
                f"{self._settings.limits.code_chars:,} (Limits.code_chars)"
            )
        run = _Run(code, self._settings.default_timeout if timeout is None else timeout, emit)
        inner = asyncio.create_task(self._run_cell(run), name=f"run {self.name}")
        try:
            return await asyncio.shield(inner)
        except asyncio.CancelledError:
            # The caller is gone: stop the code as a time limit would, and keep the order of runs.
            if run.execution is not None:
                run.execution.end("abandoned")
                self._slot.keep(inner)
            else:
                inner.cancel()
            raise

    async def _run_cell(self, run: _Run) -> ExecutionResult:
        async with self._held():
            run.started = time.monotonic()
            dead = self._slot.take_dead()
            if dead is not None:
                result = _not_run(dead)
            else:
                kernel = await self._slot.ready()
                result = await self._execute(kernel, run)
            self._notebook.add(run.code, result)
            return result

    async def _execute(self, kernel: KernelProcess, run: _Run) -> ExecutionResult:
        execution = run.execution = kernel.execute(run.code, run.emit)
        self._running = run
        self._calls.begin(ancestry() | {self})
        timer = None
        if run.limit is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(run.limit, execution.end, "limit")
        try:
            why = await execution.ended
            if why == "done":
                return _finished(execution, run)
            if why == "died":
                return await self._after_death(kernel, execution, run)
            return await self._stop(kernel, execution, run, why)
        finally:
            if timer is not None:
                timer.cancel()
            self._running = None
            kernel.forget(execution)

    async def _stop(
        self, kernel: KernelProcess, execution: Execution, run: _Run, why: str
    ) -> ExecutionResult:
        """Interrupt; after the grace kill. The result says where the code was stuck."""
        name, text = _STOPPED[why]
        text = text.format(limit=run.limit)
        grace = self._settings.kernel.grace
        # The second interrupt is for code that cleans up forever after the first.
        for part in (0.6, 0.4):
            ended = execution.rearm()
            await kernel.interrupt()
            either: set[asyncio.Future[Any]] = {ended, kernel.died}
            done, _ = await asyncio.wait(
                either, timeout=grace * part, return_when=asyncio.FIRST_COMPLETED
            )
            if ended in done and ended.result() == "done":
                stuck = execution.transcript.error
                error = _stopped(name, text, stuck.traceback if stuck else "")
                return execution.transcript.result(seconds=run.seconds(), error=error)
            if done:
                return await self._after_death(kernel, execution, run)
        stack = await kernel.stack()
        await kernel.kill()
        kernel.recover(execution)
        await self._slot.replace(kernel)
        text += f"; it did not stop when interrupted, so its kernel was killed {grace} s later"
        error = _stopped(name, text, stack)
        return execution.transcript.result(seconds=run.seconds(), error=error, state_lost=True)

    async def _after_death(
        self, kernel: KernelProcess, execution: Execution, run: _Run
    ) -> ExecutionResult:
        kernel.recover(execution)
        await self._slot.replace(kernel)
        error = ErrorInfo(KernelDied.__name__, kernel.how_it_ended())
        return execution.transcript.result(seconds=run.seconds(), error=error, state_lost=True)

    async def interrupt(self) -> None:
        """Break the running cell; nothing happens if none runs."""
        if self._running is not None and self._slot.current is not None:
            self._running.interrupted = True
            await self._slot.current.interrupt()

    async def reset(self) -> None:
        """Replace the kernel: all variables are gone, a running cell ends with an error."""
        self._check_usable()
        if self._running is not None and self._slot.current is not None:
            await self._slot.current.kill()
        async with self._held():
            await self._slot.reset()

    async def variables(self) -> list[Variable]:
        """List the variables the code has made.

        Raises:
            KernelDied: The kernel ended meanwhile.
        """
        rows = await self._query(Query.VARIABLES)
        return [
            Variable(**{**row, "shape": None if row["shape"] is None else tuple(row["shape"])})
            for row in rows
        ]

    async def get_variable(self, name: str) -> Any:
        """Return a variable's value, exactly, or a ``RemoteValue``.

        Raises:
            KernelError: There is no variable of that name.
        """
        return read_variable(await self._query(Query.GET_VARIABLE, name=name))

    async def set_variable(self, name: str, value: Any) -> None:
        """Give a variable a value.

        Raises:
            KernelError: The name is no identifier.
            ValueNotEncodableError: The value cannot cross.
        """
        if not name.isidentifier():
            raise KernelError(f"{name!r} cannot be a variable: it is no Python identifier")
        await self._query(Query.SET_VARIABLE, name=name, value=value)

    async def _query(self, method: str, **params: Any) -> Any:
        self._check_usable()
        async with self._held():
            kernel = await self._slot.ready()
            try:
                return await kernel.query(method, **params)
            except CodeModeError as error:
                if type(error) is CodeModeError:
                    raise KernelError(error.message) from error
                raise

    @property
    def transcript(self) -> NotebookNode:
        """The cells run so far with their outputs, as an nbformat notebook (4.5)."""
        return self._notebook.build(self.name)

    def export_notebook(self, path: str | Path) -> Path:
        """Write the transcript to a file; return its path."""
        return self._notebook.write(self.name, Path(path))

    async def aclose(self) -> None:
        """End the session and its kernel; closing twice is fine."""
        if self._closed:
            return
        self._closed = self._slot.closed = True
        if self._running is not None and self._slot.current is not None:
            await self._slot.current.kill()
        async with self._lock:
            await self._slot.close()
        await self._calls.drain()

    close = aclose

    @contextlib.asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        self._check_open()
        async with self._lock:
            self._check_open()
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise SessionClosed(f"session {self.name!r} is closed")

    def _check_usable(self) -> None:
        self._check_open()
        if self in ancestry():
            raise KernelError(
                f"session {self.name!r} waits for this tool call, so it cannot run code now: "
                "use another session (await executor.session())"
            )

    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self._running else "idle"
        return f"<Session {self.name!r} {state}>"


_STOPPED = {
    "limit": ("ExecutionTimeout", "the code ran longer than its limit of {limit} s"),
    "abandoned": ("ExecutionCancelled", "whoever waited for the code went away"),
}
"""Why a cell is stopped from outside -> name and message of the error."""


def _stopped(name: str, message: str, stack: str) -> ErrorInfo:
    return ErrorInfo(name, message, f"{stack}\n\n{name}: {message}" if stack else "")


def _finished(execution: Execution, run: _Run) -> ExecutionResult:
    result = execution.transcript.result(seconds=run.seconds())
    error = result.error
    if run.interrupted and error is not None and error.name == "CancelledError":
        # An awaiting cell is cancelled by an interrupt; callers know it as what it is.
        error = dataclasses.replace(error, name="KeyboardInterrupt")
        return dataclasses.replace(result, error=error)
    return result


def _not_run(dead: KernelProcess) -> ExecutionResult:
    """The code must hear that its variables are gone before it runs on nothing."""
    message = (
        f"{dead.how_it_ended()}\nThe code was not run, because its variables are gone; "
        "the next run has a fresh kernel."
    )
    return ExecutionResult(error=ErrorInfo(KernelDied.__name__, message), state_lost=True)
