"""Ask a live kernel to fork, and take what it forked.

Place in the house: inside ``kernel``, below ``process``. The kernel is hostile: the number of
the new process is not what it says, but what the system tells of whoever connects.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.birth import BUSY
from kernel_bootstrap.wire.messages import Query
from py_code_mode.errors import KernelError
from py_code_mode.kernel.forked import ForkedProcess

__all__ = ["Branching"]

CONNECT_SECONDS = 30
"""For a fork on a loaded machine; copying the page tables of 100 GB takes a second."""

WORD_SECONDS = 5
"""For a kernel that has come to say why it does not fork."""

CREDENTIALS = struct.Struct("3i")
"""``struct ucred``: process, user, group; see ``unix(7)``, SO_PEERCRED."""

MAX_NAMES = 100


@dataclass(slots=True)
class Branching:
    """One fork of a live kernel.

    Attributes:
        query: Asks the kernel; ``KernelProcess.query``.
        parent: Number of the kernel's process.
        lost: What did not come along, in sentences.
    """

    query: Callable[..., Awaitable[Any]]
    parent: int
    lost: list[str] = field(default_factory=list)

    async def branch(self, directory: Path) -> ForkedProcess:
        """Fork the kernel's process; the new one waits to be told what to become.

        Args:
            directory: Private directory of the branch.

        Raises:
            CodeModeError: The kernel refuses: a cell is running, or it cannot fork.
            KernelError: It agreed, but nothing came.
        """
        path = directory / "birth"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            listener.setblocking(False)  # noqa: FBT003 - its only argument
            told = await self.query(Query.FORK, path=str(path))
            self.lost = _sentences(told)
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection, _ = await loop.sock_accept(listener)
            except TimeoutError:
                raise KernelError(f"the kernel has not forked in {CONNECT_SECONDS} s") from None
            finally:
                path.unlink(missing_ok=True)
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        pid, user, _ = CREDENTIALS.unpack(raw)
        if pid == self.parent:
            raise await _refusal(connection)
        return _held(connection, pid, user, str(directory / "exit.txt"))


async def _refusal(connection: socket.socket) -> KernelError:
    """Return why the kernel itself came instead of a branch."""
    with connection:
        connection.setblocking(False)  # noqa: FBT003 - its only argument
        word = b""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(WORD_SECONDS):
                word = await asyncio.get_running_loop().sock_recv(connection, len(BUSY))
    if word == BUSY:
        return KernelError("a cell is running: fork when it has ended, or interrupt it")
    return KernelError("the kernel could not fork: there is no memory or process left")


def _held(connection: socket.socket, pid: int, user: int, told: str) -> ForkedProcess:
    try:
        # It waits for its words of birth, so it lives, and the number is its own.
        group = os.getpgid(pid)
        if user != os.getuid() or group != pid:
            what = f"process {pid} in group {group} of user {user}"
            raise KernelError(f"what came in place of the branch is no process of its own: {what}")
        return ForkedProcess(pid, os.pidfd_open(pid), connection, told)
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError):
            raise KernelError("the branch has ended at once") from error
        raise


def _sentences(told: Any) -> list[str]:
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
