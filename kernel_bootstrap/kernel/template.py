"""The template: a process that has imported everything and forks into kernels on demand.

Place in the house: top of ``kernel``; called by ``__main__`` alone. It runs no
agent's code and holds no connection of any session. Its host owns the other end of the control
socket and gives, for each kernel, three descriptors: a connection, and the kernel's stdout and
stderr. Over the connection the template sends a descriptor of the new process (pidfd); the process
itself hears there what to become (``wire.birth``); in the end the template tells how it ended,
``{"exit": code}``. When the control socket closes, it ends.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from IPython.core.profiledir import ProfileDir

from kernel_bootstrap.kernel.app import SessionKernelApp
from kernel_bootstrap.kernel.branch import become_kernel
from kernel_bootstrap.kernel.forks import be_independent, end_process, redirect_output
from kernel_bootstrap.kernel.preload import run_preload

__all__ = ["run_template"]

USED_LATER = (
    *("IPython.core.debugger", "IPython.core.logger", "IPython.core.magics.namespace"),
    *("IPython.extensions.storemagic", "debugpy.server.api", "ipykernel.debugger"),
    *("pygments.formatters.html", "pygments.formatters.terminal256", "pygments.lexers.python"),
    *("pygments.styles.default", "stack_data", "email.feedparser", "encodings.idna", "gzip"),
    *("tornado.platform.asyncio", "matplotlib_inline.config", "uuid", "timeit", "pdb"),
)
"""What a kernel imports while it starts, and in its first cells."""

IDLE_SECONDS = 0.05
"""Without a request for so long, a new template imports one more of ``USED_LATER``."""

PR_SET_CHILD_SUBREAPER = 36
"""``prctl(2)``: orphans below this process become its children."""


@dataclass(slots=True)
class _Kernel:
    pid: int
    pidfd: int
    connection: socket.socket


class _Template:
    """The loop of the template process.

    Args:
        control: This end of the control socket.
        become_kernel: What a forked process does; it does not return.
    """

    def __init__(
        self, control: socket.socket, become_kernel: Callable[[socket.socket], None]
    ) -> None:
        self._control = control
        self._become_kernel = become_kernel
        self._kernels: dict[int, _Kernel] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._serve)
        self._wake, self._wakeup = socket.socketpair()
        for end in (self._wake, self._wakeup):
            end.setblocking(False)  # noqa: FBT003 - its only argument
        self._selector.register(self._wake, selectors.EVENT_READ, self._reap_orphans)
        _adopt_orphans(self._wakeup)

    def run(self) -> None:
        """Fork when asked to, and report ends; SystemExit when the host goes away."""
        later = list(USED_LATER)
        while True:
            # Whoever has started the template waits for a first kernel; after that is time.
            events = self._selector.select(IDLE_SECONDS if later else None)
            if not events:
                _import_if_there(later.pop())
                _freeze()
            for key, _ in events:
                key.data()

    def _serve(self) -> None:
        message, fds, _, _ = socket.recv_fds(self._control, 16, 3)
        if not message:
            raise SystemExit  # the host has gone away
        for fd in fds:
            os.set_inheritable(fd, False)  # noqa: FBT003 - its only argument
        if len(fds) == 3:  # noqa: PLR2004 - connection, stdout, stderr
            self._fork(*fds)

    def _fork(self, connection_fd: int, out: int, err: int) -> None:
        connection = socket.socket(fileno=connection_fd)
        left, leaves = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.close(leaves)
            os.close(left)
            self._leave(connection, out, err)
        os.close(leaves)
        # Whoever ends this process ends its group: only what has left that is handed out.
        os.read(left, 1)
        os.close(left)
        os.close(out)
        os.close(err)
        kernel = _Kernel(pid, os.pidfd_open(pid), connection)
        self._kernels[pid] = kernel
        ended = functools.partial(self._has_ended, kernel)
        self._selector.register(kernel.pidfd, selectors.EVENT_READ, ended)
        with suppress(OSError):
            # The host looks its number up: in a namespace of its own this process knows another.
            socket.send_fds(connection, [b"forked"], [kernel.pidfd])

    def _leave(self, connection: socket.socket, out: int, err: int) -> NoReturn:
        """Be a kernel, in the forked process; never come back to the template's loop."""
        try:
            self._selector.close()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            redirect_output(out, err)
            be_independent({connection.fileno()})  # it leads its session already
            os.close(out)
            os.close(err)
            self._become_kernel(connection)
        finally:
            end_process(1)

    def _has_ended(self, kernel: _Kernel) -> None:
        self._selector.unregister(kernel.pidfd)
        # Not yet reaped, so the group's number cannot be another's: end what is left of it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(kernel.pid, signal.SIGKILL)
        _, status = os.waitpid(kernel.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        del self._kernels[kernel.pid]
        with suppress(OSError):
            kernel.connection.sendall(json.dumps({"exit": code}).encode() + b"\n")
        kernel.connection.close()
        os.close(kernel.pidfd)
        self._reap_orphans()

    def _reap_orphans(self) -> None:
        """Let branches of kernels go whose own parent has ended before them."""
        with suppress(BlockingIOError):
            self._wake.recv(4_096)
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None or ended.si_pid in self._kernels:
                return
            os.waitpid(ended.si_pid, 0)


def _adopt_orphans(wakeup: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _prepare(preload: Sequence[str]) -> SessionKernelApp:
    """Import everything, make kernel and shell, and let all of it be shared with the forks."""
    with tempfile.TemporaryDirectory() as directory:
        # Only a place to point at: each kernel gets a profile of its own.
        profile = ProfileDir.create_profile_dir(directory)
        app: SessionKernelApp = SessionKernelApp.instance()
        app.prepare(profile)
    _exercise(app)
    run_preload(app.shell.user_ns, preload)
    _freeze()
    return app


def _exercise(app: SessionKernelApp) -> None:
    """Go once through what a cell goes through, so that no kernel is the first to.

    Defaults are made, patterns compiled, instructions specialised; and all of that is shared.
    """
    app.shell.run_cell("None", silent=True)
    app.shell.display_formatter.format(None)


def _import_if_there(name: str) -> None:
    with suppress(ImportError):
        importlib.import_module(name)


def _freeze() -> None:
    # Else the first collection in a kernel would touch, and so copy, every object there is.
    gc.collect()
    gc.freeze()


def run_template(control_fd: int, preload: Sequence[str]) -> None:
    """Get ready, say so, and fork until the host goes away.

    Args:
        control_fd: Inherited end of the control socket (SOCK_SEQPACKET).
        preload: Modules to import, and scripts (``.py``) to run in the session's namespace.
    """
    control = socket.socket(fileno=control_fd)
    ready: dict[str, Any] = {"ready": True}
    try:
        app = _prepare(preload)
    except BaseException as error:  # noqa: BLE001 - whatever a preload raises is the answer
        ready = {"ready": False, "error": f"{type(error).__name__}: {error}"}
    control.send(json.dumps(ready)[:60_000].encode())
    if ready["ready"]:
        _Template(control, lambda connection: become_kernel(connection, app)).run()
