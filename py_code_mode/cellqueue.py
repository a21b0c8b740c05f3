"""What a session does, one thing after another: cells, queries, forks.

Place in the house: executor layer, below ``session``, above ``cellrun`` and ``slot``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from py_code_mode import tracing
from py_code_mode.calls import SessionCalls, ancestry, outer_limit
from py_code_mode.cellrun import CellRun, not_run
from py_code_mode.errors import (
    CodeModeError,
    KernelDied,
    KernelError,
    KernelUnresponsive,
    SessionClosed,
)
from py_code_mode.events import Finished, Started
from py_code_mode.listeners import Emit, Listeners
from py_code_mode.notebook import Notebook
from py_code_mode.peek import Peek
from py_code_mode.peeking import look_at, without_secrets
from py_code_mode.results import ExecutionResult
from py_code_mode.settings import SessionSettings
from py_code_mode.slot import KernelSlot
from py_code_mode.timelimit import TimeLimit

if TYPE_CHECKING:
    from py_code_mode.kernel.others import OtherCell
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["CellQueue", "as_kernel_error"]


class CellQueue:
    """Runs one session's cells, in the order they came.

    Args:
        name: Name of the session.
        settings: What it shares with its executor's other sessions.
        owner: The session; cells that wait for it cannot use it.

    Attributes:
        name: The session's name.
        slot: Where the session's kernel sits.
        spent: Counts the session's tool calls.
        notebook: The cells run so far, whoever sent them.
        listeners: Those who listen to all cells.
        closed: Whether the session was closed.
    """

    def __init__(self, name: str, settings: SessionSettings, owner: object) -> None:
        self.name = name
        self._settings = settings
        self._owner = owner
        self._lock = asyncio.Lock()
        self._submitted = 0
        self._running: CellRun | None = None
        self._calls = SessionCalls(
            name, settings.dispatcher, settings.limits, author=settings.author
        )
        # A person's cell may call tools before any of ours has run.
        self._calls.begin(frozenset({owner}), TimeLimit(None))
        self.slot = KernelSlot(name, settings, self._calls, self._begin_other)
        self.listeners = Listeners()
        self.spent = self._calls.spent
        self.notebook = Notebook(settings.limits)
        self.closed = False

    @property
    def running(self) -> bool:
        """Whether a cell runs now."""
        return self._running is not None

    async def start(self) -> None:
        """Start the kernel, if there is none."""
        async with self.held():
            await self.slot.ready()

    async def run(self, code: str, timeout: float | None, emit: Emit | None) -> ExecutionResult:
        """Run a cell when those before it have ended; see ``Session.run``."""
        self.check_usable()
        if len(code) > self._settings.limits.code_chars:
            raise KernelError(
                f"the code has {len(code):,} characters, more than the limit of "
                f"{self._settings.limits.code_chars:,} (Limits.code_chars)"
            )
        limit = self._settings.default_timeout if timeout is None else timeout
        run = CellRun(code, limit, self._settings.kernel.grace, emit, outer_limit())
        inner = asyncio.create_task(self._run_cell(run), name=f"run {self.name}")
        self._submitted += 1
        inner.add_done_callback(self._count_down)
        try:
            return await asyncio.shield(inner)
        except asyncio.CancelledError:
            # The caller is gone: stop the code as a time limit would, and keep the order of runs.
            run.unheard = True
            if inner.done() and not inner.cancelled() and not inner.exception():
                self._note_loss(inner.result())
            elif run.abandon():
                self.slot.keep(inner)
            else:
                inner.cancel()
            raise

    def _count_down(self, _: asyncio.Task[ExecutionResult]) -> None:
        self._submitted -= 1

    async def _run_cell(self, run: CellRun) -> ExecutionResult:
        async with self.held():
            with tracing.span("run", session=self.name) as note:
                result = without_secrets(await self._result_of(run), self._settings.secrets)
                failed = "" if result.error is None else result.error.name[:200]
                note(failed, execution_count=result.execution_count, ok=result.is_ok)
            if run.unheard:
                self._note_loss(result)
            self.notebook.add(run.code, result)
            self.listeners.tell(Finished(result))
            return result

    def _note_loss(self, result: ExecutionResult) -> None:
        """Remember what a result tells of lost variables, if nobody hears it: the next one must."""
        if result.state_lost and result.error is not None:
            self.slot.untold = result.error.message

    async def _result_of(self, run: CellRun) -> ExecutionResult:
        loss = self.slot.take_loss()
        if loss:
            return not_run(loss)
        try:
            kernel = await self.slot.ready(run.limit)
        except (KernelDied, KernelUnresponsive) as error:
            if self.slot.current is not None:
                await self.slot.replace(self.slot.current)
            return not_run(f"{error.message}; it was replaced")
        self.check_open()  # else closing, which has seen no cell, would wait for this one
        self._running = run
        run.emit = self.listeners.along(run.emit, run.code)
        self._calls.begin(ancestry() | {self._owner}, run.time)
        try:
            return await run.on(kernel, self.slot)
        finally:
            self._running = None

    def _begin_other(self, cell: OtherCell) -> None:
        """Listen to a cell that a person has sent; called when it begins."""
        self.spent.run = 0
        cell.execution.emit = self.listeners.tell
        cell.on_end = self._end_other
        count = cell.execution.transcript.count
        self.listeners.tell(Started(count, origin="jupyter", code=cell.code))

    def _end_other(self, cell: OtherCell, result: ExecutionResult) -> None:
        self.notebook.add(cell.code, result, origin="jupyter", started=cell.began)
        self.listeners.tell(Finished(result))

    async def interrupt(self) -> None:
        """Break the running cell, whoever sent it; nothing happens if none runs."""
        kernel, run = self.slot.current, self._running
        if kernel is None:
            return
        if kernel.others.current is not None:
            await kernel.interrupt()
        elif run is not None:
            await run.interrupt(kernel)

    async def peek(self) -> Peek:
        """Look at what runs; see ``Session.peek``."""
        self.check_open()
        kernel, run = self.slot.current, self._running
        if kernel is None:
            return Peek()
        look = functools.partial(
            look_at, calls=self._calls.in_flight(), secrets=self._settings.secrets
        )
        other = kernel.others.current
        if other is not None:
            seen = await look(kernel, other.execution)
            return replace(seen, code=other.code, origin="jupyter", seconds=other.seconds)
        if run is None or run.execution is None:
            return Peek()
        seen = await look(kernel, run.execution)
        return replace(seen, code=run.code, seconds=run.seconds)

    async def end_cell(self) -> None:
        """End the running cell, or what else is asked of the kernel, with the kernel."""
        if self._lock.locked() and self.slot.current is not None:
            await self.slot.current.kill()

    async def query(self, method: str, **params: Any) -> Any:
        """Ask the kernel something between cells.

        Raises:
            KernelError: What the kernel answered with.
            KernelDied: It ended meanwhile.
            KernelUnresponsive: It has not answered in time.
        """
        self.check_usable()
        async with self.held():
            if self.slot.untold:  # as if the kernel had died just now
                raise KernelDied(self.slot.untold)
            kernel = await self.slot.ready()
            try:
                return await kernel.query(method, **params)
            except CodeModeError as error:
                raise as_kernel_error(error) from error

    async def branch(self) -> tuple[KernelProcess, list[str]]:
        """Fork the kernel; see ``Session.fork``."""
        async with self.idle():
            loss = self.slot.take_loss()
            if loss:
                raise KernelDied(loss)
            try:
                return await self.slot.branch()
            except CodeModeError as error:
                raise as_kernel_error(error) from error

    def refuse(self, why: str) -> None:
        """Answer nothing that the code asks for; see ``frontend.begin``."""
        self._calls.refusal = why

    def take_no_more(self) -> None:
        """Refuse cells from now on."""
        self.closed = self.slot.closed = True
        self.slot.give_up_start()

    async def close(self) -> None:
        """End the kernel and whatever it has asked for."""
        self.take_no_more()
        await self.end_cell()
        async with self._lock:
            await self.slot.close()
        await self._calls.drain()
        self.listeners.close()

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the session when what came before has ended."""
        self.check_open()
        async with self._lock:
            self.check_open()
            yield

    @contextlib.asynccontextmanager
    async def idle(self) -> AsyncIterator[None]:
        """Hold the session if no cell runs or waits to run.

        Raises:
            KernelError: One does.
        """
        self.check_usable()
        if self._submitted:
            raise KernelError(
                f"a cell is running in session {self.name!r}: wait for it, or interrupt it"
            )
        async with self.held():
            yield

    def check_open(self) -> None:
        """Refuse work when the session is closed."""
        if self.closed:
            raise SessionClosed(f"session {self.name!r} is closed")

    def check_usable(self) -> None:
        """Refuse work when the session is closed, or waits for whoever asks."""
        self.check_open()
        if self._owner in ancestry():
            raise KernelError(
                f"session {self.name!r} waits for this tool call, so it cannot run code now: "
                "use another session (await executor.session())"
            )


def as_kernel_error(error: CodeModeError) -> CodeModeError:
    """Give what a kernel refused without saying more a name in our tree."""
    if isinstance(error, KernelUnresponsive):
        return KernelUnresponsive(f"{error.message}; session.reset() replaces it")
    return KernelError(error.message) if type(error) is CodeModeError else error
