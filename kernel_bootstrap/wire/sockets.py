"""The frames of one message, in and out of a zmq socket.

Place in the house: bottom of ``wire``, used by both sides; standard library only, the sockets
are the caller's. pyzmq has calls of its own for this. They look at each frame before it is sent,
and ask the socket after each whether another one follows, which takes as long as the frames do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from kernel_bootstrap.wire.parts import Buffer

__all__ = ["Frame", "has_message", "receive_frames", "send_frames"]

NOBLOCK, SNDMORE, EVENTS, POLLIN = 1, 2, 15, 1
"""Constants of zmq's C interface, as plain numbers: pyzmq's enums take longer than the calls."""

NO_COPY_BYTES = 65_536
"""From this size on a frame is read where it lies, instead of being copied first."""


class Frame(Protocol):
    """A ``zmq.Frame``."""

    more: bool
    bytes: bytes
    buffer: memoryview


def has_message(socket: Any) -> bool:
    """Whether a message can be received now.

    Asking arms the edge by which the socket's descriptor announces the next message; sending on
    the socket may swallow it. Being refused by ``receive_frames`` does too and costs more.

    Args:
        socket: A ``zmq.Socket``.
    """
    return bool(socket.getsockopt(EVENTS) & POLLIN)


def receive_frames(socket: Any) -> list[Frame]:
    """Return the frames of the next message, without waiting for it.

    Args:
        socket: A ``zmq.Socket``.

    Raises:
        zmq.Again: There is none.
    """
    receive = socket.recv
    frame: Frame = receive(NOBLOCK, False)  # noqa: FBT003 - pyzmq's signature
    frames = [frame]
    while frame.more:
        frame = receive(NOBLOCK, False)  # noqa: FBT003
        frames.append(frame)
    return frames


def send_frames(socket: Any, frames: Sequence[Buffer]) -> None:
    """Send the frames of one message; waits if the socket's queue is full.

    Args:
        socket: A ``zmq.Socket``.
        frames: At least one.
    """
    send = socket.send
    for frame in frames[:-1]:
        send(frame, SNDMORE, _is_small(frame))
    send(frames[-1], 0, _is_small(frames[-1]))


def _is_small(frame: Buffer) -> bool:
    size = len(frame) if isinstance(frame, bytes) else memoryview(frame).nbytes
    return size < NO_COPY_BYTES
