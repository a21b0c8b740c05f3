"""The bytes of artifacts in Redis: in chunks, so that no side ever holds more than a few of them.

Place in the house: inside ``artifacts``, between ``redisscripts`` and ``redis``. Each version of
an artifact has its content under a key of its own, a hash of chunks, that never changes; the
artifact's record names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from py_code_mode.artifacts import redisscripts as scripts
from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.quota import Quota
from py_code_mode.artifacts.writer import ArtifactWriter
from py_code_mode.errors import ArtifactError, ArtifactWriteError
from py_code_mode.redisdb import Database, token

__all__ = ["CHUNK", "Contents", "Record", "Writer"]

CHUNK = 1024 * 1024
"""Bytes of a chunk; the last one of a content has less."""

_AT_ONCE = 4
"""Chunks that a reader asks for at once: the way there and back counts less."""

_ID = 32


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of an artifact.

    Attributes:
        id: Names its content; no other version of any artifact has it.
        info: What is known about it.
        chunk: Bytes of a chunk.
    """

    id: str
    info: ArtifactInfo
    chunk: int = CHUNK

    @property
    def chunks(self) -> int:
        """How many chunks its content has."""
        return -(-self.info.size // self.chunk)

    def pack(self) -> str:
        """Return it as it is kept; the id comes first, for scripts to compare."""
        return self.id + json.dumps({"chunk": self.chunk, "info": self.info.to_dict()})

    @classmethod
    def unpack(cls, raw: bytes) -> Record:
        """Read what ``pack`` gave.

        Raises:
            ArtifactError: It is something else.
        """
        try:
            data = json.loads(raw[_ID:])
            chunk, info = data["chunk"], ArtifactInfo.from_dict(data["info"])
            if type(chunk) is not int or chunk < 1:
                raise ValueError(f"chunks of {chunk!r:.80} bytes")
            return cls(raw[:_ID].decode("ascii"), info, chunk)
        except (ValueError, TypeError, KeyError) as error:
            raise ArtifactError(
                f"an artifact's record in Redis is damaged: {error!s:.200}"
            ) from None


class Contents:
    """Reads and writes contents.

    Args:
        db: The store's keys.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def keys(self, content: str) -> list[bytes]:
        """Return the key of a content, and the key that says it is being read."""
        return [self._db.key("content", content), self._db.key("reading", content)]

    def upload(self, content: str, number: int, chunk: memoryview | bytes, what: str) -> None:
        """Add a chunk to a content that is no artifact's yet."""
        args = (number, chunk)
        self._db.run(what, scripts.UPLOAD, self.keys(content)[:1], args, error=ArtifactWriteError)

    def drop(self, content: str) -> None:
        """Remove a content that became no artifact's; if it cannot be done now it goes later."""
        with suppress(ArtifactError):
            self._db.ask("remove what was written", "UNLINK", self.keys(content)[0])

    def whole(self, record: Record) -> bytes | None:
        """Return a content, None if it is not all there."""
        wanted = range(record.chunks)
        pieces = list(self._read(record, wanted, wanted[:_AT_ONCE]))
        return None if None in pieces else b"".join(piece for piece in pieces if piece)

    def begin(self, record: Record, offset: int, size: int | None) -> Iterator[bytes] | None:
        """Begin to read; what is read stays as long as the reader goes on.

        Args:
            record: The artifact.
            offset: Where to begin.
            size: How many bytes; None: all that follow.

        Returns:
            The bytes piece by piece, or None if the content is no longer there.
        """
        end = record.info.size if size is None else min(record.info.size, offset + size)
        if offset >= end:
            return iter(())
        wanted = range(offset // record.chunk, -(-end // record.chunk))
        reading = self._read(record, wanted, wanted[:1])
        first = next(reading)
        return None if first is None else self._cut(record, first, reading, offset, end)

    def _cut(
        self,
        record: Record,
        first: bytes,
        rest: Iterator[bytes | None],
        offset: int,
        end: int,
    ) -> Iterator[bytes]:
        """Yield the stretch that is wanted of a row of chunks."""
        position, piece = offset - offset % record.chunk, first
        while True:
            stretch = piece[max(0, offset - position) : end - position]
            yield stretch
            position += record.chunk
            if position >= end:
                return
            found = next(rest)
            if found is None:
                raise ArtifactError(
                    f"artifact {record.info.name!r} was replaced or deleted while it was read, "
                    f"more than {scripts.LEASE} seconds ago; read it again from the start"
                )
            piece = found

    def _read(self, record: Record, wanted: range, batch: range) -> Iterator[bytes | None]:
        """Yield chunks, None for those that are not there; ``batch`` is asked for first."""
        what, keys = f"read artifact {record.info.name!r}", self.keys(record.id)
        while wanted:
            yield from self._db.run(what, scripts.READ, keys, batch)
            wanted = wanted[len(batch) :]
            batch = wanted[:_AT_ONCE]


Commit = Callable[[Record, bytes], ArtifactInfo]
"""Makes a content, and its last chunk that comes along, an artifact's."""


class Writer(ArtifactWriter):
    """Uploads one artifact chunk by chunk; a record that is put in place makes it one."""

    def __init__(
        self,
        contents: Contents,
        commit: Commit,
        name: str,
        kind: str,
        details: Details,
        quota: Quota,
        used: int,
    ) -> None:
        self._contents = contents
        self._into_place = commit
        self._id = token()
        self._buffer = bytearray()
        self._uploaded = 0
        self._kept = False
        super().__init__(name, kind, details, quota, used)

    def _append(self, view: memoryview) -> None:
        if self._buffer:
            missing = CHUNK - len(self._buffer)
            self._buffer += view[:missing]
            view = view[missing:]
        # The last chunk waits for the commit, and goes with it.
        while len(self._buffer) + view.nbytes > CHUNK:
            if self._buffer:
                self._upload(bytes(self._buffer))
                self._buffer.clear()
            else:
                self._upload(view[:CHUNK])
                view = view[CHUNK:]
        self._buffer += view

    def _upload(self, chunk: memoryview | bytes) -> None:
        what = f"write artifact {self.name!r}"
        self._contents.upload(self._id, self._uploaded, chunk, what)
        self._uploaded += 1

    def _commit(self, info: ArtifactInfo) -> ArtifactInfo:
        kept = self._into_place(Record(self._id, info), bytes(self._buffer))
        self._kept = True
        return kept

    def _discard(self) -> None:
        self._buffer.clear()
        if self._uploaded and not self._kept:
            self._contents.drop(self._id)
