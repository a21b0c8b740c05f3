"""What a kernel has printed, kept where its death cannot reach it.

Place in the house: part of THE contract: the kernel writes, the host reads. Printed text waits
in the kernel for a thread that sends it; a kernel that is killed, crashes, or holds the
interpreter lock in C code never gets to send it. So each stream copies its text into a small
file in shared memory as it is written, with the number of bytes so far. After a death the host
takes from it what it has not received.

Layout: 8 bytes total (little endian), 128 bytes id of the cell, then a ring of text.
"""

from __future__ import annotations

import mmap
import os
import stat
import threading
from pathlib import Path

__all__ = ["MIRROR_BYTES", "Mirror", "missing_in", "missing_text", "read_end"]

ID_BYTES = 128
HEADER = 8 + ID_BYTES
RING = 64 * 1024
MIRROR_BYTES = HEADER + RING


class Mirror:
    """The kernel's side of one stream.

    Args:
        path: The file; made, or overwritten.

    Raises:
        OSError: There is no room for it.
    """

    def __init__(self, path: str | Path) -> None:
        with Path(path).open("w+b") as file:
            _reserve(file.fileno(), HEADER + RING)
            self._memory = mmap.mmap(file.fileno(), HEADER + RING)
        self._lock = threading.Lock()
        self._cell = b""
        self._total = 0

    def record(self, cell: str, text: str) -> None:
        """Add text that ``cell`` has written."""
        data = text.encode("utf-8", "surrogatepass")
        id_ = cell.encode()[:ID_BYTES]
        with self._lock:
            if id_ != self._cell:
                self._cell, self._total = id_, 0
                self._memory[8:HEADER] = id_.ljust(ID_BYTES, b"\0")
            at = self._total % RING
            self._total += len(data)
            if len(data) > RING:
                at, data = (self._total - RING) % RING, data[-RING:]
            first = data[: RING - at]
            self._memory[HEADER + at : HEADER + at + len(first)] = first
            rest = data[len(first) :]
            self._memory[HEADER : HEADER + len(rest)] = rest
            # The count last: a reader never sees bytes that are not there.
            self._memory[:8] = self._total.to_bytes(8, "little")


def _reserve(fd: int, size: int) -> None:
    """Make a file that long, with room for all of it: in a hole on a full disk writing kills."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        os.pwrite(fd, bytes(size), 0)


def read_end(path: str | Path, most: int) -> bytes:
    """Return at most the last ``most`` bytes of a file that a hostile kernel may have replaced.

    Links are not followed, and only a regular file is read; all else counts as empty.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        status = os.fstat(fd)
        regular = stat.S_ISREG(status.st_mode)
        return os.pread(fd, most, max(0, status.st_size - most)) if regular else b""
    finally:
        os.close(fd)


def missing_text(path: str | Path, cell: str, received: int) -> str:
    """Return what ``cell`` has written beyond the first ``received`` bytes, as far as kept."""
    return missing_in(read_end(path, MIRROR_BYTES), cell, received)


def missing_in(memory: bytes, cell: str, received: int) -> str:
    """Return the same of what a mirror's file held.

    The file is a hostile kernel's: whatever is in it, the answer is at most one ring of text.
    """
    if len(memory) != MIRROR_BYTES or memory[8:HEADER].rstrip(b"\0") != cell.encode()[:ID_BYTES]:
        return ""
    total = int.from_bytes(memory[:8], "little")
    missing = min(total - received, RING)
    if missing <= 0:
        return ""
    ring, end = memory[HEADER:], total % RING
    tail = (ring[end:] + ring[:end])[-missing:]
    return tail.decode("utf-8", "replace")
