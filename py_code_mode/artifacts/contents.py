"""The bytes of artifacts in Redis: in chunks, so that no side ever holds more than a few of them.

Place in the house: inside ``artifacts``, between ``redisscripts`` and ``redis``. Each version of
an artifact has its content under a key of its own, a hash of chunks, that never changes; the
artifact's record names it.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from py_code_mode.artifacts import redisscripts as scripts
from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.redisscripts import LEASE
from py_code_mode.artifacts.room import Room
from py_code_mode.artifacts.writer import ArtifactWriter
from py_code_mode.errors import ArtifactError, ArtifactWriteError
from py_code_mode.redisdb import Database, token

__all__ = ["CHUNK", "Contents", "Record", "Writer", "forgotten"]

CHUNK = 1024 * 1024
"""Bytes of a chunk; the last one of a content has less."""

_AT_ONCE = 4
"""Chunks that a reader asks for at once: the way there and back counts less."""

_HOLD_AGAIN = LEASE / 4
_MOST_HELD = 1_000

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
        except (ValueError, TypeError, KeyError, RecursionError) as error:
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
        self._held: dict[str, float] = {}

    def keys(self, content: str) -> list[bytes]:
        """Return the key of a content, and the key that says it is being read."""
        return [self._db.key("content", content), self._db.key("reading", content)]

    def upload(self, content: str, number: int, chunk: memoryview | bytes, what: str) -> bool:
        """Add a chunk to a content that is no artifact's yet, and give it another hour.

        Args:
            content: Its id.
            number: Which chunk it is.
            chunk: The bytes.
            what: For messages.

        Returns:
            False if the chunks before it are no longer there.
        """
        key, error = self.keys(content)[0], ArtifactWriteError
        if number == 0:
            self._db.run(what, scripts.UPLOAD, [key], (number, chunk), error=error)
        else:  # a script would copy every chunk twice
            if self._db.ask(what, "EXPIRE", key, scripts.UPLOAD_LIFE, error=error) != 1:
                return False
            self._db.ask(what, "HSET", key, number, chunk, error=error)
        return True

    def drop(self, content: str) -> None:
        """Remove a content that became no artifact's; if it cannot be done now it goes later."""
        with suppress(ArtifactError):
            self._db.ask("remove what was written", "UNLINK", self.keys(content)[0])

    def whole(self, record: Record) -> bytes | None:
        """Return a content, None if it is not all there."""
        pieces = list(self._read(record, range(record.chunks), held=False))
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
        if not self._hold(record):
            return None
        chunks = self._read(record, wanted, held=True)
        first = next(chunks)
        if first is None:
            self._held.pop(record.id, None)
            return None
        return self._cut(record, itertools.chain([first], chunks), offset, end)

    def _cut(
        self, record: Record, chunks: Iterator[bytes | None], offset: int, end: int
    ) -> Iterator[bytes]:
        """Yield the stretch that is wanted of a row of chunks."""
        position = offset - offset % record.chunk
        for chunk in chunks:
            if chunk is None:
                raise ArtifactError(
                    f"artifact {record.info.name!r} was replaced or deleted while it was read, "
                    f"more than {LEASE} seconds ago; read it again from the start"
                )
            yield chunk[max(0, offset - position) : end - position]
            position += record.chunk

    def _read(self, record: Record, wanted: range, *, held: bool) -> Iterator[bytes | None]:
        """Yield chunks, None for those that are not there."""
        what, key = f"read artifact {record.info.name!r}", self.keys(record.id)[0]
        batch = wanted[:1]
        while batch:
            if held:
                self._hold(record)
            yield from self._db.ask(what, "HMGET", key, *batch)
            wanted = wanted[len(batch) :]
            batch = wanted[:_AT_ONCE]

    def _hold(self, record: Record) -> bool:
        """Say that a content is being read, so that it stays; False if it is gone."""
        now = time.monotonic()
        if now - self._held.get(record.id, -math.inf) < _HOLD_AGAIN:
            return True
        what = f"read artifact {record.info.name!r}"
        if self._db.run(what, scripts.HOLD, self.keys(record.id)) != 1:
            return False
        if len(self._held) > _MOST_HELD:
            self._held.clear()
        self._held[record.id] = now
        return True


def forgotten(name: str) -> ArtifactWriteError:
    """Make the error for an upload whose first part is gone."""
    return ArtifactWriteError(
        f"artifact {name!r} cannot be written: what was sent before is no longer there; it "
        "took more than an hour between two pieces, or the server lost its data"
    )


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
        room: Room,
    ) -> None:
        self._contents = contents
        self._into_place = commit
        self._id = token()
        self._buffer = bytearray()
        self._uploaded = 0
        self._kept = False
        super().__init__(name, kind, details, room)

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
        if not self._contents.upload(self._id, self._uploaded, chunk, what):
            raise forgotten(self.name)
        self._uploaded += 1

    def _commit(self, info: ArtifactInfo) -> ArtifactInfo:
        kept = self._into_place(Record(self._id, info), bytes(self._buffer))
        self._kept = True
        return kept

    def _discard(self) -> None:
        self._buffer.clear()
        if self._uploaded and not self._kept:
            self._contents.drop(self._id)
