"""A kernel process that another process forked, held by its pidfd.

Place in the house: bottom of ``kernel``, below the provisioners. It has what they use of
``subprocess.Popen``. It is not this process's child: its end is seen through the pidfd, and how
it ended is what its parent tells, if that still lives.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
from contextlib import suppress
from pathlib import Path

from kernel_bootstrap.wire.mirror import read_end
from py_code_mode.kernel.line import Line
from py_code_mode.kernel.waiting import readable

__all__ = ["UNKNOWN", "ForkedProcess", "pid_of"]

UNKNOWN = 255
"""``returncode`` of a process of which nobody can tell how it ended."""

PATIENCE = 1.0
"""Seconds a template may take to tell how it ended; one that is dead is noticed at once."""

FILE_PATIENCE = 0.2
"""Seconds a kernel may take to write down how its branch ended; it may be dead or busy."""


class ForkedProcess:
    """A process that was forked for us.

    Args:
        pid: Its number.
        pidfd: Descriptor of the process; closed with this object.
        line: To itself, and its parent if that is a template; it ends if this closes before it
            has begun.
        told: File in which its parent tells how it ended; None: over the connection.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, pidfd: int, line: Line, told: str | None = None) -> None:
        self.pid = pid
        self.line = line
        self.returncode: int | None = None
        self._pidfd = pidfd
        self._told = told

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        if self.returncode is None and self._has_ended():
            self.returncode = self._wait_for_word()
        return self.returncode

    def wait(self) -> int:
        """Block until it has ended."""
        while self.returncode is None:
            self._wait(None)
            self.poll()
        return self.returncode

    async def ended(self) -> int:
        """Wait until it has ended."""
        if self.returncode is None:
            await readable(self._pidfd)
            if self._told is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(readable(self.line.fileno()), PATIENCE)
            else:
                # Its parent writes a file: that cannot be waited for.
                for _ in range(int(FILE_PATIENCE / 0.01)):
                    if self._read_file() is not None:
                        break
                    await asyncio.sleep(0.01)
        return self.poll() if self.returncode is None else self.returncode  # type: ignore[return-value]

    def send_signal(self, signum: int) -> None:
        """Send a signal to the process alone; one that has ended is fine."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signum)

    def kill(self) -> None:
        """End it now."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Let go of it."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
            self.line.close()

    def _has_ended(self) -> bool:
        return self._wait(0)

    def _wait(self, milliseconds: int | None) -> bool:
        """Wait for the end; whether it has come."""
        # `select.select` knows no descriptor above 1,023, and hundreds of sessions have more.
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def _wait_for_word(self) -> int:
        code = self._read_file() if self._told else self.line.exit_code(PATIENCE)
        return UNKNOWN if code is None else code

    def _read_file(self) -> int | None:
        # The branch's parent is a kernel: what it writes is believed in nothing but this.
        assert self._told is not None
        text = read_end(self._told, 16).decode("ascii", "replace")
        return int(text) if text.lstrip("-").isdigit() else None


def pid_of(pidfd: int) -> int:
    """Return the number that a process has here; in a namespace of its own it has another.

    Raises:
        OSError: It has ended.
    """
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    found = re.search(r"^Pid:\t(\d+)$", text, re.MULTILINE)
    if found is None:
        raise ProcessLookupError("the forked process has ended")
    return int(found[1])
