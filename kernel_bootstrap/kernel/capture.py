"""Output that reaches descriptors 1 and 2 without Python: C code, child processes.

Place in the house: above ``streams``. A cell that follows one which started processes gets
fresh pipes. A child process keeps the pipe of the cell that started it, so what it prints after
that cell ended still belongs to it, and at a cell's end everything its pipe holds is read before
the reply leaves.
"""

from __future__ import annotations

import codecs
import functools
import os
import selectors
import sys
import threading
from collections import deque
from dataclasses import dataclass, field

from kernel_bootstrap.cells import Cell
from kernel_bootstrap.kernel.streams import CellStream

__all__ = ["DescriptorCapture"]

CHUNK = 65_536

SPAWNING = frozenset(
    {
        *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"),
        *("pty.spawn", "subprocess.Popen"),
    }
)
"""Audit events of a process that starts another one, which then holds our pipes."""


class _Spawns:
    """Whether this process has started another one since somebody last looked."""

    seen = True

    def note(self, event: str, _: tuple[object, ...]) -> None:
        """Take an audit event."""
        if event in SPAWNING:
            self.seen = True


@functools.cache
def _spawns() -> _Spawns:
    # Audit hooks cannot be taken away: one for the process, and those forked from it.
    spawns = _Spawns()
    sys.addaudithook(spawns.note)
    return spawns


@dataclass(eq=False, slots=True)
class _Pipe:
    """The reading end of one descriptor of one cell."""

    fd: int
    cell: Cell
    stream: CellStream
    lock: threading.Lock = field(default_factory=threading.Lock)
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    open: bool = True

    def hand_over(self, cell: Cell) -> None:
        """Let what is read from now on belong to another cell."""
        with self.lock:
            self.cell = cell

    def read(self, most: int) -> bool:
        """Forward at most ``most`` chunks; False when all writers are gone."""
        with self.lock:
            for _ in range(most if self.open else 0):
                try:
                    data = os.read(self.fd, CHUNK)
                except BlockingIOError:
                    break
                self.stream.write_for(self.cell, self.decoder.decode(data, final=not data))
                self.open = bool(data)
                if not data:
                    break
            return self.open


class DescriptorCapture:
    """Redirects descriptors 1 and 2 into pipes, new ones for each cell.

    Args:
        streams: The streams that take what arrives, by descriptor.
    """

    def __init__(self, streams: dict[int, CellStream]) -> None:
        self._streams = streams
        self._current: list[_Pipe] = []
        self._spawns = _spawns()
        self._spawns.seen = True
        self._fresh: deque[_Pipe] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._watch, name="descriptors", daemon=True)
        # Debuggers must not stop the thread that carries their output.
        self._thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
        self._thread.start()

    def abandon(self) -> None:
        """Close the pipes in a forked process: their reader is a thread of its parent."""
        pipes = {key.data for key in self._selector.get_map().values() if key.data is not None}
        for pipe in pipes | {*self._fresh, *self._current}:
            if pipe.open:
                os.close(pipe.fd)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def begin(self, cell: Cell) -> None:
        """Let what reaches the descriptors belong to ``cell`` from now on."""
        if not self._spawns.seen:
            # Nobody else holds the pipes; fresh ones would cost each cell two thread switches.
            for pipe in self._current:
                pipe.hand_over(cell)
            return
        self._spawns.seen = False
        pipes = []
        for target, stream in self._streams.items():
            read, write = os.pipe()
            os.dup2(write, target, inheritable=True)
            os.close(write)
            os.set_blocking(read, False)
            pipes.append(_Pipe(read, cell, stream))
        self._current = pipes
        self._fresh.extend(pipes)
        os.write(self._wake_write, b"+")

    def drain(self) -> None:
        """Forward everything the current cell's pipes hold now."""
        for pipe in self._current:
            pipe.read(most=1_000)

    def _watch(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    os.read(self._wake_read, CHUNK)
                    while self._fresh:
                        pipe = self._fresh.popleft()
                        self._selector.register(pipe.fd, selectors.EVENT_READ, pipe)
                # One chunk at a time keeps every pipe served while one floods.
                elif not key.data.read(most=1):
                    self._selector.unregister(key.fileobj)
                    os.close(key.data.fd)
