"""Sessions that live on this machine, and their notebooks, for other programs of the same user.

Place in the house: values layer. The host of a session leaves a note beside the connection file of
its kernel, in the kernel's private directory (0700), which goes with the kernel. Whoever may read
the note may use the session: JupyterLab, a console, ``py-code-mode lab``.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from py_code_mode.errors import KernelError

__all__ = [
    "NOTE",
    "LiveSession",
    "announce",
    "ask_host",
    "fetch_notebook",
    "find_session",
    "live_sessions",
    "new_key",
    "read_note",
    "roots",
]

NOTE = "session.json"
"""File in a kernel's private directory that tells whose it is."""

LONGEST_ROOT = 60
"""Characters of a temporary directory below which socket paths still fit."""

ANSWER_SECONDS = 10.0
MAX_NOTEBOOK = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session of some program of this user, as the program tells it.

    Attributes:
        name: Its name, unique in its executor.
        pid: Number of the program's process.
        program: The program's name.
        executor: Which of the program's executors, from 1.
        since: When its kernel became the session's (ISO 8601, UTC).
        connection_file: Path of the kernel's connection file.
        door: Path of the socket that gives its notebook.
        key: What the socket asks for.
    """

    name: str
    pid: int
    program: str
    executor: int
    since: str
    connection_file: str
    door: str
    key: str = field(repr=False)

    @property
    def id(self) -> str:
        """Its name among all: ``default@4711``, or ``default@4711.2`` in a second executor."""
        return f"{self.name}@{self.pid}" + (f".{self.executor}" if self.executor > 1 else "")


def roots() -> tuple[Path, ...]:
    """Where kernels' private directories are made; the first one is for new ones.

    It is short enough for the paths of sockets, whose length the system bounds (108 bytes).
    """
    usual, short = Path(tempfile.gettempdir()), Path("/tmp")  # noqa: S108 - mkdtemp is private
    if len(str(usual)) > LONGEST_ROOT and short.is_dir():
        return short, usual
    return (usual,)


def announce(
    directory: Path, name: str, connection_file: str, executor: int, door: Path, key: str
) -> None:
    """Leave the note of a session in its kernel's private directory.

    Raises:
        OSError: It cannot be written.
    """
    session = LiveSession(
        name=name,
        pid=os.getpid(),
        program=Path(sys.argv[0] or "python").name,
        executor=executor,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        connection_file=connection_file,
        door=str(door),
        key=key,
    )
    new = directory / f".{NOTE}"
    new.write_text(json.dumps(asdict(session)))
    new.replace(directory / NOTE)


def live_sessions() -> list[LiveSession]:
    """Return the sessions of this user's programs, the oldest first.

    Programs that have another temporary directory (``TMPDIR``) are not seen.
    """
    found = (read_note(note) for root in roots() for note in root.glob(f"pcm-*/{NOTE}"))
    alive = [session for session in found if session is not None and _is_alive(session)]
    return sorted(alive, key=lambda session: (session.since, session.id))


def find_session(name: str) -> LiveSession:
    """Return the live session of that name or id.

    Raises:
        KernelError: There is none, or there are several; the message lists them.
    """
    sessions = live_sessions()
    matching = [each for each in sessions if name in (each.id, each.name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        ids = ", ".join(each.id for each in matching)
        raise KernelError(f"there are {len(matching)} sessions named {name!r}: say which: {ids}")
    known = ", ".join(each.id for each in sessions) or "none at all"
    raise KernelError(f"there is no live session {name!r}; there is {known}")


def fetch_notebook(session: LiveSession) -> dict[str, Any]:
    """Return a session's notebook (nbformat 4.5) from the program that has it.

    Raises:
        KernelError: The program does not answer.
    """
    return ask_host(session, "notebook", "cells")


def ask_host(session: LiveSession, want: str, key: str) -> dict[str, Any]:
    """Ask the program that has a session.

    Args:
        session: Which.
        want: ``"notebook"`` or ``"peek"``.
        key: A key that the answer has.

    Raises:
        KernelError: The program does not answer.
    """
    question = {"key": session.key, "session": session.name, "want": want}
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_SECONDS)
            line.connect(session.door)
            line.sendall(json.dumps(question).encode() + b"\n")
            answer = json.loads(b"".join(_all_of(line)))
    except (OSError, ValueError) as error:
        raise KernelError(f"session {session.id} gives no {want}: {error}") from error
    if not isinstance(answer, dict) or key not in answer:
        raise KernelError(f"session {session.id} gives no {want}: it is closed, or another's")
    return answer


def new_key() -> str:
    """Make a key for a door."""
    return secrets.token_hex(16)


def _all_of(line: socket.socket) -> Iterator[bytes]:
    size = 0
    while data := line.recv(1 << 20):
        size += len(data)
        if size > MAX_NOTEBOOK:
            raise ValueError(f"it has more than {MAX_NOTEBOOK:,} bytes")
        yield data


def read_note(note: Path) -> LiveSession | None:
    """Read the note of a session; None if it is another user's, or not of our form."""
    with suppress(OSError, ValueError, TypeError):
        if note.stat().st_uid != os.geteuid() or note.parent.stat().st_uid != os.geteuid():
            return None
        session = LiveSession(**json.loads(note.read_text()))
        kinds = {"pid": int, "executor": int}
        if all(type(value) is kinds.get(name, str) for name, value in asdict(session).items()):
            return session
    return None


def _is_alive(session: LiveSession) -> bool:
    if not Path(session.connection_file).exists():
        return False
    try:
        os.kill(session.pid, 0)
    except OSError:
        return False
    return True
