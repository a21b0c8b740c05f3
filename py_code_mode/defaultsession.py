"""What an executor does with its default session: all that a session can.

Place in the house: executor layer, above ``session``, below ``executor``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from py_code_mode.branches import Checkpoint, Trials
from py_code_mode.cellqueue import CellQueue
from py_code_mode.events import Event
from py_code_mode.inspectable import Inspectable
from py_code_mode.notebook import Notebook
from py_code_mode.results import ExecutionResult, Variable
from py_code_mode.session import Session
from py_code_mode.settings import SessionSettings
from py_code_mode.transcribed import Transcribed

__all__ = ["DefaultSession"]


class DefaultSession(Transcribed, Inspectable):
    """Repeats the methods of the session that is ``default``."""

    @property
    def default(self) -> Session:
        """The default session."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the default session's kernel now; see ``Session.start``."""
        await self.default.start()

    async def run(self, code: str, *, timeout: float | None = None) -> ExecutionResult:
        """Run code in the default session; see ``Session.run``."""
        return await self.default.run(code, timeout=timeout)

    def stream(
        self, code: str | None = None, *, timeout: float | None = None
    ) -> AsyncIterator[Event]:
        """Run code in the default session and yield its events; see ``Session.stream``."""
        return self.default.stream(code, timeout=timeout)

    async def interrupt(self) -> None:
        """Break the default session's running cell; see ``Session.interrupt``."""
        await self.default.interrupt()

    async def reset(self) -> None:
        """Replace the default session's kernel; see ``Session.reset``."""
        await self.default.reset()

    async def variables(self) -> list[Variable]:
        """List the default session's variables; see ``Session.variables``."""
        return await self.default.variables()

    async def get_variable(self, name: str) -> Any:
        """Return a variable of the default session; see ``Session.get_variable``."""
        return await self.default.get_variable(name)

    async def set_variable(self, name: str, value: Any) -> None:
        """Give a variable of the default session a value; see ``Session.set_variable``."""
        await self.default.set_variable(name, value)

    async def fork(self, name: str | None = None) -> Session:
        """Branch the default session; see ``Session.fork``."""
        return await self.default.fork(name)

    async def checkpoint(self) -> Checkpoint:
        """Remember the default session as it is; see ``Session.checkpoint``."""
        return await self.default.checkpoint()

    async def rollback(self, checkpoint: Checkpoint) -> None:
        """Return the default session to a checkpoint; see ``Session.rollback``."""
        await self.default.rollback(checkpoint)

    async def try_each(self, codes: Sequence[str], *, timeout: float | None = None) -> Trials:
        """Run each code in a branch of the default session; see ``Session.try_each``."""
        return await self.default.try_each(codes, timeout=timeout)

    def _queue(self) -> CellQueue:
        return self.default._queue()

    def _record(self) -> tuple[str, Notebook, SessionSettings]:
        return self.default._record()
