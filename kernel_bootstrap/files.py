"""Artifacts as files: read and written piece by piece by whatever takes a file.

Place in the house: above ``transfers``, below ``artifacts``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from kernel_bootstrap.link import Link
from kernel_bootstrap.transfers import Upload, ask

__all__ = ["Reader", "Writer"]


class Reader(io.RawIOBase):
    """Reads one version of an artifact, from wherever it is asked to.

    Args:
        link: The line to the host.
        info: What is known about the artifact.
        piece: Bytes of one message.
    """

    def __init__(self, link: Link, info: Mapping[str, Any], piece: int) -> None:
        self._link = link
        self._info = info
        self._piece = piece
        self._position = 0

    @property
    def name(self) -> str:
        """The artifact's name."""
        return str(self._info["name"])

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._info["size"]}
        if whence not in start or start[whence] + offset < 0:
            raise ValueError(f"cannot seek to {offset} from {whence}")
        self._position = start[whence] + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; return how many bytes."""
        view = memoryview(buffer).cast("B")
        size = min(len(view), self._piece, self._info["size"] - self._position)
        if size <= 0:
            return 0
        data = ask(self._link, self._info, self._position, size).result().data
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


class Writer(io.RawIOBase):
    """Writes an artifact; closing it, or leaving its ``with`` block, keeps what was written.

    A block that raises, and a file that is lost without having been closed, leaves nothing.

    Args:
        name: The artifact's name.
        upload: Takes the bytes.
        text: Whether it takes text as well.

    Attributes:
        info: What is known about the artifact, once it is kept.
    """

    def __init__(self, name: str, upload: Upload, *, text: bool = False) -> None:
        self.name = name
        self._text = text
        self.info: dict[str, Any] | None = None
        self._upload = upload

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes, or text as UTF-8; return how many, or how many characters."""
        if self.closed:
            raise ValueError(f"artifact {self.name!r}: the file is closed")
        if self._text and isinstance(data, str):
            self._upload.send(data.encode())
            return len(data)
        size = memoryview(data).nbytes
        self._upload.send(data)
        return size

    def close(self) -> None:
        """Keep what was written; ``info`` is what is known about it."""
        if not self.closed:
            super().close()
            if not self._upload.closed:
                self.info = self._upload.commit()

    def abort(self) -> None:
        """Close the file and keep nothing."""
        self._upload.abort()
        self.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        self.abort()
