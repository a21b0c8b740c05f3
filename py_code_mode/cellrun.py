"""One call of ``run`` on its way through a kernel.

Place in the house: executor layer, below ``session``. Turns time limits, interrupts and the
death of a kernel into results.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import KernelDied
from py_code_mode.listeners import Emit
from py_code_mode.results import ErrorInfo, ExecutionResult
from py_code_mode.slot import KernelSlot
from py_code_mode.timelimit import TimeLimit

if TYPE_CHECKING:
    from py_code_mode.kernel.execution import Execution
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["CellRun", "not_run"]

_STOPPED = {
    "limit": ("ExecutionTimeout", "the code ran longer than its limit of {limit} s"),
    "abandoned": ("ExecutionCancelled", "whoever waited for the code went away"),
}
"""Why a cell is stopped from outside -> name and message of the error."""


@dataclass(slots=True, eq=False)
class CellRun:
    """One run.

    Attributes:
        code: What to run.
        limit: Seconds it may take, or None.
        grace: Seconds it has to end when interrupted.
        emit: Takes its events, or None.
        within: Time limit of the run that waits for this one, or None.
        unheard: Whether nobody waits for the result any more.
        time: What counts its seconds.
    """

    code: str
    limit: float | None
    grace: float
    emit: Emit | None = None
    within: TimeLimit | None = None
    unheard: bool = False
    time: TimeLimit = field(init=False)
    _execution: Execution | None = None
    _started: float = 0.0
    _interrupted: bool = False

    def __post_init__(self) -> None:
        self.time = TimeLimit(self.limit, self.within)

    async def on(self, kernel: KernelProcess, slot: KernelSlot) -> ExecutionResult:
        """Run the code on ``kernel``, which sits in ``slot``, and return its result."""
        self._started = time.monotonic()
        # Sent now it would wait in the kernel, and its time limit would break the other's cell.
        if not await kernel.others.ended(self.limit):
            return _in_use(kernel)
        execution = self._execution = kernel.execute(self.code, self.emit)
        self.time.start(functools.partial(execution.end, "limit"))
        try:
            why = await execution.ended
            self.time.stop()
            if why == "done":
                await slot.unwind()
                return self._finished(execution)
            if why == "died":
                return await self._after_death(kernel, slot, execution)
            return await self._stop(kernel, slot, execution, why)
        finally:
            self.time.stop()
            kernel.forget(execution)

    def abandon(self) -> bool:
        """Stop the code, because nobody waits for it; False if it has not been sent yet."""
        if self._execution is None:
            return False
        self._execution.end("abandoned")
        return True

    async def interrupt(self, kernel: KernelProcess) -> None:
        """Break the code."""
        self._interrupted = True
        await kernel.interrupt()

    @property
    def execution(self) -> Execution | None:
        """Its story so far; None before it was sent."""
        return self._execution

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    def _finished(self, execution: Execution) -> ExecutionResult:
        result = execution.transcript.result(seconds=self.seconds)
        error = result.error
        if self._interrupted and error is not None and error.name == "CancelledError":
            # An awaiting cell is cancelled by an interrupt; callers know it as what it is.
            error = dataclasses.replace(error, name="KeyboardInterrupt")
            return dataclasses.replace(result, error=error)
        return result

    async def _stop(
        self, kernel: KernelProcess, slot: KernelSlot, execution: Execution, why: str
    ) -> ExecutionResult:
        """Interrupt; after the grace kill. The result says where the code was stuck."""
        name, text = _STOPPED[why]
        text = text.format(limit=self.limit)
        # The second interrupt is for code that cleans up forever after the first.
        for part in (0.6, 0.4):
            ended = execution.rearm()
            await kernel.interrupt()
            either: set[asyncio.Future[Any]] = {ended, kernel.died}
            done, _ = await asyncio.wait(
                either, timeout=self.grace * part, return_when=asyncio.FIRST_COMPLETED
            )
            if ended in done and ended.result() == "done":
                await slot.unwind()
                stuck = execution.transcript.error
                error = _stopped(name, text, stuck)
                return execution.transcript.result(seconds=self.seconds, error=error)
            if done:
                return await self._after_death(kernel, slot, execution)
        stack = await kernel.stack()
        await kernel.kill()
        kernel.recover(execution)
        await slot.replace(kernel)
        await slot.unwind()
        text += f"; it did not stop when interrupted, so its kernel was killed {self.grace} s later"
        return execution.transcript.result(
            seconds=self.seconds,
            error=_stopped(name, text, ErrorInfo(name, text, stack)),
            state_lost=True,
        )

    async def _after_death(
        self, kernel: KernelProcess, slot: KernelSlot, execution: Execution
    ) -> ExecutionResult:
        kernel.recover(execution)
        await slot.replace(kernel)
        await slot.unwind()
        error = ErrorInfo(KernelDied.__name__, kernel.how_it_ended())
        return execution.transcript.result(seconds=self.seconds, error=error, state_lost=True)


def _stopped(name: str, message: str, stuck: ErrorInfo | None) -> ErrorInfo:
    """Return the error of a cell that was stopped, with where it was stuck."""
    if stuck is None or not stuck.traceback:
        return ErrorInfo(name, message)
    return ErrorInfo(name, message, f"{stuck.traceback}\n\n{name}: {message}", stuck.frame)


def _in_use(kernel: KernelProcess) -> ExecutionResult:
    other = kernel.others.current
    seconds = 0.0 if other is None else other.seconds
    message = (
        f"a cell that a person sent from Jupyter has been running in this session for "
        f"{seconds:.0f} s; the code was not run: run it again when that cell has ended"
    )
    return ExecutionResult(error=ErrorInfo("CellNotRun", message), seconds=seconds)


def not_run(why: str) -> ExecutionResult:
    """Tell the code's author that its variables are gone, before it runs on nothing.

    Args:
        why: What became of the kernel that had them.
    """
    message = (
        f"{why}\nThe code was not run, because its variables are gone; "
        "the next run has a fresh kernel."
    )
    return ExecutionResult(error=ErrorInfo(KernelDied.__name__, message), state_lost=True)
