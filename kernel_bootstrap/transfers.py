"""Artifacts on their way between kernel and host, piece by piece.

Place in the house: above ``link``, below ``artifacts``; knows no transport. A few pieces are under
way at once, so that neither side waits for the other, and never more: however large an artifact
is, both sides hold only these.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from kernel_bootstrap.link import Link
from kernel_bootstrap.wire.errors import ArtifactError, CodeModeError
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Method
from kernel_bootstrap.wire.parts import Buffer
from kernel_bootstrap.wire.pieces import Piece

__all__ = ["Upload", "download", "piece_size"]

MAX_PIECE = 1024 * 1024
"""Bytes of one message. Larger ones are no faster; much smaller ones are slower."""

WINDOW = 8
"""Pieces under way at once."""


def piece_size(limits: Limits) -> int:
    """Return how many bytes one message may carry, either way."""
    return max(1, min(MAX_PIECE, limits.request_bytes // 2, limits.reply_bytes // 2))


class Upload:
    """Sends one artifact's bytes to the host, which keeps them at the commit.

    Args:
        link: The line to the host.
        piece: Bytes of one message.
        params: What is known of the artifact beforehand.
        method: The request by which it begins.

    Raises:
        CodeModeError: The host refuses it.
    """

    def __init__(
        self,
        link: Link,
        piece: int,
        params: Mapping[str, Any],
        method: str = Method.ARTIFACTS_BEGIN,
    ) -> None:
        self._link = link
        self._piece = piece
        self._rest = bytearray()
        self._sent = 0
        self._under_way: deque[Future[Any]] = deque()
        self.closed = True
        self._id = link.call(method, **params)
        self.closed = False

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send what comes next; whatever goes wrong, the upload is over.

        Raises:
            ArtifactError: The upload was closed.
            CodeModeError: The host cannot keep it.
        """
        if self.closed:
            raise ArtifactError("this artifact was closed: nothing can be written to it")
        view = memoryview(data)
        view = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
        try:
            if self._rest:
                fits = self._piece - len(self._rest)
                self._rest += view[:fits]
                view = view[fits:]
                if len(self._rest) < self._piece:
                    return
                self._send(bytes(self._rest))
                self._rest.clear()
            whole = len(view) - len(view) % self._piece
            for start in range(0, whole, self._piece):
                self._send(view[start : start + self._piece])
            self._rest += view[whole:]
        except BaseException:
            self.abort()
            raise

    def _send(self, piece: bytes | memoryview) -> None:
        while len(self._under_way) >= WINDOW:
            self._under_way.popleft().result()
        asked = self._link.request(
            Method.ARTIFACTS_WRITE, id=self._id, offset=self._sent, data=Piece(piece)
        )
        self._under_way.append(asked)
        self._sent += len(piece)

    def commit(self) -> dict[str, Any]:
        """Have the host keep what was sent; return what is known about it.

        Raises:
            ArtifactError: The upload was closed.
            CodeModeError: The host cannot keep it.
        """
        if self.closed:
            raise ArtifactError("this artifact was closed: nothing more can be done to it")
        try:
            if self._rest:
                self._send(bytes(self._rest))
                self._rest.clear()
            while self._under_way:
                self._under_way.popleft().result()
            info: dict[str, Any] = self._link.call(
                Method.ARTIFACTS_COMMIT, id=self._id, size=self._sent
            )
        except BaseException:
            self.abort()
            raise
        self.closed = True
        return info

    def abort(self) -> None:
        """Give up: the host forgets what was sent. Does nothing to one that is closed."""
        if self.closed:
            return
        self.closed = True
        self._rest.clear()
        self._under_way.clear()
        try:
            self._link.request(Method.ARTIFACTS_ABORT, id=self._id)
        except CodeModeError:  # no line to the host, or a forked child: it is not ours to abort
            return


def download(link: Link, info: Mapping[str, Any], piece: int, offset: int = 0) -> Iterator[Buffer]:
    """Yield an artifact's bytes as they come; they are to be used at once.

    Args:
        link: The line to the host.
        info: What is known about the artifact; its size and checksum are expected.
        piece: Bytes of one message.
        offset: Where to begin.

    Raises:
        ArtifactError: It was replaced meanwhile, or what came is not what was saved.
        CodeModeError: The host cannot read it.
    """
    end, whole = info["size"], offset == 0
    digest = hashlib.sha256()
    under_way: deque[Future[Any]] = deque()
    while offset < end or under_way:
        while offset < end and len(under_way) < WINDOW:
            size = min(piece, end - offset)
            under_way.append(ask(link, info, offset, size))
            offset += size
        data: Buffer = under_way.popleft().result().data
        if whole:
            digest.update(data)
        yield data
    if whole and digest.hexdigest() != info["sha256"]:
        raise ArtifactError(
            f"artifact {info['name']!r} is damaged: its bytes are not those that were saved; "
            "save it again or delete it"
        )


def ask(link: Link, info: Mapping[str, Any], offset: int, size: int) -> Future[Any]:
    """Ask for a ``Piece`` of one version of an artifact."""
    return link.request(
        Method.ARTIFACTS_READ,
        name=info["name"],
        offset=offset,
        size=size,
        sha256=info["sha256"],
    )
