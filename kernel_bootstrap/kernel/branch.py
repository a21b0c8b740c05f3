"""Kernels in forked processes: out of a template, or as the branch of a live session.

Place in the house: above ``app``, below ``template``. A live kernel forks in its main thread,
between cells and outside its event loop, so that the branch begins with a clean stack. The
branch keeps shell, namespace and comm objects, and gets everything that talks to the outside
anew: sockets, threads, event loop, descriptors.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from kernel_bootstrap.cells import Cell, enter
from kernel_bootstrap.confine import confine, confine_calls
from kernel_bootstrap.kernel.app import SessionKernelApp
from kernel_bootstrap.kernel.forks import be_independent, cut_off, end_process, redirect_output
from kernel_bootstrap.kernel.preload import run_preload
from kernel_bootstrap.wire.birth import DIRECTORY, LOG_FILE, Birth
from kernel_bootstrap.wire.errors import CodeModeError
from kernel_bootstrap.wire.limits import Limits

__all__ = ["become_kernel", "run_kernel"]


def run_kernel(argv: list[str], preload: Sequence[str] = (), line: int | None = None) -> None:
    """Run a kernel in a process of its own until it is shut down.

    Args:
        argv: Arguments of the kernel application.
        preload: Modules and scripts, as for ``run_preload``.
        line: Descriptor over which the host tells its words of birth; None: there are none.
    """
    app = SessionKernelApp.instance()
    connection = None if line is None else socket.socket(fileno=line)
    birth = None
    if connection is not None:
        connection.set_inheritable(False)
        birth = Birth.receive(connection)
        if birth is None:
            return  # the host has gone away
        _settle(birth)
        _confine(app, birth)
    app.initialize(argv)
    run_preload(app.shell.user_ns, preload)
    _serve(app, connection, birth)


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
            _confine(app, birth)
            asyncio.set_event_loop(asyncio.new_event_loop())
            enter(Cell({}, Limits()))
            app.reopen(list(birth.argv))
            _serve(app, connection, birth)
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
        tempfile.tempdir = None  # to be looked up anew
    if birth.cwd is not None:
        os.chdir(birth.cwd)
    if birth.directory is not None:
        os.environ[DIRECTORY] = birth.directory
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        log = os.open(Path(birth.directory, LOG_FILE), flags, 0o600)
        redirect_output(log, log)
        os.close(log)


def _confine(app: SessionKernelApp, birth: Birth) -> None:
    """Take files, privileges and resources away, before there is a second thread."""
    app.listeners = dict(birth.listeners)
    if birth.bounds is not None:
        confine(birth.bounds)


def _serve(app: SessionKernelApp, line: socket.socket | None, birth: Birth | None) -> None:
    if birth is not None and birth.bounds is not None:
        confine_calls(birth.bounds)
        app.kernel.may_debug = birth.bounds.network != "none"
    if line is not None:
        branching = _Branching(app, line)
        app.on_stop = branching.fork_if_asked
        app.kernel.host.on_fork = branching.ask
    app.start()


class _Branching:
    """Forks the process of a live kernel.

    Args:
        app: Its application.
        line: Over which the host hears of the branch.
    """

    def __init__(self, app: SessionKernelApp, line: socket.socket) -> None:
        self._app = app
        self._line = line
        self._exit_file: str | None = None

    def ask(self, exit_file: str) -> dict[str, Any]:
        """Fork as soon as the main thread is free; called by the thread of the control channel.

        Args:
            exit_file: Where to write how the branch has ended, one day; the host's ticket, too.

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
        self._exit_file = exit_file
        loop.call_soon_threadsafe(self._app.io_loop.stop)
        return told

    def fork_if_asked(self) -> bool:
        """Fork if the loop was stopped for that; the parent goes on, the child never returns."""
        exit_file, self._exit_file = self._exit_file, None
        if exit_file is None:
            return False
        if self._app.kernel.executing:  # a cell of somebody else was faster
            self._refuse(exit_file, "a cell is running: fork when it has ended, or interrupt it")
            return True
        for stream in (self._app.streams or {}).values():
            stream.flush()
        try:
            pid = os.fork()
        except OSError as error:
            self._refuse(exit_file, f"the kernel could not fork: {error}")
            return True
        if pid == 0:
            self._become_branch(exit_file)
        loop = self._app.iopub_thread.io_loop.asyncio_loop
        loop.call_soon_threadsafe(self._reap_when_ended, loop, pid, exit_file)
        return True

    def _reap_when_ended(self, loop: asyncio.AbstractEventLoop, pid: int, ticket: str) -> None:
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
                Path(ticket).write_text(str(os.waitstatus_to_exitcode(status)))
            # Of use to a host that still waits for it: no other reads on.
            self._refuse(ticket, "the branch has ended at once")

        loop.add_reader(pidfd, reap)

    def _refuse(self, ticket: str, why: str) -> None:
        with suppress(OSError):
            self._line.send(_word({"refused": ticket, "why": why}), socket.MSG_DONTWAIT)

    def _become_branch(self, ticket: str) -> NoReturn:
        try:
            # Made here: the system tells the host who has made it.
            ours, theirs = socket.socketpair()
            be_independent({ours.fileno(), theirs.fileno(), self._line.fileno()})
            with theirs:
                socket.send_fds(self._line, [_word({"branch": ticket})], [theirs.fileno()])
            cut_off(self._line.fileno())
        except BaseException:  # noqa: BLE001 - the host waits in vain, and says so
            end_process(1)
        become_kernel(ours, self._app)


def _word(word: dict[str, str]) -> bytes:
    """Return what the host reads, whole, whatever else is on the line; see its ``Line``."""
    return json.dumps(word).encode() + b"\n"


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Whether a task belongs to ipykernel's machinery."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "/ipykernel/" in code.co_filename
