"""An index kept in a file.

Place in the house: ``search``, an ``IndexKeeper`` for stores that are folders.
"""

from __future__ import annotations

import contextlib
import glob
import os
import time
import uuid
from pathlib import Path

__all__ = ["HIDDEN", "FileIndexKeeper", "ignored"]

HIDDEN = ".py-code-mode"
"""The folder, in a folder of a user's files, that is this library's own."""

_MAX_BYTES = 2 * 1024**3
_LEFT = 600.0
"""Seconds after which a file that is being written belongs to nobody any more."""


def ignored(folder: Path) -> None:
    """Make a folder that git does not see."""
    ignore = folder / ".gitignore"
    if not ignore.exists():
        folder.mkdir(parents=True, exist_ok=True)
        ignore.write_text("*\n")


class FileIndexKeeper:
    """Keeps an index in a file. A folder that cannot be written to is no error.

    Args:
        path: The file; its folder is made when something is written.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def beside(cls, folder: Path) -> FileIndexKeeper:
        """Return what keeps the index of a folder in a hidden folder there, out of git's sight."""
        return _HiddenIndexKeeper(folder / HIDDEN / "search-index")

    def read(self) -> bytes | None:
        """Return the file's content; None if it is not there, or is no regular file."""
        try:
            # O_NONBLOCK: opening a named pipe would wait for its other end.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as opened:
                if os.fstat(descriptor).st_size > _MAX_BYTES:
                    return None
                return opened.read()
        except FileNotFoundError:
            return None

    def write(self, data: bytes) -> None:
        """Put the data in the file's place in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._sweep()
        temporary = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("xb") as opened:
                opened.write(data)
            temporary.replace(self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):  # the usual case: it was moved
                temporary.unlink()

    def _sweep(self) -> None:
        """Remove what writers that died have left."""
        for left in self.path.parent.glob(f"{glob.escape(self.path.name)}.*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - left.lstat().st_mtime > _LEFT:
                    left.unlink()

    def __repr__(self) -> str:
        return f"FileIndexKeeper({str(self.path)!r})"


class _HiddenIndexKeeper(FileIndexKeeper):
    def write(self, data: bytes) -> None:
        ignored(self.path.parent)
        super().write(data)
