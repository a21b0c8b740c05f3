"""``sys.stdout`` and ``sys.stderr`` of a kernel: metered, and tied to the writer's cell.

Place in the house: bottom of ``kernel``; above ``cells``.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any

from ipykernel.iostream import OutStream

from kernel_bootstrap.cells import Cell, current, latest
from kernel_bootstrap.kernel.interrupts import interrupts
from kernel_bootstrap.wire.birth import DIRECTORY
from kernel_bootstrap.wire.mirror import Mirror

__all__ = ["CellStream"]


class CellStream(OutStream):  # type: ignore[misc]
    """An ``OutStream`` whose messages belong to the cell that started the writer.

    Descriptor capture of the base class is off: ``capture`` does it per cell.
    """

    def __init__(self, session: Any, pub_thread: Any, name: str, **options: Any) -> None:
        self._forget_lock()
        os.register_at_fork(after_in_child=self._forget_lock)
        interrupts.wait_while(self._holds_lock)
        self._descriptor = {"stdout": 1, "stderr": 2}[name]
        self.name = name
        self.attach(session, pub_thread, **options)

    def attach(self, session: Any, pub_thread: Any, **options: Any) -> None:
        """Begin to publish there, with nothing buffered: anew, in a forked process.

        It stays the object it was, because the user's code may hold it (``logging`` does).
        """
        options["watchfd"] = False
        super().__init__(session, pub_thread, self.name, **options)
        self._mirror = _mirror(self.name)

    def _holds_lock(self) -> bool:
        """Whether the calling thread holds the lock, of which a forked child has its own."""
        return bool(self._flush_lock._is_owned())  # type: ignore[attr-defined]

    def _forget_lock(self) -> None:
        """Start afresh in a forked child, where the lock's holder may not exist."""
        self._flush_lock = threading.RLock()

    @property
    def parent_header(self) -> dict[str, Any]:
        """Header of the request the calling thread or task works for."""
        return current().header

    @parent_header.setter
    def parent_header(self, value: dict[str, Any]) -> None:
        """Ignored: the cell is entered once for all streams (``cells.enter``)."""

    def fileno(self) -> int:
        """The captured descriptor, so that child processes given it are captured too."""
        return self._descriptor

    def write(self, string: str) -> int:
        """Write through the cell's meter."""
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        cell = current()
        now = cell.streams[self.name].take(string)
        if now:
            self._record(cell, now)
            super().write(now)
        return len(string)

    def _flush(self) -> None:
        """Send what is buffered when the io thread's timer has run out."""
        self._flush_pending = False
        self.flush()

    def _record(self, cell: Cell, text: str) -> None:
        # Of an earlier cell nobody asks any more; its late text must not push out the latest's.
        if self._mirror is not None and cell is latest():
            self._mirror.record(cell.header.get("msg_id", ""), text)

    def flush(self) -> None:
        """Send what is buffered, before anything the caller sends next.

        The timer runs on: waking the io thread for each cell that prints would cost the cell
        more than the printing.
        """
        self._subprocess_flush_pending = False
        with self._flush_lock:  # or what was taken first might be sent second
            texts = self._rotate_buffers()
            try:
                while texts:
                    header = next(iter(texts))
                    self._send(dict(header), texts[header].getvalue())
                    del texts[header]
            except BaseException:
                self._put_back(texts)
                raise
        interrupts.raise_pending()

    def _send(self, header: dict[str, Any], text: str) -> None:
        # In a forked child too: the socket passes it on to the parent.
        self.session.pid = os.getpid()
        msg = self.session.msg("stream", {"name": self.name, "text": text}, parent=header)
        for hook in self._hooks:
            msg = hook(msg)
            if msg is None:
                return
        self.session.send(self.pub_thread, msg, ident=self.topic)

    def _put_back(self, texts: dict[Any, Any]) -> None:
        """Keep what could not be sent: a signal handler of the user's has raised."""
        with self._buffer_lock:
            for header, text in texts.items():
                later = self._buffers.pop(header, None)
                self._buffers[header].write(text.getvalue() + (later.getvalue() if later else ""))

    def write_for(self, cell: Cell, string: str) -> None:
        """Write what a descriptor delivered on behalf of ``cell``."""
        now = cell.streams[self.name].take(string)
        if now:
            self._buffer_for(cell, now)

    def write_unmetered(self, cell: Cell, string: str) -> None:
        """Write the end of a flood, already bounded by its meter."""
        if string:
            self._buffer_for(cell, string)

    def _buffer_for(self, cell: Cell, string: str) -> None:
        self._record(cell, string)
        with self._buffer_lock:
            self._buffers[frozenset(cell.header.items())].write(string)
        with contextlib.suppress(RuntimeError):  # the io thread is gone: the kernel is ending
            self._schedule_flush()


def _mirror(name: str) -> Mirror | None:
    """Make a stream's mirror; on a full disk there is none, and only last words can be lost."""
    directory = os.environ.get(DIRECTORY)
    if directory:
        with contextlib.suppress(OSError):
            return Mirror(Path(directory, f"{name}.mirror"))
    return None
