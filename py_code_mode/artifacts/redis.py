"""Artifacts kept in Redis, for many programs on many machines.

Place in the house: one ``ArtifactStore``, above ``contents``; ``docs/redis.md`` lists its keys.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from py_code_mode.artifacts import redisscripts as scripts
from py_code_mode.artifacts.contents import Contents, Record, Writer, forgotten
from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.names import name_problem, normal_name
from py_code_mode.artifacts.quota import Quota
from py_code_mode.artifacts.redisscripts import Refusal
from py_code_mode.artifacts.stored import StoredArtifacts
from py_code_mode.artifacts.writer import ArtifactWriter
from py_code_mode.errors import ArtifactError, ArtifactWriteError
from py_code_mode.redisdb import DEFAULT_PREFIX, Database, client_from_url

if TYPE_CHECKING:
    from redis import Redis, RedisCluster
    from redis import asyncio as aio

__all__ = ["RedisArtifactStore"]

_log = logging.getLogger(__name__)

_ATTEMPTS = 1000
"""Of several that change one name at once, one gets through each time."""

_MOST_READING = 100

_ID = 32


class RedisArtifactStore(StoredArtifacts):
    """An ``ArtifactStore`` in Redis.

    Large artifacts are kept in chunks, and written and read chunk by chunk. What a writer that
    died has uploaded goes by itself within the hour.

    Args:
        redis: A client of redis-py, blocking or asyncio, of one server or a cluster.
        prefix: What all keys begin with; programs with the same one share their artifacts.
        max_bytes: What all artifacts together may have; None: no bound.
        max_artifact_bytes: What any one may have; None: no bound.

    Raises:
        ConfigError: The client, the prefix or a bound will not do.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster | aio.Redis | aio.RedisCluster,
        prefix: str = DEFAULT_PREFIX,
        *,
        max_bytes: int | None = None,
        max_artifact_bytes: int | None = None,
    ) -> None:
        super().__init__(Quota(max_bytes, max_artifact_bytes))
        self._db = Database(redis, prefix, "artifacts", ArtifactError)
        self._contents = Contents(self._db)
        self._index = self._db.key("index")
        self._own = [self._index, self._db.key("names"), self._db.key("bytes")]
        self._parsed: dict[bytes, ArtifactInfo] = {}
        self._reading: dict[tuple[str, str], Record] = {}

    @classmethod
    def from_url(
        cls,
        url: str,
        prefix: str | None = None,
        *,
        max_bytes: int | None = None,
        max_artifact_bytes: int | None = None,
        **options: Any,
    ) -> Self:
        """Make a store with a client of its own, which gives up in time and tries again.

        Args:
            url: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user and password.
            prefix: What all keys begin with; None: what the URL's ``?prefix=`` says.
            max_bytes: What all artifacts together may have.
            max_artifact_bytes: What any one may have.
            **options: Options of ``redis.Redis.from_url``.

        Raises:
            ConfigError: It is no such URL, or a bound is none.
        """
        bounds = {"max_bytes": max_bytes, "max_artifact_bytes": max_artifact_bytes}
        client, prefix = client_from_url(url, prefix, **options)
        return cls(client, prefix, **bounds)

    def open_write(
        self, name: str, kind: str = "bytes", details: Details | None = None
    ) -> ArtifactWriter:
        """Begin to keep an artifact piece by piece; see ``ArtifactStore.open_write``."""
        return Writer(self._contents, self._put, name, kind, details or Details(), self.room)

    def _put(self, record: Record, last: bytes) -> ArtifactInfo:
        """Make a content an artifact's, in one step."""
        name, swept = record.info.name, False
        for _ in range(_ATTEMPTS):
            raw = self._raw(name, f"write artifact {name!r}", ArtifactWriteError)
            former = None if raw is None else _former(raw)
            if former is not None and not former.info.expired:
                record = replace(record, info=replace(record.info, created=former.info.created))
            answer, detail = self._put_once(record, last, raw, former)
            if answer == 1:
                return record.info
            if answer != Refusal.CHANGED:
                if swept:
                    self._refuse(record, answer, detail)
                swept = True
                self.list()  # removes what has expired, which may be what is in the way
        raise ArtifactWriteError(f"artifact {name!r} cannot be written: it changes all the time")

    def _put_once(
        self, record: Record, last: bytes, raw: bytes | None, former: Record | None
    ) -> tuple[int, int]:
        info, most = record.info, self.quota.max_bytes
        content = self._contents.keys(record.id)[:1]
        before = self._contents.keys(record.id if raw is None else raw[:_ID].decode("latin-1"))
        expires = "" if info.expires is None else math.ceil(info.expires) + scripts.LEASE
        args = (
            *(info.name, b"" if raw is None else raw[:_ID], record.pack()),
            *(info.size, 0 if former is None else former.info.size, "" if most is None else most),
            *(expires, record.chunks, last, *_folders(info.name)),
        )
        what = f"write artifact {info.name!r}"
        answer, detail = self._db.run(
            what, scripts.PUT, [*self._own, *content, *before], args, error=ArtifactWriteError
        )
        return answer, detail

    def _refuse(self, record: Record, answer: int, detail: int) -> None:
        name = record.info.name
        if answer == Refusal.BELOW_ARTIFACT:
            outer = _folders(name)[detail]
            raise ArtifactWriteError(
                f"artifact {name!r} cannot be written: {outer!r} is an artifact, not a folder"
            )
        if answer == Refusal.IS_FOLDER:
            raise ArtifactWriteError(f"artifact {name!r}: there is a folder of that name")
        if answer == Refusal.NO_ROOM:
            self.quota.check_store(name, record.info.size, detail)
        raise forgotten(name)

    def _raw(
        self, name: str, what: str, error: type[ArtifactError] = ArtifactError
    ) -> bytes | None:
        raw: bytes | None = self._db.ask(what, "HGET", self._index, name, error=error)
        return raw

    def _record(self, name: str) -> Record | None:
        if name_problem(name) is not None:
            return None
        raw = self._raw(normal_name(name), f"read artifact {name!r}")
        return None if raw is None else Record.unpack(raw)

    def _load(self, name: str) -> tuple[ArtifactInfo, bytes] | None:
        before = ""
        while (record := self._record(name)) is not None:
            data = self._contents.whole(record)
            if data is not None and hashlib.sha256(data).hexdigest() == record.info.sha256:
                return record.info, data
            self._check_replaced(record, before)
            before = record.id
        return None

    def read_chunks(
        self, name: str, offset: int = 0, size: int | None = None, *, sha256: str = ""
    ) -> Iterator[bytes]:
        """Yield bytes piece by piece; see ``ArtifactStore.read_chunks``.

        Who reads one version stretch by stretch, saying which, has it to its end.
        """
        record = self._reading.get((normal_name(name), sha256))
        sensible = offset >= 0 and (size is None or size >= 0)
        if record is not None and sensible and not record.info.expired:
            reading = self._contents.begin(record, offset, size)
            if reading is not None:
                return reading
        return super().read_chunks(name, offset, size, sha256=sha256)

    def _chunks(
        self, name: str, offset: int, size: int | None
    ) -> tuple[ArtifactInfo, Iterator[bytes]] | None:
        before = ""
        while (record := self._record(name)) is not None:
            reading = self._contents.begin(record, offset, size)
            if reading is not None:
                if len(self._reading) >= _MOST_READING:
                    self._reading.clear()
                self._reading[record.info.name, record.info.sha256] = record
                return record.info, reading
            self._check_replaced(record, before)
            before = record.id
        return None

    def _check_replaced(self, record: Record, before: str) -> None:
        """Another version may be there by now; if it is the same again, it is damaged."""
        if record.id == before and not record.info.expired:
            raise ArtifactError(
                f"artifact {record.info.name!r} is damaged: {self._db.where} does not hold the "
                f"{record.info.size:,} bytes that were written; save it again or delete it"
            )

    def _get(self, name: str) -> ArtifactInfo | None:
        record = self._record(name)
        return None if record is None else record.info

    def _list(self) -> list[ArtifactInfo]:
        parsed: dict[bytes, ArtifactInfo] = {}
        known = self._parsed
        for raw in self._db.ask("list the artifacts", "HVALS", self._index):
            try:
                parsed[raw] = known.get(raw) or Record.unpack(raw).info
            except ArtifactError as error:
                _log.warning("%s: %s", self._db.where, error)
        self._parsed = parsed
        return sorted((info.copy() for info in parsed.values()), key=lambda info: info.name)

    def _delete(self, name: str, *, only_expired: bool) -> bool:
        if name_problem(name) is not None:
            return False
        name = normal_name(name)
        what = f"delete artifact {name!r}"
        while (raw := self._raw(name, what, ArtifactWriteError)) is not None:
            former = _former(raw)
            if only_expired and not (former and former.info.expired):
                return False
            size = 0 if former is None else former.info.size
            keys = [*self._own, *self._contents.keys(raw[:_ID].decode("latin-1"))]
            args = (name, raw[:_ID], size)
            if self._db.run(what, scripts.DELETE, keys, args, error=ArtifactWriteError) == 1:
                return True
        return False

    def __repr__(self) -> str:
        return f"RedisArtifactStore({self._db!r})"


def _former(raw: bytes) -> Record | None:
    """What is damaged must not keep a name from being saved again."""
    try:
        return Record.unpack(raw)
    except ArtifactError:
        return None


def _folders(name: str) -> list[str]:
    """``a/b/c`` -> ``["a", "a/b"]``."""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
