"""A session: an isolated namespace in which one cell runs after another.

Place in the house: executor layer, above ``cellqueue`` and ``branches``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.messages import Query
from py_code_mode.branches import Checkpoint, Trials
from py_code_mode.cellqueue import CellQueue
from py_code_mode.errors import KernelError
from py_code_mode.events import Event, Finished
from py_code_mode.inspectable import Inspectable
from py_code_mode.listeners import Mailbox
from py_code_mode.notebook import Notebook
from py_code_mode.results import ExecutionResult, Variable
from py_code_mode.settings import SessionSettings
from py_code_mode.transcribed import Transcribed
from py_code_mode.values import read_variable, read_variables

if TYPE_CHECKING:
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["Session"]


class Session(Transcribed, Inspectable):
    """One isolated namespace that lives across runs.

    Made by ``CodeExecutor``; its methods may be called from tasks of one event loop.

    Args:
        name: Its name, unique in its executor.
        settings: What it shares with its executor's other sessions.

    Attributes:
        warnings: What a branch lacks of the session it was forked from.
    """

    def __init__(self, name: str, settings: SessionSettings) -> None:
        self.name = name
        self._settings = settings
        self._cells = CellQueue(name, settings, self)
        self._checkpoints: list[Checkpoint] = []
        self._closing: asyncio.Task[None] | None = None
        self.warnings: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether the session was closed."""
        return self._cells.closed

    async def start(self) -> None:
        """Start the kernel now instead of with the first run.

        Raises:
            KernelStartError: It did not come up.
            SessionClosed: The session was closed.
        """
        await self._cells.start()

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
        return await self._cells.run(code, timeout, None)

    async def stream(
        self, code: str | None = None, *, timeout: float | None = None
    ) -> AsyncIterator[Event]:
        """Run code and yield what it tells as it comes; the last event is ``Finished``.

        Leaving the loop early interrupts the code. A listener that falls far behind misses
        events, never parts of the result. Arguments and errors are those of ``run``.

        Without code nothing is run: it yields what all cells of the session tell, a person's
        (``Started.origin`` is ``"jupyter"``) as well as those of ``run``, until it is closed.
        """
        if code is None:
            async for event in self._cells.listeners.listen():
                yield event
            return
        box = Mailbox()
        task = asyncio.create_task(self._cells.run(code, timeout, box.offer))
        task.add_done_callback(lambda _: box.close())
        try:
            async for event in box.events():
                yield event
            yield Finished(await task)
        finally:
            task.cancel()

    async def interrupt(self) -> None:
        """Break the running cell; nothing happens if none runs."""
        await self._cells.interrupt()

    async def reset(self) -> None:
        """Replace the kernel: all variables are gone, a running cell ends with an error."""
        self._cells.check_usable()
        await self._cells.end_cell()
        async with self._cells.held():
            await self._cells.slot.reset()
            self._cells.notebook.reset()

    async def variables(self) -> list[Variable]:
        """List the variables the code has made.

        Raises:
            KernelDied: The kernel ended meanwhile.
        """
        return read_variables(await self._cells.query(Query.VARIABLES))

    async def get_variable(self, name: str) -> Any:
        """Return a variable's value, exactly, or a ``RemoteValue``.

        Raises:
            KernelError: There is no variable of that name.
        """
        return read_variable(await self._cells.query(Query.GET_VARIABLE, name=name))

    async def set_variable(self, name: str, value: Any) -> None:
        """Give a variable a value.

        Raises:
            KernelError: The name is no identifier.
            ValueNotEncodableError: The value cannot cross.
        """
        if not name.isidentifier():
            raise KernelError(f"{name!r} cannot be a variable: it is no Python identifier")
        await self._cells.query(Query.SET_VARIABLE, name=name, value=value)

    async def fork(self, name: str | None = None) -> Session:
        """Branch the session: a further one, with a copy of all this one's variables.

        Memory is shared until either side writes to it. Threads, asyncio tasks, sockets and GPU
        contexts do not come along; files that are open share their position with this session.

        Args:
            name: The branch's name; None makes one.

        Returns:
            The branch; what is known not to have come along stands in its ``warnings``.

        Raises:
            KernelError: A cell is running, the name is taken, or kernels cannot be forked here.
            KernelDied: The kernel ended meanwhile.
            KernelStartError: The branch did not come up.
            SessionClosed: The session, or its executor, was closed meanwhile.
        """
        return await self._cells.slot.whole(self._fork(name), Session.aclose)

    async def _fork(self, name: str | None) -> Session:
        self._cells.check_usable()
        name = self._settings.new_name() if name is None else name
        if name in self._settings.sessions:
            raise KernelError(f"there is a session named {name!r} already")
        # In the list before there is anything to close, and held until there is: an executor that
        # is closed meanwhile waits for it, and closes it.
        branch = self._settings.sessions[name] = Session(name, self._settings)
        try:
            async with branch._cells.held():
                kernel, lost = await self._cells.branch()
                await branch._cells.slot.adopt(kernel)
                branch._cells.notebook, branch.warnings = self._cells.notebook.copy(), tuple(lost)
                branch._cells.spent.session = self._cells.spent.session
            branch._cells.check_open()
        except BaseException:
            await branch.aclose()
            raise
        return branch

    async def checkpoint(self) -> Checkpoint:
        """Remember the session as it is; raises as ``fork`` does."""
        return await self._cells.slot.whole(self._checkpoint(), Checkpoint.aclose)

    async def _checkpoint(self) -> Checkpoint:
        kernel, lost = await self._cells.branch()
        checkpoint = Checkpoint(self, kernel, self._cells.notebook.copy(), lost)
        self._checkpoints.append(checkpoint)
        return checkpoint

    async def rollback(self, checkpoint: Checkpoint) -> None:
        """Make the session what it was at a checkpoint: variables and transcript.

        Cancelling the call does not stop it.

        Raises:
            KernelError: A cell is running, or the checkpoint is closed or another session's.
        """
        if checkpoint.session is not self or checkpoint.kernel is None:
            raise KernelError("this checkpoint is closed, or it is another session's")
        await self._cells.slot.whole(self._rollback(checkpoint, checkpoint.kernel), _let_be)

    async def _rollback(self, checkpoint: Checkpoint, dormant: KernelProcess) -> None:
        async with self._cells.idle():
            kernel, _ = await dormant.fork(self._settings.kernel, self._settings.catalogue())
            await self._cells.slot.adopt(kernel)
            self._cells.notebook = checkpoint.notebook.copy()

    async def try_each(self, codes: Sequence[str], *, timeout: float | None = None) -> Trials:
        """Run each code in a branch of its own, all at once; one of them can then be kept.

        Args:
            codes: What to try.
            timeout: Seconds each may take; None takes the executor's default.

        Raises:
            KernelError: As ``fork``.
        """
        branches: list[Session] = []
        try:
            while len(branches) < len(codes):
                branches.append(await self.fork())
            runs = (
                branch.run(code, timeout=timeout)
                for branch, code in zip(branches, codes, strict=True)
            )
            return Trials(self, branches, await asyncio.gather(*runs))
        except BaseException:
            await asyncio.gather(*(branch.aclose() for branch in branches))
            raise

    async def become(self, branch: Session) -> None:
        """Take a branch's place: its variables and cells; the branch is closed.

        Cancelling the call does not stop it.

        Raises:
            KernelError: A cell is running in either, or the branch has no kernel.
        """
        await self._cells.slot.whole(self._become(branch), _let_be)

    async def _become(self, branch: Session) -> None:
        async with self._cells.idle(), branch._cells.idle():
            kernel = branch._cells.slot.give_up()
            if kernel is None:
                raise KernelError(f"session {branch.name!r} has no kernel to take over")
            await self._cells.slot.adopt(kernel)
            self._cells.notebook, self.warnings = branch._cells.notebook, branch.warnings
            spent, theirs = self._cells.spent, branch._cells.spent
            spent.session = max(spent.session, theirs.session)
        await branch.aclose()

    def _queue(self) -> CellQueue:
        return self._cells

    def _record(self) -> tuple[str, Notebook, SessionSettings]:
        return self.name, self._cells.notebook, self._settings

    async def aclose(self) -> None:
        """End the session and its kernel; closing twice is fine.

        Cancelling the call does not stop it: a kernel that is half closed would be nobody's.
        """
        if self._closing is None:
            self._cells.take_no_more()
            self._closing = asyncio.create_task(self._close(), name=f"close {self.name}")
            self._settings.closing.add(self._closing)
            self._closing.add_done_callback(self._settings.closing.discard)
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        # At once: a rollback may wait for the kernel of a checkpoint.
        checkpoints = (checkpoint.aclose() for checkpoint in self._checkpoints)
        await asyncio.gather(self._cells.close(), *checkpoints)
        if self._settings.sessions.get(self.name) is self:
            del self._settings.sessions[self.name]

    close = aclose

    def __repr__(self) -> str:
        state = "closed" if self.closed else "running" if self._cells.running else "idle"
        return f"<Session {self.name!r} {state}>"


async def _let_be(_: None) -> None:
    """What nobody waits for any more has happened all the same."""
