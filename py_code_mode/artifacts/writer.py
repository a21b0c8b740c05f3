"""Writing an artifact in pieces: whole at the end, or not at all.

Place in the house: inside ``artifacts``, above ``info`` and ``room``; each store has its own
writer below this class, which knows what all have in common.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.names import check_name
from py_code_mode.artifacts.room import Room, Share
from py_code_mode.errors import ArtifactWriteError

__all__ = ["ArtifactWriter", "Data", "flat"]

Data = bytes | bytearray | memoryview


class ArtifactWriter(ABC):
    """Takes an artifact's bytes piece by piece; nobody sees them before ``commit``.

    As a context manager it commits at the end of the block, and aborts if the block raises. A
    piece that cannot be kept aborts as well: there is nothing to go on with. To be used by one
    thread at a time.

    Args:
        name: Under which to keep them.
        kind: How they are to be read.
        details: What is said of them.
        room: What is left of the store's quota.

    Attributes:
        name: The name, normalised.
        size: Bytes so far.
        closed: Whether it was committed or aborted.
        info: What is known of the artifact, once it is committed.

    Raises:
        ArtifactWriteError: The name or something of the details is not acceptable.
    """

    closed = True  # until it has begun; the destructor looks

    def __init__(self, name: str, kind: str, details: Details, room: Room) -> None:
        self.name = check_name(name)
        details.check(self.name, kind)
        self.size = 0
        self.info: ArtifactInfo | None = None
        self._kind = kind
        self._details = details
        self._room = room
        self._share = Share(self.name)
        self._digest = hashlib.sha256()
        self.closed = False

    def write(self, data: Data) -> None:
        """Take the next piece.

        Raises:
            ArtifactWriteError: There is no room for it, or the writer was closed.
        """
        self._check_open()
        view = flat(data)
        try:
            self._room.take(self._share, view.nbytes)
            self._append(view)
        except BaseException:
            self.abort()
            raise
        self._digest.update(view)
        self.size += view.nbytes

    def commit(self, sha256: str = "") -> ArtifactInfo:
        """Make the artifact what was written.

        Args:
            sha256: What the bytes must have as their checksum; empty: whatever they have.

        Raises:
            ArtifactWriteError: They have another one, or they cannot be kept. What was there
                before is untouched.
        """
        self._check_open()
        try:
            digest = self._digest.hexdigest()
            if sha256 not in ("", digest):
                raise ArtifactWriteError(
                    f"artifact {self.name!r} did not arrive as it was sent: its {self.size:,} "
                    f"bytes have the SHA-256 {digest}, not {sha256:.80}"
                )
            now = time.time()
            info = self._details.describe(self.name, self._kind, self.size, digest, now)
            with self._room.settling(self._share):
                self.info = self._commit(info)
        finally:
            self.abort()  # what is left of a failure; nothing after a success
        return self.info.copy()

    def abort(self) -> None:
        """Give up: nothing of it stays. Does nothing to one that is closed."""
        if not self.closed:
            self.closed = True
            try:
                self._discard()
            finally:
                self._room.give_back(self._share)

    def _check_open(self) -> None:
        if self.closed:
            raise ArtifactWriteError(f"artifact {self.name!r}: this writer was closed")

    @abstractmethod
    def _append(self, view: memoryview) -> None:
        """Put the next bytes behind those before."""

    @abstractmethod
    def _commit(self, info: ArtifactInfo) -> ArtifactInfo:
        """Put the artifact in its place in one step, if the store has room (``check_store``).

        Returns:
            The info it has: ``created`` is that of the artifact it replaces.
        """

    @abstractmethod
    def _discard(self) -> None:
        """Let go of all that is held; called once, whatever became of it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abort()
        elif not self.closed:
            self.commit()

    def __del__(self) -> None:
        if not self.closed:
            warnings.warn(f"{self!r} was never closed", ResourceWarning, source=self, stacklevel=2)
            self.abort()

    def __repr__(self) -> str:
        state = "open" if not self.closed else "aborted" if self.info is None else "committed"
        return f"<{type(self).__name__} {self.name!r}, {self.size:,} bytes, {state}>"


def flat(data: Data) -> memoryview:
    """Return any buffer as a view of its bytes in order."""
    view = memoryview(data)
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
