"""Kernels in forked processes: out of a template, or as the branch of a live session.

Place in the house: above ``app``, below ``template``. A live kernel forks in its main thread,
between cells and outside its event loop, so that the branch begins with a clean stack. The
branch keeps shell, namespace and comm objects, and gets everything that talks to the outside
anew: sockets, threads, event loop, descriptors.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from kernel_bootstrap.cells import Cell, enter
from kernel_bootstrap.kernel.app import SessionKernelApp
from kernel_bootstrap.kernel.forks import be_independent, end_process, redirect_output
from kernel_bootstrap.kernel.preload import run_preload
from kernel_bootstrap.wire.birth import BUSY, DIRECTORY, LOG_FILE, Birth
from kernel_bootstrap.wire.errors import CodeModeError
from kernel_bootstrap.wire.limits import Limits

__all__ = ["become_kernel", "run_kernel"]


def run_kernel(argv: list[str], preload: Sequence[str] = ()) -> None:
    """Run a kernel in a process of its own until it is shut down.

    Args:
        argv: Arguments of the kernel application.
        preload: Modules and scripts, as for ``run_preload``.
    """
    app = SessionKernelApp.instance()
    app.initialize(argv)
    run_preload(app.shell.user_ns, preload)
    _serve(app)


def become_kernel(connection: socket.socket, app: SessionKernelApp) -> NoReturn:
    """Be a kernel until it is shut down, in a process that was just forked for it.

    Args:
        connection: Where the host says what to become.
        app: The application, with kernel, shell and namespace.
    """
    code = 1
    try:
        birth = Birth.receive(connection)
        if birth is not None:
            _settle(birth)
            asyncio.set_event_loop(asyncio.new_event_loop())
            enter(Cell({}, Limits()))
            app.reopen(list(birth.argv))
            _serve(app)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the frames below belong to another life
        sys.__excepthook__(*sys.exc_info())
    finally:
        end_process(code)


def _settle(birth: Birth) -> None:
    if birth.env is not None:
        os.environ.clear()
        os.environ.update(birth.env)
    if birth.cwd is not None:
        os.chdir(birth.cwd)
    if birth.directory is not None:
        os.environ[DIRECTORY] = birth.directory
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        log = os.open(Path(birth.directory, LOG_FILE), flags, 0o600)
        redirect_output(log, log)
        os.close(log)


def _serve(app: SessionKernelApp) -> None:
    branching = _Branching(app)
    app.on_stop = branching.fork_if_asked
    app.kernel.host.on_fork = branching.ask
    app.start()


class _Branching:
    """Forks the process of a live kernel.

    Args:
        app: Its application.
    """

    def __init__(self, app: SessionKernelApp) -> None:
        self._app = app
        self._path: str | None = None

    def ask(self, path: str) -> dict[str, Any]:
        """Fork as soon as the main thread is free; called by the thread of the control channel.

        Args:
            path: Socket on which the host waits for the branch.

        Returns:
            What will not be in the branch: names of ``threads``, number of ``tasks``.
        """
        if self._app.kernel.executing:
            raise CodeModeError("a cell is running: fork when it has ended, or interrupt it")
        loop = self._app.main_loop
        threads = [t for t in threading.enumerate() if not t.daemon]
        told = {
            "threads": [t.name for t in threads if t is not threading.main_thread()],
            "tasks": sum(not _is_ours(task) for task in asyncio.all_tasks(loop)),
        }
        self._path = path
        loop.call_soon_threadsafe(self._app.io_loop.stop)
        return told

    def fork_if_asked(self) -> bool:
        """Fork if the loop was stopped for that; the parent goes on, the child never returns."""
        path, self._path = self._path, None
        if path is None:
            return False
        if self._app.kernel.executing:  # a cell of somebody else was faster
            _come_instead(path, BUSY)
            return True
        for stream in (self._app.streams or {}).values():
            stream.flush()
        try:
            pid = os.fork()
        except OSError:
            _come_instead(path, b"")
            return True
        if pid == 0:
            self._become_branch(path)
        loop = self._app.iopub_thread.io_loop.asyncio_loop
        loop.call_soon_threadsafe(_reap_when_ended, loop, pid, Path(path).with_name("exit.txt"))
        return True

    def _become_branch(self, path: str) -> NoReturn:
        try:
            connection = socket.socket(socket.AF_UNIX)
            be_independent({connection.fileno()})
            connection.connect(path)
        except BaseException:  # noqa: BLE001 - the host waits in vain, and says so
            end_process(1)
        become_kernel(connection, self._app)


def _come_instead(path: str, why: bytes) -> None:
    """Connect to the waiting host as who we are: it knows then that there is no branch."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(why)


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Whether a task belongs to ipykernel's machinery."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "/ipykernel/" in code.co_filename


def _reap_when_ended(loop: asyncio.AbstractEventLoop, pid: int, told: Path) -> None:
    """Take note of a branch's end, and leave word for its host."""
    pidfd = os.pidfd_open(pid)

    def reap() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        # Not yet reaped, so the group's number cannot be another's: end what is left of it.
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        with suppress(OSError):
            _, status = os.waitpid(pid, 0)
            told.write_text(str(os.waitstatus_to_exitcode(status)))

    loop.add_reader(pidfd, reap)
