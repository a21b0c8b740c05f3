"""Artifacts kept in this process and gone with it.

Place in the house: one ``ArtifactStore``; what an executor uses when it is given none.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from typing import Any

from py_code_mode.artifacts.base import (
    ArtifactInfo,
    Data,
    PackedArtifacts,
    check_save,
    not_found,
)
from py_code_mode.artifacts.names import check_name, normal_name
from py_code_mode.errors import ArtifactWriteError

__all__ = ["MemoryArtifactStore"]


class MemoryArtifactStore(PackedArtifacts):
    """An ``ArtifactStore`` in memory. It keeps packed bytes, so nothing is shared with callers."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[ArtifactInfo, bytes]] = {}
        self._lock = threading.Lock()

    def save_packed(
        self,
        name: str,
        kind: str,
        data: Data,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        type_name: str = "",
    ) -> ArtifactInfo:
        """Keep packed bytes; see ``ArtifactStore.save_packed``."""
        name = check_name(name)
        own = check_save(name, kind, description, metadata)
        kept = bytes(data)
        digest = hashlib.sha256(kept).hexdigest()
        with self._lock:
            self._check_folders(name)
            now = time.time()
            former = self._kept.get(name)
            created = now if former is None else former[0].created
            info = ArtifactInfo(
                name, description, kind, len(kept), digest, created, now, own, type_name
            )
            self._kept[name] = info, kept
        return info.copy()

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

    def load_packed(self, name: str) -> tuple[ArtifactInfo, bytes]:
        """Return packed bytes; see ``ArtifactStore.load_packed``."""
        with self._lock:
            found = self._kept.get(normal_name(name))
            if found is None:
                raise not_found(name, self._kept)
        return found[0].copy(), found[1]

    def get(self, name: str) -> ArtifactInfo | None:
        """Return what is known about an artifact, or None if there is none of that name."""
        with self._lock:
            found = self._kept.get(normal_name(name))
        return None if found is None else found[0].copy()

    def list(self) -> list[ArtifactInfo]:
        """Return what is known about all artifacts, by name."""
        with self._lock:
            return [self._kept[name][0].copy() for name in sorted(self._kept)]

    def delete(self, name: str) -> bool:
        """Remove an artifact; False if there was none."""
        with self._lock:
            return self._kept.pop(normal_name(name), None) is not None

    def __repr__(self) -> str:
        return f"MemoryArtifactStore({len(self._kept)} artifacts)"
