"""Cells that other programs run on a session's kernel: a person's, in JupyterLab or a console.

Place in the house: inside ``kernel``, above ``execution``, below ``process``. iopub tells them
like our own: what begins with an ``execute_input`` that answers none of our requests is one. Their
replies go to whoever asked, so such a cell is over when the kernel says that it is idle again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kernel_bootstrap.wire.limits import Limits, cut_text
from py_code_mode.kernel.execution import Execution
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.results import ExecutionResult

__all__ = ["OnOther", "OtherCell", "OtherCells"]


@dataclass(slots=True, eq=False)
class OtherCell:
    """A cell that another program has sent.

    Attributes:
        id: Id of its request.
        code: What it runs.
        execution: Its story so far.
        on_end: Called with the cell and its result when it is over.
        began: When it began.
    """

    id: str
    code: str
    execution: Execution
    on_end: Callable[[OtherCell, ExecutionResult], None] | None = None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _clock: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._clock


OnOther = Callable[[OtherCell], None]
"""Takes a cell of another program that begins now; must not wait."""


class OtherCells:
    """Notices such cells, one at a time, as a kernel runs them.

    Args:
        limits: Bounds of what is kept of one.

    Attributes:
        current: The one that runs.
        on_begin: Called with each.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._none = asyncio.Event()
        self._none.set()
        self.current: OtherCell | None = None
        self.on_begin: OnOther | None = None

    def feed(self, message: JupyterMessage) -> None:
        """Take a message of iopub that belongs to none of our cells."""
        cell = self.current
        if cell is not None and message.parent_id == cell.id:
            cell.execution.feed(message)
            if cell.execution.transcript.idle:
                self.end()
        elif message.msg_type == "execute_input":
            self._begin(message)

    def _begin(self, message: JupyterMessage) -> None:
        self.end()  # a kernel that begins another without an end has lied about one of them
        code = message.content.get("code")
        text = cut_text(code, self._limits.code_chars) if isinstance(code, str) else ""
        cell = self.current = OtherCell(message.parent_id, text, Execution(self._limits, None))
        self._none.clear()
        cell.execution.feed(message)
        if self.on_begin is not None:
            self.on_begin(cell)

    def end(self) -> None:
        """Take the running cell for over: it is, or its kernel is gone."""
        cell, self.current = self.current, None
        if cell is None:
            return
        self._none.set()
        # The reply went to somebody else; all that mattered of it was on iopub.
        reply = JupyterMessage("execute_reply", cell.id, {"status": "ok"}, {}, [])
        cell.execution.feed(reply)
        if cell.on_end is not None:
            cell.on_end(cell, cell.execution.transcript.result(seconds=cell.seconds))

    async def ended(self, timeout: float | None) -> bool:
        """Wait until none runs.

        Args:
            timeout: Seconds to wait at most; None: as long as it takes.

        Returns:
            Whether none runs.
        """
        if self.current is None:  # a timer would cost each cell of ours
            return True
        try:
            async with asyncio.timeout(timeout):
                await self._none.wait()
        except TimeoutError:
            return False
        return True
