"""SIGINT in a kernel: where it raises, where it waits, where it does nothing.

Place in the house: bottom of ``kernel``. Outside cells an interrupt does nothing; in a cell it
raises, except while the main thread hands over output: what the cell has printed must arrive
whole, and once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

__all__ = [
    "InterruptWatch",
    "Interrupts",
    "counts_as_waiting",
    "ignore_interrupt",
    "interrupt_after",
    "interrupts",
    "is_waiting",
]


class Interrupts:
    """Interrupts of the cell that runs.

    What they wait for is a lock that the main thread holds: taking one is a single step, which
    no signal handler of the user's can leave half done.

    Attributes:
        taken: How many interrupts a handler in Python has seen.
        loop: The loop of the control thread, once there is one.
    """

    def __init__(self) -> None:
        self._main = threading.main_thread().ident
        self._waits: list[Callable[[], bool]] = []
        self._pending = False
        self.taken = 0
        self.loop: asyncio.AbstractEventLoop | None = None

    def wait_while(self, held: Callable[[], bool]) -> None:
        """Let interrupts wait while ``held`` says that the calling thread holds its lock.

        Whoever has given the lock back calls ``raise_pending``.
        """
        self._waits.append(held)

    def handle(self, _signum: int, _frame: FrameType | None) -> None:
        """Handle SIGINT while a cell runs."""
        self.taken += 1
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


def ignore_interrupt(_signum: int, _frame: FrameType | None) -> None:
    """Handle SIGINT while no cell runs.

    A function, not ``SIG_IGN``: that would be inherited by child processes.
    """
    interrupts.taken += 1


@contextlib.contextmanager
def interrupt_after(seconds: float) -> Iterator[None]:
    """Interrupt what the main thread does in the block, in a cell, if it takes longer.

    Raises:
        KeyboardInterrupt: It did, or the cell was interrupted.
    """
    lock, over = threading.Lock(), False
    main, loop = threading.get_ident(), interrupts.loop
    assert loop is not None, "a cell runs"

    def strike() -> None:
        with lock:
            if not over:
                signal.pthread_kill(main, signal.SIGINT)

    # In a thread that is there: without memory a new one would be waited for in vain.
    loop.call_soon_threadsafe(loop.call_later, seconds, strike)
    try:
        yield
    finally:
        with lock:
            over = True


_PATIENCE = (0.01, 0.05, 0.25, 1.0)
"""Seconds after which an interrupt that no handler has seen is followed by a nudge."""


class InterruptWatch:
    """Sees to it that an interrupt reaches the main thread's Python code.

    Python's handlers run between two instructions. An interrupt that comes after the last of them
    and before the system call that blocks (``time.sleep``, a lock, a read) is noted, and the call
    begins all the same; so does one that another thread receives. On a busy machine that is no
    rare thing: the thread that sends the interrupt gets the interpreter in that very moment. So
    the control thread hears of each signal, and nudges the main thread out of its system call
    while no handler has run. The nudge is SIGURG: by default it does nothing, in children too.

    Args:
        main_loop: The loop of the main thread, which calls this; it is woken as well.
        control_loop: The loop of the control thread.
    """

    def __init__(
        self, main_loop: asyncio.AbstractEventLoop, control_loop: asyncio.AbstractEventLoop
    ) -> None:
        self._main_loop, self._control_loop = main_loop, control_loop
        interrupts.loop = control_loop
        self._main = threading.get_ident()
        self._known = interrupts.taken
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.settimeout(0)
        control_loop.call_soon_threadsafe(control_loop.add_reader, self._read, self._hear)
        if signal.getsignal(signal.SIGURG) in {signal.SIG_DFL, signal.SIG_IGN}:
            signal.signal(signal.SIGURG, _do_nothing)
        # full buffer: the thread is about to look anyway
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def _hear(self) -> None:
        """Take the numbers of the signals that have come, in the control thread."""
        numbers = b""
        with contextlib.suppress(BlockingIOError, InterruptedError):
            numbers = self._read.recv(4096)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the kernel is ending
            self._main_loop.call_soon_threadsafe(lambda: None)
        if signal.SIGINT in numbers:
            self._see_through(_PATIENCE)

    def _see_through(self, waits: tuple[float, ...]) -> None:
        if interrupts.taken != self._known:
            self._known = interrupts.taken
            return
        if waits is not _PATIENCE:
            signal.pthread_kill(self._main, signal.SIGURG)
        if waits:
            self._control_loop.call_later(waits[0], self._see_through, waits[1:])


def _do_nothing(_signum: int, _frame: FrameType | None) -> None:
    """Handle the nudge: that a handler runs is all it is for."""


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
