"""How a person looks into a session: at what it does, in JupyterLab, in the debugger.

Place in the house: executor layer, below ``session``, whose sessions have this; an executor has it
for its default session.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from py_code_mode import live
from py_code_mode.cellqueue import CellQueue
from py_code_mode.errors import KernelError
from py_code_mode.kernel.debugging import Ask, Show, debug_failure, write_out
from py_code_mode.peek import Peek

if TYPE_CHECKING:
    from py_code_mode.lab import LabPage

__all__ = ["Inspectable"]


class Inspectable(ABC):
    """Can be looked into."""

    @abstractmethod
    def _queue(self) -> CellQueue:
        """Return the session's cells."""

    async def peek(self) -> Peek:
        """Look at the running cell: its stack, variables, tool calls and last output.

        The cell goes on meanwhile, and none of its code runs for the answer: objects of the
        user's own classes are only named. Code in C that keeps Python from running, and for which
        a stack alone can be had, is waited for two seconds.

        Returns:
            What was seen; ``running`` is false if no cell runs.

        Raises:
            SessionClosed: The session was closed.
        """
        return await self._queue().peek()

    async def open_lab(self, *, browser: bool = True) -> LabPage:
        """Open the session in JupyterLab: its cells so far, on the live kernel.

        Args:
            browser: Whether to open the page in a browser; its url is returned anyway.

        Raises:
            ConfigError: JupyterLab is not installed (extra ``lab``).
            KernelError: JupyterLab did not come up.
            KernelStartError: The session had no kernel, and none could be started.
        """
        return await self._open_lab(browser=browser)

    async def _open_lab(self, *, browser: bool, then: str = "") -> LabPage:
        from py_code_mode.lab import open_sessions

        queue = self._queue()
        if queue.slot.current is None:  # else a cell may run, and is not waited for
            await queue.start()
        kernel = queue.slot.current
        note = None if kernel is None else live.read_note(kernel.launched.notes / live.NOTE)
        if note is None:
            raise KernelError(f"session {queue.name!r} could not be announced; the log says why")
        (page,) = await asyncio.to_thread(open_sessions, [note], browser=browser, then=then)
        return page

    async def debug(
        self,
        where: Literal["console", "lab"] = "console",
        *,
        ask: Ask = input,
        show: Show = write_out,
        browser: bool = True,
    ) -> LabPage | None:
        """Open a post-mortem debugger on the frame that failed last (``%debug``).

        Cells that are sent meanwhile wait until it is left.

        Args:
            where: ``"console"``: the prompt is in this terminal, and the call returns when the
                debugger is left (``quit``, or Ctrl-D). ``"lab"``: opens the session in JupyterLab,
                with a last cell that opens the debugger when a person runs it.
            ask: Shows a prompt and returns a line; called in a thread. In the console only.
            show: Takes what the debugger prints. In the console only.
            browser: Whether to open the page in a browser. In the lab only.

        Returns:
            The page in JupyterLab; None for the console.

        Raises:
            KernelError: No cell of the session has failed, one is running, or its kernel is gone.
            KernelDied: The kernel ended meanwhile.
            ConfigError: JupyterLab is not installed (extra ``lab``).
        """
        queue = self._queue()
        kernel = queue.slot.current
        if kernel is None or not queue.notebook.has_failed:
            raise KernelError(f"no cell of session {queue.name!r} has failed: nothing to debug")
        if where == "lab":
            return await self._open_lab(browser=browser, then="%debug")
        async with queue.idle():
            await debug_failure(kernel, ask, show)
        return None
