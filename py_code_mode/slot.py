"""The place in a session where its kernel sits: one kernel after another.

Place in the house: executor layer, below ``session``. Starts kernels, notices that one died,
replaces it, and sees to it that nothing of a former one stays behind.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from kernel_bootstrap.wire.messages import Query
from py_code_mode.calls import SessionCalls
from py_code_mode.errors import CodeModeError, SessionClosed
from py_code_mode.settings import SessionSettings

if TYPE_CHECKING:
    from py_code_mode.kernel.others import OnOther
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["KernelSlot"]

T = TypeVar("T")


class KernelSlot:
    """Holds the session's current kernel.

    Args:
        name: Name of the session.
        settings: How kernels are started.
        calls: Serves the requests of whichever kernel is current.
        on_other: Called when another program's cell begins on it.

    Attributes:
        closed: Whether the session was closed.
        current: The kernel; None: there is none now.
        untold: How the variables were lost, if nobody has heard of it yet; else empty.
    """

    def __init__(
        self, name: str, settings: SessionSettings, calls: SessionCalls, on_other: OnOther
    ) -> None:
        self._name = name
        self._on_other = on_other
        self._settings = settings
        self._calls = calls
        self._starting: asyncio.Task[KernelProcess] | None = None
        self._cleanups: set[asyncio.Task[Any]] = set()
        self.closed = False
        self.current: KernelProcess | None = None
        self.untold = ""

    async def ready(self, patience: float | None = None) -> KernelProcess:
        """Return a kernel that is up and knows the newest tools; start one if need be.

        Args:
            patience: Seconds it may take to hear of new tools, if less than usual.

        Raises:
            KernelStartError: It did not come up.
            KernelDied: It has ended while it was told of new tools.
            KernelUnresponsive: It does not hear of them.
            SessionClosed: The session was closed meanwhile.
        """
        if self.current is None:
            starting = self._starting
            if starting is None or _has_failed(starting):  # that was then
                starting = self.start()
            try:
                self.current = await asyncio.shield(starting)
            except asyncio.CancelledError:
                if self.closed and starting.cancelled():
                    raise SessionClosed(f"session {self._name!r} was closed") from None
                raise
            finally:
                if starting.done():
                    self._starting = None
                    self._take(starting)
            await self._settings.announce(self.current, self._name)
        version = self._settings.tools.version
        if version != self.current.knows_tools:
            tools = self._settings.catalogue()
            await self.current.query(Query.CATALOGUE, patience=patience, tools=tools)
            self.current.knows_tools = version
        return self.current

    def _take(self, started: asyncio.Task[KernelProcess]) -> None:
        """Keep a kernel that came up just as whoever waited for it was cancelled."""
        if self.current is None and not self.closed and not started.cancelled():
            self.current = None if started.exception() else started.result()

    def start(self) -> asyncio.Task[KernelProcess]:
        """Begin to start a kernel in the background."""
        self._starting = asyncio.create_task(self._start(), name=f"start {self._name}")
        # A failure is raised to whoever needs the kernel; nobody may ever ask.
        self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._starting

    async def _start(self) -> KernelProcess:
        kernel = await self._settings.new_kernel()
        self._serve(kernel)
        return kernel

    def _serve(self, kernel: KernelProcess) -> None:
        kernel.serve(self._calls.on_request, self._calls.on_cancel, self._on_other)

    async def branch(self) -> tuple[KernelProcess, list[str]]:
        """Fork the current kernel.

        Returns:
            The branch, and sentences on what did not come along.

        Raises:
            CodeModeError: It cannot be forked now, or at all.
        """
        kernel = await self.ready()
        return await kernel.fork(self._settings.kernel, self._settings.catalogue())

    async def adopt(self, kernel: KernelProcess) -> None:
        """Take a kernel that is up in place of the current one, which is closed."""
        former, self.current, self.untold = self.current, kernel, ""
        self._serve(kernel)
        try:
            await self._settings.announce(kernel, self._name)
        finally:
            if former is not None:
                self._calls.cancel_all()
                await former.close(now=True)

    def give_up(self) -> KernelProcess | None:
        """Let somebody else have the current kernel."""
        kernel, self.current = self.current, None
        return kernel

    def take_loss(self) -> str:
        """Say how the variables were lost, once, if nobody has heard of it; else empty.

        A kernel that died between cells is put away, and another one started.
        """
        kernel = self.current
        if kernel is not None and kernel.died.done():
            self.untold = kernel.how_it_ended()
            self._put_away(kernel)
        untold, self.untold = self.untold, ""
        return untold

    async def replace(self, kernel: KernelProcess) -> None:
        """Kill a kernel and begin to start its successor."""
        await kernel.kill()
        self._put_away(kernel)

    async def unwind(self) -> None:
        """Let the calls that were cancelled come to an end."""
        await self._calls.unwind()

    def _put_away(self, kernel: KernelProcess) -> None:
        self.current = None
        self._calls.cancel_all()
        self.keep(asyncio.create_task(kernel.close(now=True)))
        if not self.closed:
            self.start()

    async def reset(self) -> None:
        """Close the kernel and bring up another."""
        self.untold = ""
        if self.current is not None:
            kernel, self.current = self.current, None
            self._calls.cancel_all()
            await kernel.close(now=True)
        await self.ready()

    def give_up_start(self) -> None:
        """Stop starting a kernel: its environment may take minutes to be made."""
        # Once: a second time would cancel what it does to give the kernel up in good order.
        if self._starting is not None and not self._starting.cancelling():
            self._starting.cancel()

    async def whole(self, work: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[None]]) -> T:
        """Do work on kernels to its end, also if whoever waits for it goes away meanwhile.

        Half of it would leave a kernel that is nobody's.

        Args:
            work: It.
            undo: Does away with what nobody waits for any more.
        """
        task = asyncio.create_task(work, name=f"work on {self._name}")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                self.keep(asyncio.create_task(_undo(task, undo)))
            raise

    async def close(self) -> None:
        """End everything."""
        self.closed = True
        self._calls.cancel_all()
        self.give_up_start()
        starting, self._starting = self._starting, None
        if starting is not None:
            await asyncio.wait({starting})
            if not starting.cancelled() and starting.exception() is None:
                await starting.result().close(now=True)
        if self.current is not None:
            kernel, self.current = self.current, None
            await kernel.close()
        while self._cleanups:
            await asyncio.wait(set(self._cleanups))

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Remember a task that must end before the session is closed."""
        self._cleanups.add(task)
        task.add_done_callback(self._cleanups.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())


async def _undo(task: asyncio.Task[T], undo: Callable[[T], Awaitable[None]]) -> None:
    with contextlib.suppress(CodeModeError, asyncio.CancelledError):
        await undo(await task)


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None
