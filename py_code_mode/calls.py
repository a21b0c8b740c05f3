"""Requests of one session's kernel, from arrival to reply.

Place in the house: executor layer, below ``session``. Each request is a task, so calls
overlap; a cancelled request cancels its task, and the tool's processes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Failure, Method, Reply, Request
from py_code_mode.backlog import Backlog
from py_code_mode.dispatch import Dispatcher, Origin
from py_code_mode.errors import ToolDeniedError
from py_code_mode.events import Event, ToolLogged, ToolProgressed
from py_code_mode.governance.budget import Spent
from py_code_mode.recording import Recording
from py_code_mode.replies import shown_arguments
from py_code_mode.results import ToolCall
from py_code_mode.timelimit import TimeLimit
from py_code_mode.tools.reports import Progress, Report
from py_code_mode.uploads import Uploads

if TYPE_CHECKING:
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["SessionCalls", "ancestry", "outer_limit"]

_ancestry: ContextVar[frozenset[Any]] = ContextVar("py_code_mode_ancestry", default=frozenset())
_limit: ContextVar[TimeLimit | None] = ContextVar("py_code_mode_limit", default=None)

_PENDING_TIMES, _PENDING_BYTES = 2, 64 * 1024 * 1024
"""Requests that are pending may have together so many times what one may, or so many bytes."""

MAX_NAME = 200

MAX_UNWINDING = 2.0
"""Seconds a result waits for calls that were cancelled, so that they are on record."""


def ancestry() -> frozenset[Any]:
    """Sessions whose cells wait for the caller: running code on one of them would deadlock."""
    return _ancestry.get()


def outer_limit() -> TimeLimit | None:
    """Time limit of the cell that waits for the caller, if one does."""
    return _limit.get()


class SessionCalls:
    """Takes requests of the session's kernels, runs them, replies.

    Args:
        session: Name of the session.
        dispatcher: Answers the requests.
        limits: Bounds how many may be pending.
        author: On whose behalf the session runs.

    Attributes:
        spent: Counts the tool calls.
        refusal: Why nothing is answered; empty: everything is.
    """

    def __init__(
        self, session: str, dispatcher: Dispatcher, limits: Limits, *, author: str = ""
    ) -> None:
        self._session = session
        self._author = author
        self._dispatcher = dispatcher
        self._limits = limits
        self._tasks: dict[tuple[KernelProcess, int], asyncio.Task[None]] = {}
        self._asked: dict[tuple[KernelProcess, int], tuple[Request, float]] = {}
        self._context: Context | None = None
        self._limit = TimeLimit(None)
        self._last: tuple[tuple[KernelProcess, str, TimeLimit], Origin] | None = None
        self.spent = Spent()
        self.refusal = ""
        self._uploads = Uploads()
        self._backlog = Backlog()
        self._pending_bytes = 0

    def begin(self, owners: frozenset[Any], limit: TimeLimit) -> None:
        """A cell begins.

        What it calls is called in the context of whoever runs the cell, while ``owners`` wait.
        """
        self.spent.run = 0
        self._limit, self._last = limit, None
        self._context = copy_context()
        self._context.run(_ancestry.set, owners)
        self._context.run(_limit.set, limit)

    def on_request(self, kernel: KernelProcess, request: Request, parent_id: str) -> None:
        """Take a request; its task starts at once."""
        too_much = self._excess(request.size)
        if too_much:
            self._refuse(kernel, request, too_much)
            return
        if request.method == Method.SKILLS_USED and (cell := _recording(kernel, parent_id)):
            cell.ran(request.params.get("used"))  # now: the cell may be over when the task runs
        key = (kernel, request.id)
        if key in self._tasks:
            return  # a hostile kernel repeats an id: the first one stands
        # A call that outlives its cell must not hold up the time of the next one.
        serving = self._serve(kernel, request, parent_id, self._limit)
        context = None if self._context is None else self._context.copy()
        task = asyncio.create_task(serving, context=context)
        self._tasks[key], self._asked[key] = task, (request, time.monotonic())
        self._pending_bytes += request.size
        task.add_done_callback(lambda _: self._done(key, request.size))

    def in_flight(self) -> list[ToolCall]:
        """List the tool calls that have not ended, oldest first."""
        now = time.monotonic()
        return [
            ToolCall(
                str(request.params.get("name", ""))[:MAX_NAME],
                shown_arguments(request.params.get("arguments")),
                now - began,
                "running",
            )
            for request, began in self._asked.values()
            if request.method == Method.TOOLS_CALL
        ]

    def _excess(self, size: int) -> str:
        """Say what there would be too much of with one more request; empty if nothing."""
        if self.refusal:
            return self.refusal
        most = self._limits.pending_requests
        if len(self._tasks) >= most:
            return f"more than {most:,} requests are pending (Limits.pending_requests)"
        room = max(_PENDING_BYTES, _PENDING_TIMES * self._limits.request_bytes)
        if self._pending_bytes + size > room:
            return f"the requests that are pending have more than {room:,} bytes"
        return ""

    def _done(self, key: tuple[KernelProcess, int], size: int) -> None:
        self._tasks.pop(key, None)
        self._asked.pop(key, None)
        self._pending_bytes -= size

    async def _serve(
        self, kernel: KernelProcess, request: Request, parent_id: str, limit: TimeLimit
    ) -> None:
        origin = self._origin_of(kernel, parent_id, limit)
        async with self._backlog.turn(request.method):
            data, buffers = await self._dispatcher.handle(request, origin)
            content = kernel.reply(data, self._backlog.counted(buffers))
            if origin.recording is not None:
                origin.recording.answered(request, data, content, buffers)

    def _origin_of(self, kernel: KernelProcess, parent_id: str, limit: TimeLimit) -> Origin:
        """Return where a request comes from; those of one cell share it."""
        cell = (kernel, parent_id, limit)
        if self._last is None or self._last[0] != cell:
            origin = Origin(
                self._session,
                parent_id,
                _recorder(kernel, parent_id),
                _reporter(kernel, parent_id),
                self.spent,
                limit.waiting,
                self._author,
                self._uploads,
                _recording(kernel, parent_id),
            )
            self._last = cell, origin
        return self._last[1]

    def _refuse(self, kernel: KernelProcess, request: Request, why: str) -> None:
        failure = Failure.from_exception(ToolDeniedError(why))
        kernel.reply(*Reply(request.id, failure=failure).to_wire())

    def on_cancel(self, kernel: KernelProcess, request_id: int) -> None:
        """Stop working on a request."""
        task = self._tasks.get((kernel, request_id))
        if task is not None:
            task.cancel()

    def cancel_all(self) -> None:
        """Stop working on everything: the kernel is gone."""
        for task in self._tasks.values():
            task.cancel()
        self._uploads.abort_all()

    async def unwind(self) -> None:
        """Wait, not for long, until what was cancelled has ended and is on record."""
        ending = {task for task in self._tasks.values() if task.cancelling()}
        if ending:
            await asyncio.wait(ending, timeout=MAX_UNWINDING)

    async def drain(self) -> None:
        """Wait until all work has ended."""
        while self._tasks:
            await asyncio.wait(set(self._tasks.values()))


def _recording(kernel: KernelProcess, parent_id: str) -> Recording | None:
    execution = kernel.execution(parent_id)
    return None if execution is None else execution.transcript.recording


def _recorder(kernel: KernelProcess, parent_id: str) -> Callable[[ToolCall], None]:
    execution = kernel.execution(parent_id)

    def record(call: ToolCall) -> None:
        # A thread may outlive its cell: its calls belong to no result any more.
        if execution is not None:
            event = execution.transcript.add_call(call)
            if execution.emit is not None:
                execution.emit(event)

    return record


def _reporter(kernel: KernelProcess, parent_id: str) -> Callable[[str, Report], None] | None:
    execution, loop = kernel.execution(parent_id), asyncio.get_running_loop()
    emit = None if execution is None else execution.emit
    if emit is None:
        return None  # nobody listens

    def report(tool: str, what: Report) -> None:
        if isinstance(what, Progress):
            event: Event = ToolProgressed(tool, what.progress, what.total, what.message)
        else:
            event = ToolLogged(tool, what.level, what.text)
        if asyncio._get_running_loop() is loop:
            emit(event)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(emit, event)

    return report
