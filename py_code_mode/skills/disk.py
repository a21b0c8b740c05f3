"""Files of skills on disk: read with care, written whole, and one writer at a time.

Place in the house: inside ``skills``, below ``history`` and ``file``. The folder is shared with
people, their editors and other processes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import io
import os
import stat
import tempfile
import threading
import time
import tokenize
from collections.abc import Iterator
from pathlib import Path

from py_code_mode.errors import SkillError
from py_code_mode.skills.parse import MAX_SOURCE, invalid

__all__ = [
    "State",
    "decode",
    "encode",
    "exclusive",
    "is_file_name",
    "look",
    "prepared",
    "put",
    "read_bytes",
    "source_digest",
]

State = tuple[int, int, int]
"""Time of change, size and inode of a file: when none changed, its content did not."""

_PATIENCE = 10.0
"""Seconds to wait for another process that writes."""


def is_file_name(name: str) -> bool:
    """Whether ``<name>.py`` is the name of a file that may be a skill, broken or not."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return bool(name) and name[0] not in "_." and "/" not in name and "\0" not in name


def look(file: Path | os.DirEntry[str]) -> State | None:
    """Return the state of what may be a skill's file; None for nothing and for folders."""
    try:
        status = file.stat()
    except OSError:  # a link to nowhere is there, and is reported like one that leaves
        try:
            status = file.stat(follow_symlinks=False)
        except OSError:
            return None
    if stat.S_ISDIR(status.st_mode):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def read_bytes(name: str, file: Path, folder: Path) -> bytes:
    """Read a skill's file.

    Raises:
        SkillValidationError: It is a link out of the folder, no regular file, or too large.
        OSError: It cannot be read.
    """
    # O_NONBLOCK: opening a named pipe would wait for its other end.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = os.open(file, flags)
    except OSError:
        if not file.is_symlink():
            raise
        target = _target(file)
        if not target.is_relative_to(folder.resolve()) or not target.is_file():
            raise invalid(name, "a symbolic link that leads out of the folder", file=file) from None
        descriptor = os.open(target, flags)
    with os.fdopen(descriptor, "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise invalid(name, "not a regular file", file=file)
        # Some systems say 0 of what they make up; buffers for more than there is cost time.
        data = opened.read(min(status.st_size or MAX_SOURCE, MAX_SOURCE) + 1)
    if len(data) > MAX_SOURCE:
        raise invalid(name, f"larger than {MAX_SOURCE:,} bytes", file=file)
    return data


def _target(link: Path) -> Path:
    try:
        return link.resolve()
    except (OSError, RuntimeError):  # a loop, which Python 3.11 reports as RuntimeError
        return Path("/")  # is in no folder


def decode(name: str, data: bytes, file: Path | None = None) -> str:
    """Read a source as Python does: encoding line, byte order mark, any line ends.

    Raises:
        SkillValidationError: Python could not read it.
    """
    try:
        return importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        line = None
        if isinstance(error, UnicodeDecodeError):
            line = data.count(b"\n", 0, error.start) + 1
        raise invalid(name, f"cannot decode the file: {error}", line=line, file=file) from None


def encode(name: str, source: str) -> bytes:
    """Write a source in the encoding its own encoding line names, so that it reads back.

    Raises:
        SkillValidationError: It does not fit that encoding, or is too large.
    """
    try:
        data = source.encode()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        data = source.encode(encoding)
    except (SyntaxError, UnicodeEncodeError, LookupError) as error:
        raise invalid(name, f"the source does not fit its encoding line: {error}") from None
    if len(data) > MAX_SOURCE:
        raise invalid(name, f"with its description it is larger than {MAX_SOURCE:,} bytes")
    return data


def source_digest(data: bytes) -> str:
    """Return ``Skill.digest`` of what is in a file; if that is broken, of its bytes."""
    try:
        source = importlib.util.decode_source(data).removeprefix("\ufeff")
        return hashlib.sha256(source.encode()).hexdigest()
    except (SyntaxError, UnicodeError, LookupError):
        return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def prepared(file: Path, data: bytes, *, fsync: bool = True) -> Iterator[Path]:
    """Write ``data`` beside ``file``, ready to be moved into its place; gone at the end if not."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fchmod(opened.fileno(), 0o644)  # mkstemp gives 0600; skills are there to be read
            if fsync:
                os.fsync(opened.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def put(temporary: Path, file: Path, *, replace: bool) -> bool:
    """Move a file into its place in one step; False if another is there and must not go."""
    if replace:
        temporary.replace(file)
        return True
    try:  # one step, unlike looking and then moving
        os.link(temporary, file)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        # A file system without hard links: take the name first, and fill it in the next step.
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            return False
        temporary.replace(file)
    return True


@contextlib.contextmanager
def exclusive(file: Path, among: threading.Lock, *, make: bool) -> Iterator[None]:
    """Be the only one, of all threads and processes, that holds ``file``'s lock.

    Args:
        file: The lock's file; it stays empty.
        among: Keeps the threads of this store in line.
        make: Whether to make it. Without it, and where files cannot be locked, there is no lock.

    Raises:
        SkillError: Another process did not let go in time.
        OSError: It cannot be made.
    """
    with among:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT if make else os.O_RDONLY, 0o644)
        except OSError:
            if make:
                raise
            yield
            return
        try:
            _lock(descriptor, file)
            yield
        finally:
            os.close(descriptor)  # lets go of the lock


def _lock(descriptor: int, file: Path) -> None:
    deadline, pause = time.monotonic() + _PATIENCE, 0.0005
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SkillError(
                    f"{file}: another process has held the lock for {_PATIENCE:.0f} seconds"
                ) from None
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF):
                raise
            return
        else:
            return
