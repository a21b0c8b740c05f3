"""Ask a live kernel to fork, and take what it forked.

Place in the house: inside ``kernel``, below ``process``. The kernel is hostile: the number of
the new process is not what it says, but what the system tells of whoever made the new line.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.messages import Query
from py_code_mode.errors import KernelError, KernelUnresponsive
from py_code_mode.kernel.forked import ForkedProcess
from py_code_mode.kernel.line import Line
from py_code_mode.sandbox import user_of_kernels

__all__ = ["Branching", "sentences"]

FORK_SECONDS = 30
"""For a fork on a loaded machine; copying the page tables of 100 GB takes a second."""

CREDENTIALS = struct.Struct("3i")
"""``struct ucred``: process, user, group; see ``unix(7)``, SO_PEERCRED."""

MAX_NAMES = 100


@dataclass(slots=True)
class Branching:
    """One fork of a live kernel.

    Attributes:
        query: Asks the kernel; ``KernelProcess.query``.
        parent: Number of the kernel's process.
        line: To that process; None: whoever launched it has none.
        lost: What did not come along, in sentences.
    """

    query: Callable[..., Awaitable[Any]]
    parent: int
    line: Line | None
    lost: list[str] = field(default_factory=list)

    async def branch(self, directory: Path) -> ForkedProcess:
        """Fork the kernel's process; the new one waits to be told what to become.

        Args:
            directory: Private directory of the branch.

        Raises:
            CodeModeError: The kernel refuses: a cell is running, or it cannot fork.
            KernelError: It agreed, but has ended.
            KernelUnresponsive: It agreed, but nothing came.
        """
        if self.line is None:
            raise KernelError(
                "this kernel cannot be forked: it is in gVisor, or not launched by our provisioners"
            )
        exit_file = str(directory / "exit.txt")
        told = await self.query(Query.FORK, exit_file=exit_file)
        self.lost = sentences(told)
        try:
            async with asyncio.timeout(FORK_SECONDS):
                connection = await self.line.branch(exit_file)
        except TimeoutError:
            raise KernelUnresponsive(f"the kernel has not forked in {FORK_SECONDS} s") from None
        return _held(connection, self.parent, exit_file)


def _held(connection: socket.socket, parent: int, told: str) -> ForkedProcess:
    """Take a process for what the system says of whoever has made the line."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        pid, user, _ = CREDENTIALS.unpack(raw)
        # It waits for its words of birth, so it lives, and the number is its own.
        group = os.getpgid(pid)
        if user not in (os.getuid(), user_of_kernels()) or group != pid or pid == parent:
            what = f"process {pid} in group {group} of user {user}"
            raise KernelError(f"what came in place of the branch is no process of its own: {what}")
        return ForkedProcess(pid, os.pidfd_open(pid), Line(connection), told)
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError):
            raise KernelError("the branch has ended at once") from error
        raise


def sentences(told: Any) -> list[str]:
    """Say what a branch lacks; the kernel's words are believed in nothing but their form."""
    told = told if isinstance(told, dict) else {}
    threads, tasks = told.get("threads"), told.get("tasks")
    lost = []
    if isinstance(threads, list) and threads:
        names = ", ".join(repr(name[:200]) for name in threads[:MAX_NAMES] if isinstance(name, str))
        lost.append(f"threads do not survive a fork; not running in the branch: {names}")
    if type(tasks) is int and tasks > 0:
        lost.append(f"asyncio tasks do not survive a fork; not running in the branch: {tasks}")
    return lost
