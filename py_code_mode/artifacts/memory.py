"""Artifacts kept in this process only: for tests, and for sessions nobody wants to remember.

Place in the house: one ``ArtifactStore``, the simplest there is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.names import normal_name
from py_code_mode.artifacts.quota import Quota
from py_code_mode.artifacts.stored import StoredArtifacts
from py_code_mode.artifacts.writer import ArtifactWriter
from py_code_mode.errors import ArtifactWriteError

__all__ = ["MemoryArtifactStore"]

_CHUNK = 1024 * 1024


class MemoryArtifactStore(StoredArtifacts):
    """An ``ArtifactStore`` in memory. It keeps packed bytes, so nothing is shared with callers.

    Args:
        max_bytes: What all artifacts together may have; None: no bound.
        max_artifact_bytes: What any one may have; None: no bound.
    """

    def __init__(
        self, *, max_bytes: int | None = None, max_artifact_bytes: int | None = None
    ) -> None:
        super().__init__(Quota(max_bytes, max_artifact_bytes))
        self._kept: dict[str, tuple[ArtifactInfo, bytes]] = {}
        self._lock = threading.Lock()

    def open_write(
        self, name: str, kind: str = "bytes", details: Details | None = None
    ) -> ArtifactWriter:
        """Begin to keep an artifact piece by piece; see ``ArtifactStore.open_write``."""
        self._expire(self._list())
        return _Writer(self, name, kind, details or Details())

    def _used(self, name: str) -> int:
        """Bytes of all artifacts but the named one and what has expired."""
        return sum(
            info.size
            for other, (info, _) in self._kept.items()
            if other != name and not info.expired
        )

    def _put(self, info: ArtifactInfo, data: bytes) -> ArtifactInfo:
        with self._lock:
            self._check_folders(info.name)
            self.quota.check_store(info.name, info.size, self._used(info.name))
            former = self._kept.get(info.name)
            if former is not None and not former[0].expired:
                info = replace(info, created=former[0].created)
            self._kept[info.name] = info, data
        return info

    def _check_folders(self, name: str) -> None:
        """Refuse what a folder of files could not hold, so that one can take over."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            outer = "/".join(parts[:depth])
            if outer in self._kept:
                raise ArtifactWriteError(
                    f"artifact {name!r} cannot be written: {outer!r} is an artifact, not a folder"
                )
        if name not in self._kept and any(other.startswith(name + "/") for other in self._kept):
            raise ArtifactWriteError(f"artifact {name!r}: there is a folder of that name")

    def _load(self, name: str) -> tuple[ArtifactInfo, bytes] | None:
        with self._lock:
            found = self._kept.get(normal_name(name))
        return None if found is None else (found[0].copy(), found[1])

    def _chunks(
        self, name: str, offset: int, size: int | None
    ) -> tuple[ArtifactInfo, Iterator[bytes]] | None:
        found = self._load(name)
        if found is None:
            return None
        info, data = found
        end = len(data) if size is None else min(len(data), offset + size)
        starts = range(offset, end, _CHUNK)
        return info, (data[start : min(end, start + _CHUNK)] for start in starts)

    def _get(self, name: str) -> ArtifactInfo | None:
        with self._lock:
            found = self._kept.get(normal_name(name))
        return None if found is None else found[0].copy()

    def _list(self) -> list[ArtifactInfo]:
        with self._lock:
            return [self._kept[name][0].copy() for name in sorted(self._kept)]

    def _delete(self, name: str, *, only_expired: bool) -> bool:
        name = normal_name(name)
        with self._lock:
            found = self._kept.get(name)
            if found is None or (only_expired and not found[0].expired):
                return False
            del self._kept[name]
            return True

    def __repr__(self) -> str:
        return f"MemoryArtifactStore({len(self._kept)} artifacts)"


class _Writer(ArtifactWriter):
    def __init__(self, store: MemoryArtifactStore, name: str, kind: str, details: Details) -> None:
        self._store = store
        self._pieces: list[bytes] = []
        super().__init__(name, kind, details, store.room)

    def _append(self, view: memoryview) -> None:
        self._pieces.append(bytes(view))

    def _commit(self, info: ArtifactInfo) -> ArtifactInfo:
        whole = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        return self._store._put(info, whole)

    def _discard(self) -> None:
        self._pieces.clear()
