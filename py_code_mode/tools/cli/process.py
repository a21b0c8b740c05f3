"""One command as a child process: bounded in time and output, and gone when its call is over.

Place in the house: ``tools.cli``; knows no tool files and no templates.

asyncio's own subprocesses are not used. Between their fork and the moment their process can
be named to the reaper the loop turns several times, and a host killed in between leaves an
orphan; what ``wait`` and ``close`` do while a grandchild holds a pipe differs between Python
versions; output cannot be bounded while it is read. So: ``Popen``, the pipes' readers and the
writer of its input on the loop, and a pidfd (elsewhere a thread) that tells of the exit.

Three things end a wait: the leader exited and both pipes are at their end (or stayed open for
``_LINGER`` seconds after it: a grandchild holds them); the time limit; a cancellation.
Whichever it was, then the whole process group is killed, the leader waited for, all closed.
The group is killed while its leader is still a zombie: its number cannot be another's yet.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from py_code_mode.reaper import Reaper
from py_code_mode.tools.cli.capture import CHUNK, Capture

__all__ = ["Finished", "Process"]

_log = logging.getLogger(__name__)

_LINGER = 0.5
_KILL_PATIENCE = 5.0  # a process in an uninterruptible system call cannot be waited out
_LAST_READS = 16  # of what is left in a pipe whose other end may never close


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended.

    Attributes:
        exit_code: Its exit code, or minus the signal that killed it.
        stdout: What it printed, with one line in the middle that says what was cut.
        stderr: The same of its errors.
        is_complete: False when it was stopped: by the time limit, or by ``stop``.
        is_cut: Whether something is missing from ``stdout``.
    """

    exit_code: int
    stdout: str
    stderr: str
    is_complete: bool
    is_cut: bool = False


class Process:
    """A running command, the leader of its own process group and session.

    Make it and await ``wait`` with nothing in between that could fail.

    Args:
        argv: Command and arguments.
        env: The whole environment.
        max_output: Bytes kept of each stream.
        reaper: Told of the process group, for the case that this host is killed.
        stdin: What it can read; nothing by default.
        cwd: Where it works, by default where this host does.

    Raises:
        OSError: It could not be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        max_output: int,
        reaper: Reaper,
        stdin: bytes = b"",
        cwd: str | None = None,
    ) -> None:
        self._argv = argv
        self._reaper = reaper
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._linger: asyncio.TimerHandle | None = None
        self._is_complete = True
        self._pidfd: int | None = None
        self._input = memoryview(stdin)
        self._stdout, self._stderr = Capture(max_output), Capture(max_output)
        self._popen = _popen(argv, env, cwd, has_input=bool(stdin))
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._open = {
            self._popen.stdout.fileno(): self._stdout,
            self._popen.stderr.fileno(): self._stderr,
        }
        try:
            reaper.watch_group(self._popen.pid)
            self._listen()
        except BaseException:  # no thread left to wait with, say
            self._kill()
            self._exited.set_result(None)
            self._close()
            raise

    def stop(self) -> None:
        """End the wait, and with it the process."""
        if not self._over.done():
            self._is_complete = False
            self._over.set_result(None)

    async def wait(self, timeout: float) -> Finished:
        """Wait for the end, at most ``timeout`` seconds; afterwards nothing of it is left."""
        limit = self._loop.call_later(timeout, self.stop)
        try:
            await self._over
        finally:
            limit.cancel()
            await self._end()
        return Finished(
            self._popen.returncode,
            self._stdout.text(),
            self._stderr.text(),
            self._is_complete,
            self._stdout.is_cut,
        )

    def _listen(self) -> None:
        for fd in self._open:
            os.set_blocking(fd, False)
            self._loop.add_reader(fd, self._on_output, fd)
        if self._popen.stdin is not None:
            fd = self._popen.stdin.fileno()
            os.set_blocking(fd, False)
            self._loop.add_writer(fd, self._on_room, fd)
        try:
            self._pidfd = os.pidfd_open(self._popen.pid)
        except (AttributeError, OSError):  # no such system call, or no descriptor left
            try:
                threading.Thread(target=self._await_exit, name=f"wait {self._argv[0]}").start()
            except RuntimeError as error:
                raise OSError(errno.EAGAIN, str(error)) from None
        else:
            self._loop.add_reader(self._pidfd, self._on_exit)

    def _await_exit(self) -> None:
        self._popen.wait()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._on_exit)

    def _on_output(self, fd: int) -> None:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return
        if data:
            self._open[fd].feed(data)
        else:
            self._loop.remove_reader(fd)
            del self._open[fd]
            self._check()

    def _on_room(self, fd: int) -> None:
        try:
            self._input = self._input[os.write(fd, self._input[:CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # it reads no more, which is its right
            self._input = self._input[:0]
        if not self._input:
            self._end_input()

    def _end_input(self) -> None:
        pipe = self._popen.stdin
        if pipe is not None and not pipe.closed:
            self._loop.remove_writer(pipe.fileno())
            pipe.close()

    def _on_exit(self) -> None:
        if not self._exited.done():
            if self._pidfd is not None:
                self._loop.remove_reader(self._pidfd)
            self._exited.set_result(None)
            self._linger = self._loop.call_later(_LINGER, self._finish)
            self._check()

    def _check(self) -> None:
        if self._exited.done() and not self._open:
            self._finish()

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    async def _end(self) -> None:
        """Kill what is left of the group, wait for the leader and close everything."""
        self._kill()
        try:
            if not self._exited.done():
                await self._await_killed()
        finally:
            self._close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    async def _await_killed(self) -> None:
        """Wait for the leader's exit, whoever cancels meanwhile."""
        deadline = self._loop.time() + _KILL_PATIENCE
        cancelled: asyncio.CancelledError | None = None
        while not self._exited.done() and (left := deadline - self._loop.time()) > 0:
            try:
                await asyncio.wait([self._exited], timeout=left)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _close(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        self._end_input()
        for fd, capture in self._open.items():
            self._loop.remove_reader(fd)
            with suppress(OSError):  # BlockingIOError above all: nothing more there
                for _ in range(_LAST_READS):
                    if not (data := os.read(fd, CHUNK)):
                        break
                    capture.feed(data)
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        for pipe in (self._popen.stdout, self._popen.stderr):
            assert pipe is not None
            pipe.close()
        if self._exited.done():
            self._reaper.forget_group(self._popen.pid)
            self._popen.wait()
        else:
            _log.warning("process %d (%s) does not die", self._popen.pid, self._argv[0])


def _popen(
    argv: Sequence[str], env: Mapping[str, str], cwd: str | None, *, has_input: bool
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - no shell; the command is the tool file's
        argv,
        stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
