"""The process of a server that is spoken to through its standard input and output.

Place in the house: ``tools.mcp``, below ``stdio``. The process leads a group of its own, which
the reaper knows from the moment it is there; nothing of it is left after ``stop``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from py_code_mode import reaper

__all__ = ["Child"]

_log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_PATIENCE = 2.0  # for ending by itself, and again for ending when it is told to
_KILL_PATIENCE = 5.0  # a process in an uninterruptible system call cannot be waited out
_POLL = 0.05  # between looks at the process where there is no pidfd


class _Input(asyncio.BaseProtocol):
    """Knows whether the pipe to the process is closed for good: it can be aborted only before."""

    is_lost = False

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's own
        self.is_lost = True


class Child:
    """A server's process.

    Attributes:
        exited: Set when it has ended.
        stdout: What it prints.
        stderr: What it prints on its standard error.
    """

    def __init__(self, popen: subprocess.Popen[bytes], reapers: reaper.Reaper) -> None:
        self._popen = popen
        self._reaper = reapers
        self._is_stopped = False
        self._loop = asyncio.get_running_loop()
        self._pidfd: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._input = _Input()
        self._stdin: asyncio.WriteTransport | None = None
        self._outputs: list[asyncio.ReadTransport] = []
        self.exited = asyncio.Event()
        self.stdout = asyncio.StreamReader(limit=_CHUNK)
        self.stderr = asyncio.StreamReader(limit=_CHUNK)

    @classmethod
    async def start(cls, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None) -> Child:
        """Start a process.

        Args:
            argv: Command and arguments.
            env: The whole environment.
            cwd: Its working directory, by default the host's.

        Raises:
            OSError: It could not be started.
        """
        reapers = reaper.acquire()
        try:
            popen = subprocess.Popen(  # noqa: S603, ASYNC220 - no shell; the tool file's command
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        except BaseException:
            reaper.release()
            raise
        reapers.watch_group(popen.pid)
        child = cls(popen, reapers)
        try:
            await child._listen()
        except BaseException:
            await child.stop(gently=False)
            raise
        return child

    async def _listen(self) -> None:
        popen = self._popen
        assert popen.stdin is not None
        self._stdin, _ = await self._loop.connect_write_pipe(lambda: self._input, popen.stdin)
        for pipe, reader in ((popen.stdout, self.stdout), (popen.stderr, self.stderr)):
            await self._read(pipe, reader)
        try:
            self._pidfd = os.pidfd_open(popen.pid)
        except (AttributeError, OSError):  # no such system call, or no descriptor left
            self._poll()
        else:
            self._loop.add_reader(self._pidfd, self._on_exit)

    async def _read(self, pipe: IO[bytes] | None, reader: asyncio.StreamReader) -> None:
        transport, _ = await self._loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        self._outputs.append(transport)

    def has_exited(self) -> bool:
        """Tell whether it has ended; asks the system, not the loop."""
        return self.exit_code is not None

    @property
    def exit_code(self) -> int | None:
        """Its exit code, minus the signal that killed it, None while it runs."""
        if self._popen.returncode is None and hasattr(os, "waitid"):
            # It stays a zombie: its group must be killed before its number can be another's.
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            ended = os.waitid(os.P_PID, self._popen.pid, flags)
            if ended is None:
                return None
            return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        return self._popen.poll()

    def write(self, data: bytes) -> bool:
        """Send data without waiting; False when it does not listen any more."""
        if self._stdin is None or self._stdin.is_closing():
            return False
        self._stdin.write(data)
        return True

    def close_output(self) -> None:
        """Stop reading what it prints, as if it had ended there."""
        for transport in self._outputs:
            transport.close()

    def _poll(self) -> None:
        if self.has_exited():
            self._on_exit()
        else:
            self._timer = self._loop.call_later(_POLL, self._poll)

    def _on_exit(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
        self.exited.set()

    async def stop(self, *, gently: bool = True) -> None:
        """End the process and its group, and close everything.

        Args:
            gently: Let it end by itself first: its input ends, later it is sent a SIGTERM.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        try:
            if self._stdin is not None:
                self._stdin.close()
            if gently and not await self._has_ended(_PATIENCE):
                self._signal(signal.SIGTERM)
                await self._has_ended(_PATIENCE)
        finally:
            self._signal(signal.SIGKILL)  # the group: what it has started, too
            try:
                await self._has_ended(_KILL_PATIENCE)
            finally:
                await self._close()

    async def _has_ended(self, seconds: float) -> bool:
        if self._pidfd is None and self._timer is None:  # nobody waits for its exit
            self._poll()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.exited.wait()
        return self.exited.is_set()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        if self._stdin is not None and not self._input.is_lost:
            self._stdin.abort()
        self.close_output()
        await asyncio.sleep(0)  # the pipes are closed in the loop's next turn
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()
        if self.has_exited():
            self._popen.wait()
            self._reaper.forget_group(self._popen.pid)
        else:
            _log.warning("process %d of an MCP server does not die", self._popen.pid)
        reaper.release()
