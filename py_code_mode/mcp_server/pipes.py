"""Standard input and output, kept for the protocol.

Place in the house: inside ``mcp_server``, standard library only, so that they are ours before
anything else is loaded. The pipes of the client move to descriptors of their own; what is
called stdin from then on is empty, and what is called stdout is stderr. So nothing that a library,
a program that is started or C code prints can come between the messages.

Reading and writing block in two threads that end with the process: a client that neither reads nor
leaves holds up nobody.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator

from py_code_mode.mcp_server.early import RequestId, early_answer, is_answer

__all__ = ["Pipes"]

_CHUNK = 65_536
_MAX_WAITING = 1_000
"""Lines that are read ahead of whoever works them off."""


class Pipes:
    """The client's end of stdin and stdout, as text files that are awaited: a line is a message.

    Made once in a process, before anything prints.
    """

    def __init__(self) -> None:
        self._in, self._out = _move(0, os.O_RDONLY), _move(1, None)
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_MAX_WAITING)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self._answered: RequestId | None = None
        self._outgoing: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._is_broken = False
        for work in (self._read, self._write):
            threading.Thread(target=work, name=f"mcp-{work.__name__}", daemon=True).start()

    # --- threads -------------------------------------------------------------------------------

    def _read(self) -> None:
        held = bytearray()
        is_first = True
        while data := _read_some(self._in):
            held += data
            if b"\n" not in data:
                continue
            *lines, held = held.split(b"\n")
            for line in filter(bytes.strip, map(bytes, lines)):
                if is_first:
                    is_first = False
                    self._answer(line)
                self._put(line)
        if held.strip():
            self._put(bytes(held))
        self._put(None)

    def _answer(self, line: bytes) -> None:
        early = early_answer(line)
        if early is not None:
            self._answered = early[0]
            self._send(early[1])

    def _put(self, line: bytes | None) -> None:
        self._room.acquire()
        self._lines.put(line)
        loop = self._loop
        if loop is not None:
            _call(loop, self._arrived.set)

    def _write(self) -> None:
        while True:
            data, done = self._outgoing.get()
            self._send(data)
            _call(done.get_loop(), _finish, done)

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view and not self._is_broken:
                view = view[os.write(self._out, view) :]
        except OSError:
            # The client has gone; that stdin ends, too, ends the server.
            self._is_broken = True

    # --- what the SDK uses: an asynchronous text file for each direction ------------------------

    def __aiter__(self) -> AsyncIterator[str]:
        return self._each_line()

    async def _each_line(self) -> AsyncIterator[str]:
        self._loop = asyncio.get_running_loop()
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                self._arrived.clear()
                if self._lines.empty():  # else it came before the event was cleared
                    await self._arrived.wait()
                continue
            self._room.release()
            if line is None:
                return
            yield line.decode("utf-8", "replace")

    async def write(self, text: str) -> None:
        """Send a message, unless it has been sent already."""
        if self._answered is not None and is_answer(text, self._answered):
            self._answered = None
            return
        done = asyncio.get_running_loop().create_future()
        self._outgoing.put((text.encode(), done))
        await done

    async def flush(self) -> None:
        """Nothing is held back."""


def _move(descriptor: int, mode: int | None) -> int:
    """Return a descriptor of its own for what this one is; this one becomes empty, or stderr."""
    moved = os.dup(descriptor)
    try:
        other = os.open(os.devnull, mode) if mode is not None else os.dup(2)
    except OSError:  # there is no stderr
        other = os.open(os.devnull, os.O_WRONLY)
    os.dup2(other, descriptor)
    os.close(other)
    return moved


def _read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""


def _call(loop: asyncio.AbstractEventLoop, function: object, *arguments: object) -> None:
    """Have a loop call something, if it still runs."""
    try:
        loop.call_soon_threadsafe(function, *arguments)  # type: ignore[arg-type]
    except RuntimeError:
        return


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
