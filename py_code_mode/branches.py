"""Branches of a session: checkpoints to return to, and several ways tried at once.

Place in the house: executor layer, below ``session``, whose methods make these objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

from py_code_mode.errors import KernelError
from py_code_mode.notebook import Notebook
from py_code_mode.results import ExecutionResult

if TYPE_CHECKING:
    from py_code_mode.kernel.process import KernelProcess
    from py_code_mode.session import Session

__all__ = ["Checkpoint", "Trials"]


class Checkpoint:
    """A session as it was: ``await session.rollback(checkpoint)`` returns to it.

    It is a dormant branch of the session's kernel, so what it costs is memory: that of whatever
    the session has changed since. It lasts until it or the session is closed, and can be
    returned to more than once.

    Attributes:
        session: Whose it is.
        warnings: What will be missing after a rollback: threads and asyncio tasks.
    """

    def __init__(
        self, session: Session, kernel: KernelProcess, notebook: Notebook, warnings: Sequence[str]
    ) -> None:
        self.session = session
        self.warnings = tuple(warnings)
        self.notebook = notebook
        self.kernel: KernelProcess | None = kernel

    @property
    def closed(self) -> bool:
        """Whether there is nothing to return to any more."""
        return self.kernel is None

    async def aclose(self) -> None:
        """Give the memory back; closing twice is fine."""
        kernel, self.kernel = self.kernel, None
        if kernel is not None:
            await kernel.close(now=True)

    close = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


class Trials(Sequence[ExecutionResult]):
    """Results of several codes, each run in a branch of its own; one of them can be kept.

    Use it as an async context manager, or call ``discard`` when nothing is to be kept: a branch
    is a kernel, and lives until then.

    Attributes:
        branches: The sessions in which the codes ran, in their order.
        results: What they gave.
    """

    def __init__(
        self, origin: Session, branches: Sequence[Session], results: Sequence[ExecutionResult]
    ) -> None:
        self._origin = origin
        self.branches = tuple(branches)
        self.results = tuple(results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: int) -> ExecutionResult:  # type: ignore[override]
        return self.results[index]

    def __iter__(self) -> Iterator[ExecutionResult]:
        return iter(self.results)

    async def keep(self, index: int) -> ExecutionResult:
        """Make a branch the session: its variables, its cells; the other branches are closed.

        Args:
            index: Position of its code.

        Raises:
            IndexError: There is no such branch.
            KernelError: A branch was kept or discarded before, or the branch's kernel is gone,
                or a cell is running in either of the two sessions.
        """
        chosen = self.branches[index]
        if chosen.closed:
            raise KernelError("these trials are over: a branch was kept, or all were discarded")
        await self._origin.become(chosen)
        await self.discard()
        return self.results[index]

    async def discard(self) -> None:
        """Close all branches; the session stays as it was."""
        await asyncio.gather(*(branch.aclose() for branch in self.branches))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.discard()
