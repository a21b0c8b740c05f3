"""What forked children of a kernel publish, on its way through the kernel itself.

Place in the house: bottom of ``kernel``, below ``iopub``. A zmq socket does not survive a fork, so
children (``multiprocessing``, ``os.fork``) hand their messages to the kernel's process. ipykernel
lets them connect to a port on loopback; a pair of sockets that they inherit needs no network, no
permission and no name that others could guess.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import count

from kernel_bootstrap.wire.codec import Buffer

__all__ = ["ChildPipe"]

_PART = struct.Struct("<QQ?")
"""Process and message of which a packet holds a part, and whether it is the last one."""

_LENGTH = struct.Struct("<Q")

# Packets keep the writers apart: each arrives whole, or not at all.
KIND, PACKET_BYTES = (
    (socket.SOCK_SEQPACKET, 48 * 1024)
    if sys.platform == "linux"
    else (socket.SOCK_DGRAM, 1_500)  # macOS has no other, and takes 2 KiB
)

MAX_PACKETS = 1_000
"""That are taken at once."""

MAX_UNFINISHED = 256
"""Messages whose sender may have been killed in their midst."""


class ChildPipe:
    """A pair of sockets, of which children write to one and the kernel reads from the other."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, KIND)
        self._reader.setblocking(False)  # noqa: FBT003 - its only argument
        self._unfinished: dict[tuple[int, int], bytearray] = {}
        self._numbers = count()
        # A handler of a signal may print in the midst: same thread, same lock.
        self._forget_lock()
        os.register_at_fork(after_in_child=self._forget_lock)

    def fileno(self) -> int:
        """Descriptor that is readable when children have written."""
        return self._reader.fileno()

    def _forget_lock(self) -> None:
        """Start afresh in a forked child, where the lock's holder may not exist."""
        self._lock = threading.RLock()

    def send(self, frames: Sequence[Buffer]) -> None:
        """Send a message from a child; waits while the kernel is behind."""
        data = memoryview(_joined(frames))
        with self._lock:
            number = next(self._numbers)
        for start in range(0, len(data), PACKET_BYTES):
            is_last = start + PACKET_BYTES >= len(data)
            head = _PART.pack(os.getpid(), number, is_last)
            self._writer.sendmsg([head, data[start : start + PACKET_BYTES]])

    def receive(self) -> list[list[bytes]]:
        """Return the messages that are there, without waiting; of a flood the beginning."""
        with self._lock:
            return [*self._receive()]

    def _receive(self) -> Iterator[list[bytes]]:
        for _ in range(MAX_PACKETS):
            try:
                packet = self._reader.recv(_PART.size + PACKET_BYTES)
            except BlockingIOError:
                return
            if len(packet) < _PART.size:
                return
            process, number, is_last = _PART.unpack_from(packet)
            whole = self._unfinished.setdefault((process, number), bytearray())
            whole += packet[_PART.size :]
            if is_last:
                del self._unfinished[process, number]
                yield _parted(whole)
            elif len(self._unfinished) > MAX_UNFINISHED:
                del self._unfinished[next(iter(self._unfinished))]

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self._writer.close()


def _joined(frames: Sequence[Buffer]) -> bytes:
    whole = bytearray()
    for frame in frames:
        data = memoryview(frame).cast("B")
        whole += _LENGTH.pack(len(data))
        whole += data
    return bytes(whole)


def _parted(whole: bytearray) -> list[bytes]:
    frames, at = [], 0
    while at < len(whole):
        (length,) = _LENGTH.unpack_from(whole, at)
        at += _LENGTH.size
        frames.append(bytes(whole[at : at + length]))
        at += length
    return frames
