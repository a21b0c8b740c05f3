"""``sys.stdout`` and ``sys.stderr`` of a kernel: metered, and tied to the writer's cell.

Place in the house: bottom of ``kernel``; above ``cells``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from ipykernel.iostream import OutStream

from kernel_bootstrap.cells import Cell, current
from kernel_bootstrap.wire.mirror import Mirror

__all__ = ["MIRROR_DIRECTORY", "CellStream"]

MIRROR_DIRECTORY = "PY_CODE_MODE_DIRECTORY"
"""Environment variable naming the session's private directory."""


class CellStream(OutStream):  # type: ignore[misc]
    """An ``OutStream`` whose messages belong to the cell that started the writer.

    Descriptor capture of the base class is off: ``capture`` does it per cell.
    """

    def __init__(self, session: Any, pub_thread: Any, name: str, **options: Any) -> None:
        options["watchfd"] = False
        super().__init__(session, pub_thread, name, **options)
        self._descriptor = {"stdout": 1, "stderr": 2}[name]
        directory = os.environ.get(MIRROR_DIRECTORY)
        self._mirror = Mirror(Path(directory, f"{name}.mirror")) if directory else None

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
            if self._mirror is not None:
                self._mirror.record(cell.header.get("msg_id", ""), now)
            super().write(now)
        return len(string)

    def flush(self) -> None:
        """Hand what is buffered to the io thread; with nothing buffered there is no wait.

        All iopub messages pass through that thread in order, so an empty buffer means that
        whatever was printed is already ahead of the caller's next message.
        """
        if self._buffers:
            super().flush()

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
        if self._mirror is not None:
            self._mirror.record(cell.header.get("msg_id", ""), string)
        with self._buffer_lock:
            self._buffers[frozenset(cell.header.items())].write(string)
        with contextlib.suppress(RuntimeError):  # the io thread is gone: the kernel is ending
            self._schedule_flush()
