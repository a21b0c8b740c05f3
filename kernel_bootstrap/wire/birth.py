"""What a kernel's process is told before it starts, over a socket that it shares with its host.

Place in the house: part of THE contract, standard library only. A forked process belongs to
nobody until its host has taken note of it; so it waits for these words, and ends if the socket
does. They are one JSON object on a line, behind a byte that is the number of descriptors sent with
it: the sockets at which the kernel is to listen, in the order of ``CHANNELS``, or none.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel_bootstrap.wire.confinement import Confinement
from kernel_bootstrap.wire.errors import ProtocolError

__all__ = ["AWAIT_HOST", "CHANNELS", "DIRECTORY", "FIGURE_FORMAT", "LOG_FILE", "Birth"]

DIRECTORY = "PY_CODE_MODE_DIRECTORY"
"""Environment variable naming a session's private directory."""

FIGURE_FORMAT = "PY_CODE_MODE_FIGURE_FORMAT"
"""Environment variable naming the format of matplotlib's figures, if not PNG."""

LOG_FILE = "log.txt"
"""In that directory: takes what the process itself prints, not the user's code."""

AWAIT_HOST = "PY_CODE_MODE_AWAIT_HOST"
"""Environment variable of a kernel whose front end is there before its host: seconds that it reads
no shell messages, unless the host says before that it may (``Query.BEGIN``)."""

CHANNELS = ("shell", "stdin", "control", "iopub", "hb")

MOST_BYTES = 16 * 1024 * 1024
"""No environment is larger."""


@dataclass(frozen=True, slots=True)
class Birth:
    """What a forked kernel is to become.

    Attributes:
        argv: Arguments of the kernel application: connection file and directories.
        env: Its whole environment; None keeps the one it was forked with.
        cwd: Its working directory; None keeps it.
        directory: The session's private directory.
        bounds: What it takes away from itself first.
        listeners: Its sockets by channel; they come beside the words.
    """

    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    directory: str | None = None
    bounds: Confinement | None = None
    listeners: Mapping[str, int] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """One line of JSON."""
        words = {
            "argv": list(self.argv),
            "env": None if self.env is None else dict(self.env),
            "cwd": self.cwd,
            "directory": self.directory,
            "bounds": None if self.bounds is None else self.bounds.to_json(),
        }
        return json.dumps(words).encode() + b"\n"

    @classmethod
    def receive(cls, connection: socket.socket) -> Birth | None:
        """Wait for the words; None if the host has gone away.

        Raises:
            ProtocolError: They are not of this form.
        """
        head, fds, _, _ = socket.recv_fds(connection, 1, len(CHANNELS))
        line = _read_line(connection) if head else b""
        if not line:
            return None
        for fd in fds:
            os.set_inheritable(fd, False)  # noqa: FBT003 - its only argument
        if head[0] != len(fds) or len(fds) not in (0, len(CHANNELS)):
            raise ProtocolError(f"{len(fds)} sockets came with the words of birth, not {head[0]}")
        try:
            words: dict[str, Any] = json.loads(line)
            bounds = words["bounds"]
            return cls(
                argv=words["argv"],
                env=words["env"],
                cwd=words["cwd"],
                directory=words["directory"],
                bounds=None if bounds is None else Confinement.from_json(bounds),
                listeners=dict(zip(CHANNELS, fds, strict=False)),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ProtocolError(f"malformed words of birth: {error!r}") from error


def _read_line(connection: socket.socket) -> bytes:
    """Read up to a line's end; empty if the other side has closed or says too much."""
    line = bytearray()
    while not line.endswith(b"\n"):
        part = connection.recv(65_536)
        if not part or len(line) > MOST_BYTES:
            return b""
        line += part
    return bytes(line)
