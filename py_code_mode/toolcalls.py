"""One tool call of a kernel, from request to record.

Place in the house: middle layer, below ``dispatch``, above ``governance`` and tools. Every call
leaves a ``ToolCall``, whatever becomes of it, and a span where somebody traces.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from py_code_mode import tracing
from py_code_mode.errors import ToolDeniedError
from py_code_mode.governance.budget import Spent
from py_code_mode.governance.gates import Waiting
from py_code_mode.governance.governor import Governor
from py_code_mode.policy import Action
from py_code_mode.recording import Recording
from py_code_mode.replies import shown_arguments, size_of
from py_code_mode.results import ToolCall
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.names import not_found
from py_code_mode.tools.reports import Report, current_sink, reporting
from py_code_mode.uploads import Uploads

__all__ = ["Origin", "ToolCaller", "ToolSource"]


class ToolSource(Protocol):
    """What is needed of a registry, or of a scoped view of one."""

    @property
    def version(self) -> int:
        """Grows whenever the tools change."""
        ...

    def list_tools(self) -> list[ToolInfo]:
        """Return all tools in scope."""
        ...

    def get_tool(self, name: str) -> ToolInfo | None:
        """Return the tool of that exact or clean name, if it is in scope."""
        ...

    def search(self, query: str, limit: int = 10) -> Sequence[ToolInfo]:
        """Return the best matching tools."""
        ...

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Run one tool."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from.

    Attributes:
        session: Name of the session.
        cell: Id of the cell, for naming what it left behind.
        on_call: Takes the record of each finished tool call.
        on_report: Takes the tool's name and what it tells while it runs, from any thread; None:
            nobody listens, so tools need not tell.
        spent: Counts the session's calls.
        waiting: Entered while a call waits for an answer or for its turn.
        author: On whose behalf the session runs; empty when nobody said.
        uploads: Artifacts its kernel is writing.
        recording: Keeps what its cell is answered; None: nobody asks for that.
    """

    session: str
    cell: str = ""
    on_call: Callable[[ToolCall], None] = field(default=lambda _: None)
    on_report: Callable[[str, Report], None] | None = None
    spent: Spent = field(default_factory=Spent)
    waiting: Waiting = contextlib.nullcontext
    author: str = ""
    uploads: Uploads = field(default_factory=Uploads)
    recording: Recording | None = None


class ToolCaller:
    """Calls tools for kernels.

    Args:
        tools: The tools in scope.
        governor: Says whether and when.
    """

    def __init__(self, tools: ToolSource, governor: Governor) -> None:
        self._tools = tools
        self._governor = governor

    async def call(self, origin: Origin, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a tool by its exact or clean name.

        Raises:
            ToolNotFoundError: There is no such tool in scope.
            ToolDeniedError: Policy, budget or a limit said no.
            ToolError: It failed, was stopped, or its arguments were wrong.
        """
        call = _Call(name, arguments, time.monotonic())
        if not tracing.is_on():
            return await self._recorded(origin, call)
        with tracing.span("tool", session=origin.session) as note:
            try:
                return await self._recorded(origin, call)
            finally:
                record = call.record()
                note(
                    call.failed,
                    tool=record.tool,
                    outcome=record.outcome,
                    seconds=record.seconds,
                    waited=record.waited,
                    bytes=record.bytes,
                )

    async def _recorded(self, origin: Origin, call: _Call) -> Any:
        """Call, and leave a record whatever becomes of it."""
        try:
            value = await self._governed(origin, call)
            call.end("ok", size_of(value))
        except Exception as error:
            denied = isinstance(error, ToolDeniedError)
            call.failed = type(error).__name__
            call.end("denied" if denied else "error", error=str(error)[:1_000])
            raise
        finally:
            origin.on_call(call.record())
        return value

    async def _governed(self, origin: Origin, call: _Call) -> Any:
        """Call if and when everybody who has a say agrees."""
        governor, name = self._governor, call.name
        governor.count(origin.spent, name)
        info = self._tools.get_tool(name)
        if info is None:
            raise not_found(name, (known.name for known in self._tools.list_tools()))
        # Rules are written for exact names; a kernel may use the other one.
        call.name = info.name
        if not governor.has_say:
            call.begin(call.arguments)
            return await self._reported(origin, info.name, call.arguments)
        action = Action("tool", info.name, call.arguments, origin.session, info.tags)
        async with governor.admitted(action, origin.waiting) as admitted:
            call.begin(admitted)
            return await self._reported(origin, info.name, admitted)

    async def _reported(self, origin: Origin, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call, and let what the tool tells meanwhile be heard."""
        heard = origin.on_report
        if heard is None and current_sink() is None:
            return await self._tools.call_tool(name, arguments)
        with reporting(None if heard is None else functools.partial(heard, name)):
            return await self._tools.call_tool(name, arguments)


@dataclass(slots=True)
class _Call:
    """What is known so far of a call."""

    name: str
    arguments: Mapping[str, Any]
    started: float
    outcome: Literal["ok", "error", "denied", "cancelled"] = "cancelled"
    waited: float | None = None
    bytes: int = 0
    error: str = ""
    failed: str = "CancelledError"
    made: ToolCall | None = None

    def begin(self, arguments: Mapping[str, Any]) -> None:
        """It may go on, perhaps with other arguments."""
        self.arguments = arguments
        self.waited = time.monotonic() - self.started

    def end(
        self, outcome: Literal["ok", "error", "denied"], size: int = 0, error: str = ""
    ) -> None:
        """It is over."""
        self.outcome, self.bytes, self.error = outcome, size, error
        if outcome == "ok":
            self.failed = ""

    def record(self) -> ToolCall:
        """Return what is remembered of it; the same however often it is asked for."""
        if self.made is None:
            self.made = self._record()
        return self.made

    def _record(self) -> ToolCall:
        seconds = time.monotonic() - self.started
        waited = seconds if self.waited is None else self.waited
        name, kept = self.name[:200], shown_arguments(self.arguments)
        return ToolCall(name, kept, seconds, self.outcome, self.bytes, self.error, waited)
