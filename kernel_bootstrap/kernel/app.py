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
import threading
import warnings
from pathlib import Path
from typing import Any

import zmq
from ipykernel.kernelapp import IPKernelApp
from tornado import ioloop
from traitlets.config import Config

from kernel_bootstrap.kernel.interrupts import ignore_interrupt
from kernel_bootstrap.kernel.iopub import DirectIOPub
from kernel_bootstrap.kernel.kernel import SessionKernel
from kernel_bootstrap.kernel.session import KernelSession
from kernel_bootstrap.kernel.streams import MIRROR_DIRECTORY
from kernel_bootstrap.threads import inherit_context

__all__ = ["SessionKernelApp"]


class NoShellThread:
    """Stands where ipykernel keeps its shell thread: false, and the main thread is its parent."""

    parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class SessionKernelApp(IPKernelApp):  # type: ignore[misc]
    """``IPKernelApp`` with our kernel, no user configuration and no history database."""

    kernel_class = SessionKernel
    iopub_port: int
    outstream_class = "kernel_bootstrap.kernel.streams.CellStream"

    def load_config_file(self, suppress_errors: Any = None) -> None:  # noqa: ARG002 - traitlets' signature
        """Read none: a person's IPython profile must not change what agents get."""
        # History writes to SQLite cost 2-8 ms a cell and share a file between sessions.
        self.update_config(Config({"HistoryManager": {"enabled": False}}))
        # Completion asks objects for their attributes only if they are known to be harmless.
        known = {"allowed_getattr_external": [["kernel_bootstrap"]]}
        self.update_config(Config({"IPCompleter": {"policy_overrides": known}}))

    def _session_default(self) -> KernelSession:
        return KernelSession(parent=self)

    def init_control(self, context: zmq.Context[Any]) -> None:
        """Open the control channel; shell messages are read by the main thread itself.

        ipykernel 7 reads them in a thread of their own, for subshells. Ours has none (replies
        to a busy kernel come on control), and each hop between threads costs a cell 0.5 ms.
        """
        super().init_control(context)
        self.shell_channel_thread = NoShellThread()

    def init_iopub(self, context: zmq.Context[Any]) -> None:
        """Open iopub so that it waits for slow readers instead of dropping messages."""
        socket = context.socket(zmq.XPUB)
        socket.linger = 1000
        socket.setsockopt(zmq.XPUB_NODROP, 1)
        encrypt = getattr(self, "_apply_curve_server_options", None)  # since ipykernel 7.4
        if encrypt is not None:
            encrypt(socket)
        self.iopub_port = self._bind_socket(socket, self.iopub_port)
        self.iopub_thread = DirectIOPub(socket, self.session)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def init_signal(self) -> None:
        """Ignore interrupts outside cells; SIGUSR1 writes all stacks without needing the GIL."""
        # Some parents block SIGINT, and kernels inherit the mask.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGUSR1})
        signal.signal(signal.SIGINT, ignore_interrupt)
        directory = os.environ.pop(MIRROR_DIRECTORY, None)
        if directory:
            path = Path(directory, "stack.txt")
            self._stack_file = path.open("w")  # open as long as the kernel lives
            faulthandler.register(signal.SIGUSR1, file=self._stack_file, all_threads=True)

    def init_code(self) -> None:
        """Run no startup files."""

    def start(self) -> None:
        """Run until the kernel is shut down."""
        inherit_context()
        # traitlets leaves the logger at DEBUG: records nobody reads, made for each message.
        self.log.setLevel(self.log_level)
        # IPython's advice on SystemExit does not fit: leaving ends only the cell.
        warnings.filterwarnings("ignore", "To exit: use")
        if self.poller is not None:
            self.poller.start()
        self.kernel.start()
        self.io_loop = ioloop.IOLoop.current()
        self._wakeup = _wake_on_signals(self.io_loop.asyncio_loop)  # type: ignore[attr-defined]
        while True:
            try:
                self.io_loop.start()
            except KeyboardInterrupt:
                # Raised in a task of the user: asyncio lets it out of the loop as well.
                continue
            break


def _wake_on_signals(loop: asyncio.AbstractEventLoop) -> tuple[socket.socket, socket.socket]:
    """Make the waiting loop notice signals that another thread received.

    Returns:
        The sockets that carry the notice; they must stay open with the loop.
    """
    read, write = socket.socketpair()
    for end in (read, write):
        end.settimeout(0)

    def drain() -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            read.recv(4096)

    loop.add_reader(read, drain)
    # full buffer: the loop is awake anyway
    signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    return read, write
