"""A session: an isolated namespace in which one cell runs after another.

Place in the house: executor layer, above ``cellrun``, ``slot`` and ``calls``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.messages import Query
from py_code_mode.calls import SessionCalls, ancestry
from py_code_mode.cellrun import CellRun, Emit, not_run
from py_code_mode.errors import CodeModeError, KernelError, SessionClosed
from py_code_mode.events import Event, Finished
from py_code_mode.notebook import Notebook
from py_code_mode.results import ExecutionResult, Variable
from py_code_mode.settings import SessionSettings
from py_code_mode.slot import KernelSlot
from py_code_mode.values import read_variable

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Session"]

MAX_WAITING_EVENTS = 10_000
"""Events of one ``stream`` that may wait for their listener; further ones are left out."""


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
        self._running: CellRun | None = None
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

        Leaving the loop early interrupts the code. A listener that falls far behind misses
        events, never parts of the result. Arguments and errors are those of ``run``.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()

        def offer(event: Event) -> None:
            # A listener that does not listen must not fill the host; the result has it all.
            if events.qsize() < MAX_WAITING_EVENTS:
                events.put_nowait(event)

        task = asyncio.create_task(self._submit(code, timeout, offer))
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
        limit = self._settings.default_timeout if timeout is None else timeout
        run = CellRun(code, limit, self._settings.kernel.grace, emit)
        inner = asyncio.create_task(self._run_cell(run), name=f"run {self.name}")
        try:
            return await asyncio.shield(inner)
        except asyncio.CancelledError:
            # The caller is gone: stop the code as a time limit would, and keep the order of runs.
            if run.abandon():
                self._slot.keep(inner)
            else:
                inner.cancel()
            raise

    async def _run_cell(self, run: CellRun) -> ExecutionResult:
        async with self._held():
            dead = self._slot.take_dead()
            if dead is not None:
                result = not_run(dead)
            else:
                kernel = await self._slot.ready()
                self._running = run
                self._calls.begin(ancestry() | {self})
                try:
                    result = await run.on(kernel, self._slot)
                finally:
                    self._running = None
            self._notebook.add(run.code, result)
            return result

    async def interrupt(self) -> None:
        """Break the running cell; nothing happens if none runs."""
        if self._running is not None and self._slot.current is not None:
            await self._running.interrupt(self._slot.current)

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
