"""SIGINT in a kernel: where it raises, where it waits, where it does nothing.

Place in the house: bottom of ``kernel``. Outside cells an interrupt does nothing; in a cell it
raises, except while the main thread hands over output: what the cell has printed must arrive
whole, and once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

__all__ = ["Interrupts", "counts_as_waiting", "ignore_interrupt", "interrupts", "is_waiting"]


class Interrupts:
    """Interrupts of the cell that runs.

    What they wait for is a lock that the main thread holds: taking one is a single step, which
    no signal handler of the user's can leave half done.
    """

    def __init__(self) -> None:
        self._main = threading.main_thread().ident
        self._waits: list[Callable[[], bool]] = []
        self._pending = False

    def wait_while(self, held: Callable[[], bool]) -> None:
        """Let interrupts wait while ``held`` says that the calling thread holds its lock.

        Whoever has given the lock back calls ``raise_pending``.
        """
        self._waits.append(held)

    def handle(self, _signum: int, _frame: FrameType | None) -> None:
        """Handle SIGINT while a cell runs."""
        if self._must_wait():
            self._pending = True
        else:
            raise KeyboardInterrupt

    def raise_pending(self) -> None:
        """Raise the interrupt that came meanwhile, if any, once nothing is held any more."""
        if self._pending and threading.get_ident() == self._main and not self._must_wait():
            self._pending = False
            raise KeyboardInterrupt

    def forget(self) -> None:
        """Drop an interrupt that came too late for its cell."""
        self._pending = False

    def _must_wait(self) -> bool:
        return any(held() for held in self._waits)


interrupts = Interrupts()
"""Those of this process: signals belong to processes."""


def ignore_interrupt(signum: int, frame: FrameType | None) -> None:
    """Handle SIGINT while no cell runs.

    A function, not ``SIG_IGN``: that would be inherited by child processes.
    """


_waiting: set[CodeType] = set()


def counts_as_waiting(function: Callable[..., Any]) -> None:
    """Let a callback of ours count as the event loop's code: an interrupt must not raise in it."""
    _waiting.add(function.__code__)


def is_waiting(frame: FrameType | None) -> bool:
    """Whether the main thread is inside the event loop's own code, not in a callback."""
    if threading.current_thread() is not threading.main_thread():
        return True
    while frame is not None:
        code = frame.f_code
        if code in _waiting:
            return True
        if code.co_name == "_run" and code.co_filename.endswith("events.py"):
            return False
        if code.co_name == "_run_once":
            return True
        frame = frame.f_back
    return False
