"""Start a session's kernel, in a process of its own or in a forked one.

Place in the house: above ``kernel``, below ``template`` and ``branch``; ``__main__`` calls it.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
import uuid
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipykernel
import zmq
from ipykernel.heartbeat import Heartbeat
from ipykernel.kernelapp import IPKernelApp
from IPython.core.profiledir import ProfileDir
from tornado import ioloop
from traitlets.config import Config

from kernel_bootstrap.kernel.figures import set_figure_format
from kernel_bootstrap.kernel.interrupts import InterruptWatch, ignore_interrupt
from kernel_bootstrap.kernel.iopub import DirectIOPub
from kernel_bootstrap.kernel.kernel import SessionKernel
from kernel_bootstrap.kernel.session import KernelSession
from kernel_bootstrap.kernel.streams import CellStream
from kernel_bootstrap.threads import inherit_context
from kernel_bootstrap.wire.birth import AWAIT_HOST, DIRECTORY, FIGURE_FORMAT

__all__ = ["CONFIG", "SessionKernelApp"]

CONFIG = {
    # History writes to SQLite cost 2-8 ms a cell and share a file between sessions.
    "HistoryManager": {"enabled": False},
    # Completion asks objects for their attributes only if they are known to be harmless.
    "IPCompleter": {"policy_overrides": {"allowed_getattr_external": [["kernel_bootstrap"]]}},
}
"""IPython's settings in a session."""


_former_lives: list[object] = []


class GivenHeartbeat(Heartbeat):  # type: ignore[misc]
    """ipykernel's heartbeat at a socket that somebody else has opened.

    Args:
        fd: Its descriptor.
        address: Transport, path and number.
        **keys: Those it encrypts with, if it is to.
    """

    def __init__(self, fd: int, address: tuple[str, str, int], **keys: Any) -> None:
        self._fd = fd
        super().__init__(zmq.Context(), address, **keys)

    def _try_bind_socket(self) -> Any:
        self.socket.setsockopt(zmq.USE_FD, self._fd)
        return super()._try_bind_socket()


class NoShellThread:
    """Stands where ipykernel keeps its shell thread: false, and the main thread is its parent."""

    parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class SessionKernelApp(IPKernelApp):  # type: ignore[misc]
    """``IPKernelApp`` with our kernel, no user configuration and no history database."""

    kernel_class = SessionKernel
    iopub_port: int
    parent_handle: int
    poller: Any

    main_loop: asyncio.AbstractEventLoop
    """The loop of the main thread, while ``start`` runs."""

    forked = False
    """Whether the process was forked for this kernel, so that its parent is not its host."""

    streams: dict[str, CellStream] | None = None
    """stdout and stderr; in a branch those of the kernel it was forked from."""

    listeners: Mapping[str, int] = {}
    """Descriptors of sockets that the host has opened for the kernel, by channel."""

    on_stop: Callable[[], bool] | None = None
    """Called in the main thread when the loop has stopped; true lets it run on."""

    _stack_file: Any = None

    def prepare(self, profile: ProfileDir) -> None:
        """Make kernel and shell before there is anything to talk to, for ``reopen`` in forks.

        Args:
            profile: Stands in until each fork gets its own.
        """
        self.load_config_file()
        self.profile_dir = profile
        self.init_pdb()
        self.kernel = SessionKernel.instance(
            parent=self, session=self.session, log=self.log, profile_dir=profile
        )
        self.init_path()
        self.init_shell()
        self.init_gui_pylab()
        self.init_extensions()

    def reopen(self, argv: list[str]) -> None:
        """Begin to talk to a host, in a process forked from one where kernel and shell were made.

        What is left of the former life is kept aside: taking sockets, loops and threads of
        another process apart would disturb that process.

        Args:
            argv: Arguments, as for ``initialize``.
        """
        _former_lives.append((dict(self._trait_values), dict(vars(self))))
        if self.kernel.capture is not None:
            self.kernel.capture.abandon()
        self.forked = True
        self.poller = self.context = self.profile_dir = None
        for name in ("shell", "iopub", "stdin", "hb", "control"):
            setattr(self, f"{name}_port", 0)
        self.session.session, self.session.pid = uuid.uuid4().hex, os.getpid()
        self.parse_command_line(argv)
        self.init_profile_dir()
        self.init_connection_file()
        self.init_sockets()
        self.init_heartbeat()
        self.write_connection_file()
        self.log_connection_info()
        self.init_io()
        self.init_signal()
        self.init_kernel()
        self.init_gui_pylab()  # the environment is a new one, too

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Read the arguments; those our host gives need no parser, which takes 10 ms to build."""
        known = {"-f": "connection_file", "--ipython-dir": "ipython_dir"}
        pairs = dict(zip(argv[::2], argv[1::2], strict=False)) if argv else {}
        if pairs.keys() == known.keys() and len(argv or ()) == 2 * len(known):
            self.update_config(
                Config({type(self).__name__: {known[key]: value for key, value in pairs.items()}})
            )
            return
        super().parse_command_line(argv)

    def load_config_file(self, suppress_errors: Any = None) -> None:  # noqa: ARG002 - traitlets' signature
        """Read none: a person's IPython profile must not change what agents get."""
        self.update_config(Config(CONFIG))

    def _ip_default(self) -> str:
        # Stands in until the connection file is read; jupyter_client would run a program to look.
        return "127.0.0.1" if self.transport == "tcp" else str(super()._ip_default())

    def _session_default(self) -> KernelSession:
        return KernelSession(parent=self)

    def init_gui_pylab(self) -> None:
        """Let matplotlib draw inline, in the format that the host wants."""
        super().init_gui_pylab()
        name = os.environ.pop(FIGURE_FORMAT, "")
        if name:
            set_figure_format(self.shell, name)

    def init_poller(self) -> None:
        """Watch the parent, if that is the host."""
        if not self.forked:
            super().init_poller()

    def _try_bind_socket(self, s: zmq.Socket[Any], port: int) -> Any:
        """Listen at the socket that the host has opened, if it has."""
        own = {getattr(self, f"{name}_port"): fd for name, fd in self.listeners.items()}
        if port in own:
            s.setsockopt(zmq.USE_FD, own[port])
        return super()._try_bind_socket(s, port)

    def init_heartbeat(self) -> None:
        """Start the heartbeat, at the host's socket if there is one."""
        fd = self.listeners.get("hb")
        if fd is None:
            super().init_heartbeat()
            return
        keys = {}
        if getattr(self, "curve_secretkey", None) is not None:
            keys = {name: getattr(self, name) for name in ("curve_publickey", "curve_secretkey")}
        self.heartbeat = GivenHeartbeat(fd, (self.transport, self.ip, self.hb_port), **keys)
        self.heartbeat.start()

    def init_sockets(self) -> None:
        """Open the sockets; none if they are to be encrypted and ipykernel cannot."""
        # An older one would read past the keys, and speak plainly to the whole network.
        can_encrypt = hasattr(self, "_apply_curve_server_options")
        if not can_encrypt and "curve_secretkey" in Path(self.abs_connection_file).read_text():
            version = ipykernel.__version__
            os.write(2, f"ipykernel {version} cannot encrypt, 7.3 or newer can\n".encode())
            sys.exit(1)
        super().init_sockets()

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
        encrypt = getattr(self, "_apply_curve_server_options", None)  # since ipykernel 7.3
        if encrypt is not None:
            encrypt(socket)
        self.iopub_port = self._bind_socket(socket, self.iopub_port)
        self.iopub_thread = DirectIOPub(socket, self.session)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def log_connection_info(self) -> None:
        """Tell how to connect, if a person has started this kernel in a terminal."""
        self.parent_handle = self.parent_handle or int(self.forked)
        super().log_connection_info()

    def init_io(self) -> None:
        """Capture what Python prints; streams in use stay the objects they are."""
        if self.streams is None:
            options = {"session": self.session, "pub_thread": self.iopub_thread}
            self.streams = {name: CellStream(name=name, **options) for name in ("stdout", "stderr")}
            sys.stdout, sys.stderr = self.streams["stdout"], self.streams["stderr"]
        else:
            for stream in self.streams.values():
                stream.attach(self.session, self.iopub_thread)
        # The displays of the base class, without its streams.
        self.outstream_class = None
        super().init_io()

    def init_signal(self) -> None:
        """Ignore interrupts outside cells; SIGUSR1 writes all stacks without needing the GIL."""
        # Some parents block SIGINT, and kernels inherit the mask.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGUSR1})
        signal.signal(signal.SIGINT, ignore_interrupt)
        directory = os.environ.pop(DIRECTORY, None)
        if directory:
            path = Path(directory, "stack.txt")
            self._stack_file = path.open("w")  # open as long as the kernel lives
            faulthandler.register(signal.SIGUSR1, file=self._stack_file, all_threads=True)

    def init_code(self) -> None:
        """Run no startup files."""

    def _await_host(self, seconds: str) -> None:
        """Read no shell messages before the host is there, if a front end sends them already."""
        if seconds:
            stream, loop = self.kernel.shell_stream, self.main_loop
            stream.hold()
            self.kernel.host.on_begin = lambda: loop.call_soon_threadsafe(stream.release)
            loop.call_later(float(seconds), stream.release)

    def start(self) -> None:
        """Run until the kernel is shut down."""
        inherit_context()
        # traitlets leaves the logger at DEBUG: records nobody reads, made for each message.
        self.log.setLevel(self.log_level)
        # IPython's advice on SystemExit does not fit: leaving ends only the cell.
        warnings.filterwarnings("ignore", "To exit: use")
        # Before the kernel: its control channel answers at once, and a request to fork asks for
        # the loop. In a branch there is one already, that of the kernel it was forked from.
        self.io_loop = ioloop.IOLoop.current()
        self.main_loop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        control_loop = self.control_thread.io_loop.asyncio_loop
        self._watch = InterruptWatch(self.main_loop, control_loop)
        if self.poller is not None:
            self.poller.start()
        self._await_host(os.environ.pop(AWAIT_HOST, ""))
        self.kernel.start()
        while True:
            try:
                self.io_loop.start()
            except KeyboardInterrupt:
                # Raised in a task of the user: asyncio lets it out of the loop as well.
                continue
            if self.on_stop is None or not self.on_stop():
                break
