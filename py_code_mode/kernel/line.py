"""Our end of the socket that a kernel's process shares with its host from birth on.

Place in the house: bottom of ``kernel``, below ``forked``. Over it the process hears what to
become (``wire.birth``), and gets the sockets that clients will connect to: it may be forbidden to
open any. What comes back is JSON, one object a line, from hands that may be hostile:

===============  ===========================================================================
key              meaning
===============  ===========================================================================
``branch``       the live kernel has forked for this ticket; beside it comes the end of another
                 line, that of the branch
``refused``      it has not, for this ticket; ``why`` says why
``exit``         the template tells how a kernel of its own has ended
===============  ===========================================================================
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
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
        self._rest = b""
        self._exit: int | None = None

    def fileno(self) -> int:
        """Its descriptor."""
        return self._connection.fileno()

    def begin(
        self,
        birth: Birth,
        info: Mapping[str, Any],
        listeners: Sequence[socket.socket] = (),
    ) -> None:
        """Tell the process what to become.

        Args:
            birth: That.
            info: Jupyter's connection info of the kernel. On ``ipc`` its sockets are opened here.
            listeners: Its sockets, by the order of ``CHANNELS``, if they are open already.

        Raises:
            OSError: The process is gone, or its sockets cannot be opened.
        """
        opened = [_listen(f"{info['ip']}-{info[f'{name}_port']}") for name in _channels(info)]
        try:
            self._connection.settimeout(BEGIN_SECONDS)
            fds = [each.fileno() for each in (listeners or opened)]
            socket.send_fds(self._connection, [bytes([len(fds)])], fds)
            self._connection.sendall(birth.to_bytes())
        except ConnectionError:
            raise ChildProcessError("its process has ended at once") from None
        finally:
            for each in opened:
                each.close()

    async def branch(self, ticket: str) -> socket.socket:
        """Wait for the end of a branch's line.

        A branch that was asked for before, and that nobody waited for any more, is let go.

        Args:
            ticket: What the kernel was asked for it with.

        Raises:
            KernelError: The kernel says why there is none, or has ended.
        """
        while True:
            await readable(self.fileno())
            words, connection = self._hear()
            for word in words:
                if word.get("branch") == ticket and connection is not None:
                    return connection
                if word.get("refused") == ticket:
                    _close(connection)
                    raise KernelError(str(word.get("why"))[:500])
            _close(connection)

    def exit_code(self, seconds: float) -> int | None:
        """Return what the template told of the end; None if it told nothing of sense."""
        self._connection.settimeout(seconds)
        with suppress(OSError, KernelError):
            while self._exit is None:
                _close(self._hear()[1])
        return self._exit

    def _hear(self) -> tuple[list[dict[str, Any]], socket.socket | None]:
        """Read once: the words that are complete, and the socket that came with them.

        Raises:
            KernelError: The other side is gone.
        """
        read, fds, _, _ = socket.recv_fds(self._connection, MOST, 4)
        sockets = [socket.socket(fileno=fd) for fd in fds if _is_socket(fd)]
        for each in sockets[1:]:
            each.close()
        for each in sockets[:1]:
            os.set_inheritable(each.fileno(), False)  # noqa: FBT003 - its only argument
        if not read:
            raise KernelError("the kernel has ended")
        *lines, rest = (self._rest + read).split(b"\n")
        self._rest = rest[:MOST]
        words = [word for word in map(_word, lines) if word]
        for word in words:
            if isinstance(word.get("exit"), int):
                self._exit = word["exit"]
        return words, next(iter(sockets), None)

    def close(self) -> None:
        """Close it; a process that has not begun ends."""
        self._connection.close()


def _word(line: bytes) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        word = json.loads(line)
        if isinstance(word, dict):
            return word
    return {}


def _close(connection: socket.socket | None) -> None:
    if connection is not None:
        connection.close()


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
