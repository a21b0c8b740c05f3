"""Artifacts that kernels write piece by piece, while they are under way.

Place in the house: middle layer, below ``toolcalls``, above ``artifacts``. A kernel knows a number;
the writer behind it, and its temporary file, are the session's and go with its kernel.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from kernel_bootstrap.wire.parts import Buffer
from py_code_mode.artifacts.base import ArtifactInfo, ArtifactWriter
from py_code_mode.errors import ArtifactError, ArtifactWriteError

__all__ = ["Uploads"]

MAX_OPEN = 32
"""Artifacts that one session may be writing at once: each has an open file."""

IDLE = 600.0
"""Seconds after which an upload that nobody continues makes room for another."""


_ids = itertools.count(1)
"""Numbers of uploads, of all sessions: a branch of a kernel has copies of its parent's writers,
which must not be taken for the branch's own."""


class Uploads:
    """The uploads of one session's kernel. Used from one event loop; the work is in threads."""

    def __init__(self) -> None:
        self._open: dict[int, _Upload] = {}

    async def begin(self, make: Callable[[], ArtifactWriter], most: int | None = None) -> int:
        """Begin one; return its number.

        Args:
            make: Opens the writer.
            most: Bytes it may have; None: what the store allows.

        Raises:
            ArtifactWriteError: Too many are open, or the store refuses this one.
        """
        idle = [key for key, each in self._open.items() if each.idle > IDLE]
        for key in idle:
            await asyncio.to_thread(self._open.pop(key).abort)
        if len(self._open) >= MAX_OPEN:
            raise ArtifactWriteError(
                f"{MAX_OPEN} artifacts are being written by this session; close some first"
            )
        key = next(_ids)
        self._open[key] = upload = _Upload(most)
        try:
            await upload.work(lambda: upload.open(make))
        except BaseException:
            self._open.pop(key, None)
            self._later(upload)
            raise
        return key

    async def write(self, key: int, offset: int, data: Buffer) -> None:
        """Write the piece that begins at ``offset``; pieces come in order.

        Raises:
            ArtifactError: There is no such upload, or a piece is missing.
        """
        upload = self._find(key)
        try:
            await upload.work(lambda: upload.write(offset, data))
        except BaseException:
            self.abort(key)
            raise

    async def commit(self, key: int, size: int) -> ArtifactInfo:
        """Keep what was written; it is refused unless it has ``size`` bytes."""
        upload = self._find(key)
        try:
            info: ArtifactInfo = await upload.work(lambda: upload.commit(size))
        except BaseException:
            self.abort(key)
            raise
        self._open.pop(key, None)
        return info

    def abort(self, key: int) -> None:
        """Forget what was written, if it was not committed."""
        upload = self._open.pop(key, None)
        if upload is not None:
            self._later(upload)

    def abort_all(self) -> None:
        """Forget all: the kernel is gone."""
        for key in list(self._open):
            self.abort(key)

    def _find(self, key: int) -> _Upload:
        upload = self._open.get(key)
        if upload is None:
            raise ArtifactError(
                "this artifact is not being written: it was closed, a piece of it could not be "
                "kept, or it is another session's"
            )
        return upload

    @staticmethod
    def _later(upload: _Upload) -> None:
        """Abort in a thread: there may be a write to wait for."""
        threading.Thread(target=upload.abort, name="abort upload").start()


class _Upload:
    """One writer. Pieces are taken in the order they came; a lock keeps threads apart.

    A request that is cancelled leaves its thread at work, so the order of requests alone is not
    enough.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._writer: ArtifactWriter | None = None
        self._turn = asyncio.Lock()
        self._lock = threading.Lock()
        self._gone = False
        self._used = time.monotonic()

    @property
    def idle(self) -> float:
        """Seconds since it was last used."""
        return time.monotonic() - self._used

    async def work(self, do: Callable[[], Any]) -> Any:
        """Do something in a thread, after what was asked for before."""
        async with self._turn:
            self._used = time.monotonic()
            return await asyncio.to_thread(do)

    def open(self, make: Callable[[], ArtifactWriter]) -> None:
        with self._lock:
            if not self._gone:
                self._writer = make()

    def write(self, offset: int, data: Buffer) -> None:
        with self._lock:
            writer = self._writer
            if writer is None or writer.size != offset:
                raise ArtifactError(f"a piece of the artifact is missing before byte {offset:,}")
            if self._most is not None and offset + memoryview(data).nbytes > self._most:
                raise ArtifactWriteError(f"more than {self._most:,} bytes are not kept of this")
            writer.write(data)

    def commit(self, size: int) -> ArtifactInfo:
        with self._lock:
            writer = self._writer
            if writer is None or writer.size != size:
                raise ArtifactError(f"not all of the artifact's {size:,} bytes have arrived")
            return writer.commit()

    def abort(self) -> None:
        with self._lock:
            self._gone = True
            if self._writer is not None:
                self._writer.abort()
