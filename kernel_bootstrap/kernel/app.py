"""Start a session's kernel.

Place in the house: top of ``kernel``; called by ``__main__`` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import socket
from typing import Any

import zmq
from ipykernel.kernelapp import IPKernelApp
from tornado import ioloop
from traitlets.config import Config

from kernel_bootstrap.kernel.kernel import SessionKernel, ignore_interrupt
from kernel_bootstrap.threads import inherit_context

__all__ = ["STACK_FILE", "SessionKernelApp"]

STACK_FILE = "PY_CODE_MODE_STACK_FILE"
"""Environment variable naming the file that takes the stacks of all threads on SIGUSR1."""


class SessionKernelApp(IPKernelApp):  # type: ignore[misc]
    """``IPKernelApp`` with our kernel, no user configuration and no history database."""

    kernel_class = SessionKernel
    outstream_class = "kernel_bootstrap.kernel.streams.CellStream"

    def load_config_file(self, suppress_errors: Any = None) -> None:  # noqa: ARG002 - traitlets' signature
        """Read none: a person's IPython profile must not change what agents get."""
        # History writes to SQLite cost 2-8 ms a cell and share a file between sessions.
        self.update_config(Config({"HistoryManager": {"enabled": False}}))

    def init_iopub(self, context: zmq.Context[Any]) -> None:
        """Open iopub so that it waits for slow readers instead of dropping messages."""
        super().init_iopub(context)
        self.iopub_thread.socket.setsockopt(zmq.XPUB_NODROP, 1)

    def init_signal(self) -> None:
        """Ignore interrupts outside cells; SIGUSR1 writes all stacks without needing the GIL."""
        # Some parents block SIGINT, and kernels inherit the mask.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGUSR1})
        signal.signal(signal.SIGINT, ignore_interrupt)
        path = os.environ.pop(STACK_FILE, None)
        if path:
            self._stack_file = open(path, "w")  # noqa: SIM115, PTH123 - open as long as the kernel
            faulthandler.register(signal.SIGUSR1, file=self._stack_file, all_threads=True)

    def init_code(self) -> None:
        """Run no startup files."""

    def start(self) -> None:
        """Run until the kernel is shut down."""
        inherit_context()
        if self.poller is not None:
            self.poller.start()
        self.kernel.start()
        self.io_loop = ioloop.IOLoop.current()
        _wake_on_signals(self.io_loop.asyncio_loop)  # type: ignore[attr-defined]
        while True:
            try:
                self.io_loop.start()
            except KeyboardInterrupt:
                # Raised in a task of the user: asyncio lets it out of the loop as well.
                continue
            break


def _wake_on_signals(loop: asyncio.AbstractEventLoop) -> None:
    """Make the waiting loop notice signals that another thread received."""
    read, write = socket.socketpair()
    for end in (read, write):
        end.settimeout(0)

    def drain() -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            read.recv(4096)

    loop.add_reader(read, drain)
    # full buffer: the loop is awake anyway
    signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    loop.py_code_mode_wakeup = (read, write)  # type: ignore[attr-defined] - kept open with it
