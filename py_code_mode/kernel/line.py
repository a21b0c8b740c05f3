"""Our end of the socket that a kernel's process shares with its host from birth on.

Place in the house: bottom of ``kernel``, below ``forked``. Over it the process hears what to
become (``wire.birth``), and gets the sockets that clients will connect to: it may be forbidden to
open any. A live kernel that forks sends the end of another line, that of its branch. A template
tells over it how a kernel of its own has ended.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.birth import CHANNELS, Birth
from py_code_mode.errors import KernelError
from py_code_mode.kernel.waiting import readable

__all__ = ["Line"]

BEGIN_SECONDS = 10
BACKLOG = 128

MOST = 4_096
"""Bytes of what comes over the line at once; its other end may be in hostile hands."""


class Line:
    """A stream socket.

    Args:
        connection: It.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._last_word = b""

    def fileno(self) -> int:
        """Its descriptor."""
        return self._connection.fileno()

    def begin(self, birth: Birth, info: Mapping[str, Any]) -> None:
        """Tell the process what to become.

        Args:
            birth: That.
            info: Jupyter's connection info of the kernel. On ``ipc`` its sockets are opened here.

        Raises:
            OSError: The process is gone.
        """
        opened = [_listen(f"{info['ip']}-{info[f'{name}_port']}") for name in _channels(info)]
        try:
            self._connection.settimeout(BEGIN_SECONDS)
            fds = [each.fileno() for each in opened]
            socket.send_fds(self._connection, [bytes([len(fds)])], fds)
            self._connection.sendall(birth.to_bytes())
        finally:
            for each in opened:
                each.close()

    async def branch(self) -> socket.socket:
        """Wait for the end of a branch's line.

        Raises:
            KernelError: The kernel says why there is none, or says nothing of sense.
        """
        await readable(self.fileno())
        words, fds, _, _ = socket.recv_fds(self._connection, MOST, 4)
        sockets = [socket.socket(fileno=fd) for fd in fds if _is_socket(fd)]
        for each in sockets[1:]:
            each.close()
        if sockets:
            os.set_inheritable(sockets[0].fileno(), False)  # noqa: FBT003 - its only argument
            return sockets[0]
        self._last_word = words  # a template's, it may be
        raise KernelError(words.decode("utf-8", "replace")[:500] or "the kernel has ended")

    def exit_code(self, seconds: float) -> int | None:
        """Return what the template told of the end; None if it told nothing of sense."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            self._connection.settimeout(seconds)
            return int(json.loads(self._connection.recv(MOST) or self._last_word)["exit"])
        return None

    def close(self) -> None:
        """Close it; a process that has not begun ends."""
        self._connection.close()


def _channels(info: Mapping[str, Any]) -> tuple[str, ...]:
    return CHANNELS if info.get("transport") == "ipc" else ()


def _listen(path: str) -> socket.socket:
    Path(path).unlink(missing_ok=True)  # a kernel that was killed has left it
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_socket(fd: int) -> bool:
    """Whether a descriptor is a stream socket of the right kind; closes it if not."""
    try:
        probe = socket.socket(fileno=os.dup(fd))
        with probe:
            good = (probe.family, probe.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError:
        good = False
    if not good:
        os.close(fd)
    return good
