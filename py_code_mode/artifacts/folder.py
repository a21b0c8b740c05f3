"""Files below one folder, reached without ever following a symbolic link.

Place in the house: inside ``artifacts``, below ``file``. Paths are walked one part at a time
through directory file descriptors (``O_NOFOLLOW``): a check of a whole path followed by its use
could be fooled by whoever swaps a folder for a link in between. POSIX only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from py_code_mode.artifacts.names import name_problem, normal_name

__all__ = [
    "NotAFolder",
    "State",
    "append",
    "chunks",
    "create_temporary",
    "file_state",
    "finish_temporary",
    "locked",
    "open_file",
    "opened",
    "read_file",
    "state_of",
    "sweep",
    "walk",
    "write_temporary",
]

State = tuple[int, int, int]
"""Time of change (ns), size and inode of a file: while none changes, its content does not."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # NONBLOCK: a pipe would wait
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TEMPORARY = "tmp-"
_YOUNG = 10.0
"""Seconds for which a temporary file is left alone, locked or not."""


class NotAFolder(Exception):  # noqa: N818 - never leaves the package
    """Part of a path is something else than a folder."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path!r} is {what}, not a folder")


@contextmanager
def opened(root: Path, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """Open the folder ``parts`` below ``root`` for the duration of the block.

    Args:
        root: Where to begin. Links may lead to it, but it is none: whoever can write beside it
            would lead the host elsewhere.
        parts: Names of folders, outermost first.
        create: Whether to make what is missing, for nobody else to read.

    Raises:
        NotAFolder: A part is a link or a file.
        FileNotFoundError: A part is missing.
        OSError: The root is no folder.
    """
    if create:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder = os.open(root, _FOLDER)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise OSError(error.errno, "something else has taken the folder's place") from None
        raise
    try:
        for depth, part in enumerate(parts, start=1):
            inner = _enter(folder, part, "/".join(parts[:depth]), create=create)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _enter(folder: int, part: str, path: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(part, 0o700, dir_fd=folder)
    try:
        return os.open(part, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        mode = os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode
        what = "a symbolic link" if stat.S_ISLNK(mode) else "an artifact"
        raise NotAFolder(path, what) from None


@contextmanager
def locked(folder: int) -> Iterator[None]:
    """Keep other writers, threads and processes alike, out of the block.

    The lock is the kernel's: it goes with a process that dies.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open("lock", flags, 0o600, dir_fd=folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def state_of(status: os.stat_result) -> State:
    """Return what a file's content is recognised by."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def file_state(folder: int, name: str) -> State | None:
    """Return the state of a regular file; None for anything else, links included."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return state_of(status) if stat.S_ISREG(status.st_mode) else None


def open_file(folder: int, name: str) -> int:
    """Open a regular file for reading; the caller closes it.

    Raises:
        FileNotFoundError: It is not there, or no regular file.
    """
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise FileNotFoundError(errno.ENOENT, "a symbolic link is not followed") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "not a regular file")
    return file


@contextmanager
def _reading(folder: int, name: str) -> Iterator[int]:
    file = open_file(folder, name)
    try:
        yield file
    finally:
        os.close(file)


def read_file(folder: int, name: str) -> tuple[bytes, State]:
    """Read a regular file whole.

    Returns:
        Its bytes and the state they had; somebody wrote into it meanwhile if that is not the
        state it has now.

    Raises:
        FileNotFoundError: It is not there, or no regular file.
    """
    with _reading(folder, name) as file, os.fdopen(file, "rb", 0, closefd=False) as reader:
        state = state_of(os.fstat(file))
        return reader.readall(), state


def chunks(folder: int, name: str, size: int = 1024 * 1024) -> Iterator[bytes]:
    """Read a regular file piece by piece."""
    with _reading(folder, name) as file:
        while chunk := os.read(file, size):
            yield chunk


def create_temporary(folder: int) -> tuple[str, int]:
    """Make a new file, to be moved to where it belongs once it is whole.

    It is locked as long as it is open: so others see whether its writer lives.

    Returns:
        Its name in ``folder``, and the open file.
    """
    name = _TEMPORARY + uuid.uuid4().hex
    file = os.open(name, _CREATE, 0o600, dir_fd=folder)
    fcntl.flock(file, fcntl.LOCK_EX)
    return name, file


def append(file: int, data: memoryview) -> None:
    """Write all of ``data`` behind what is there."""
    while data:
        data = data[os.write(file, data) :]


def finish_temporary(file: int, *, fsync: bool) -> State:
    """Give a file that is whole its time.

    Returns:
        Its state, which moving does not change.
    """
    now = time.time_ns()  # the system's own stamps come in steps of milliseconds
    os.utime(file, ns=(now, now))
    if fsync:
        os.fsync(file)
    return state_of(os.fstat(file))


def write_temporary(folder: int, data: memoryview, *, fsync: bool) -> tuple[str, State]:
    """Write a new file whole, to be moved to where it belongs.

    Returns:
        Its name in ``folder`` and its state.
    """
    name, file = create_temporary(folder)
    try:
        append(file, data)
        return name, finish_temporary(file, fsync=fsync)
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise
    finally:
        os.close(file)


def sweep(folder: int, own: Collection[str]) -> list[tuple[str, int]]:
    """Remove what writers that died left half-written.

    Args:
        folder: Where temporary files are.
        own: Names of those that are known to be in use.

    Returns:
        Name and size of the others that are in use.
    """
    alive = []
    for name in os.listdir(folder):
        if name.startswith(_TEMPORARY) and name not in own:
            with suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if time.time() - status.st_mtime > _YOUNG and not _is_locked(folder, name):
                    os.unlink(name, dir_fd=folder)
                else:
                    alive.append((name, status.st_size))
    return alive


def _is_locked(folder: int, name: str) -> bool:
    with _reading(folder, name) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def walk(folder: int, prefix: str = "") -> Iterator[tuple[str, int, State]]:
    """Yield every regular file below ``folder`` whose name an artifact can have.

    Yields:
        Its path, the open folder it is in, and its state. The folder is open until the next one.
    """
    with os.scandir(folder) as found:
        entries = [entry for entry in found if not entry.is_symlink()]
    for entry in entries:
        path = prefix + entry.name
        if name_problem(path) is not None or normal_name(path) != path:
            continue
        try:
            if not entry.is_dir(follow_symlinks=False):
                state = file_state(folder, entry.name)
                if state is not None:
                    yield path, folder, state
                continue
            inner = os.open(entry.name, _FOLDER, dir_fd=folder)
        except OSError:  # deleted or swapped since, or not for us to read: not ours to list
            continue
        try:
            yield from walk(inner, path + "/")
        finally:
            os.close(inner)
