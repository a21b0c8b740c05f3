"""What all stores of artifacts have in common.

Place in the house: inside ``artifacts``, above ``base`` and ``finding``. A store implements the
abstract methods of ``StoredArtifacts`` and a writer below ``ArtifactWriter``; the rest of the
protocol is here.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from kernel_bootstrap.wire.entries import Artifact
from kernel_bootstrap.wire.packing import parcel, type_name, unpack
from kernel_bootstrap.wire.previews import look
from py_code_mode.artifacts.finding import Finder, near_names, selected
from py_code_mode.artifacts.info import ArtifactInfo, Details
from py_code_mode.artifacts.names import name_problem
from py_code_mode.artifacts.quota import Quota
from py_code_mode.artifacts.room import Room
from py_code_mode.artifacts.times import expiry
from py_code_mode.artifacts.writer import ArtifactWriter, Data
from py_code_mode.errors import ArtifactError, ArtifactNotFoundError, ArtifactWriteError

__all__ = ["StoredArtifacts", "not_found"]


class StoredArtifacts(ABC):
    """The half of an ``ArtifactStore`` that is the same in all.

    Args:
        quota: What the store may hold.
    """

    def __init__(self, quota: Quota | None = None) -> None:
        self.quota = quota or Quota()
        self.room = Room(self.quota, self._sizes)
        self._finder = Finder()

    # What a store implements. None of these looks at expiry but ``_delete``.

    @abstractmethod
    def open_write(
        self, name: str, kind: str = "bytes", details: Details | None = None
    ) -> ArtifactWriter:
        """Begin to keep an artifact piece by piece; see ``ArtifactStore.open_write``."""

    @abstractmethod
    def _get(self, name: str) -> ArtifactInfo | None:
        """Return an info nobody else holds; None also for a name no artifact can have."""

    @abstractmethod
    def _list(self) -> list[ArtifactInfo]:
        """Return all infos, by name."""

    @abstractmethod
    def _load(self, name: str) -> tuple[ArtifactInfo, bytes] | None:
        """Return an artifact whole, its checksum verified."""

    @abstractmethod
    def _chunks(
        self, name: str, offset: int, size: int | None
    ) -> tuple[ArtifactInfo, Iterator[bytes]] | None:
        """Return one version's info, and its bytes from ``offset`` on piece by piece.

        The iterator raises ``ArtifactError`` if that version can no longer be read.
        """

    @abstractmethod
    def _delete(self, name: str, *, only_expired: bool) -> bool:
        """Remove an artifact in one step, also if it has expired; whether there was one.

        Args:
            name: The artifact.
            only_expired: Leave one that has not: another process may just have saved it anew.
        """

    def _sizes(self, expire: bool) -> Iterable[tuple[str, int]]:  # noqa: ARG002, FBT001 - see Room
        """Yield what takes room of the quota; a store may know a cheaper way."""
        return ((info.name, info.size) for info in self.list())

    # What they have in common.

    def save(
        self,
        name: str,
        value: Any,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        tags: Sequence[str] = (),
        ttl: float | None = None,
        expires: datetime | float | None = None,
    ) -> ArtifactInfo:
        """Keep a value; see ``ArtifactStore.save``."""
        packed = parcel(value, name)
        if isinstance(tags, str) or not isinstance(tags, Iterable):  # a text has letters, not tags
            raise ArtifactWriteError(f"artifact {name!r}: tags must be words, not {tags!r:.80}")
        details = Details(
            description,
            metadata,
            tuple(tags),
            packed.content_type,
            type_name(value),
            expiry(ttl, expires),
        )
        with self.open_write(name, packed.kind, details) as writer:
            for part in packed.parts:
                writer.write(part)
            return writer.commit()

    def save_packed(
        self, name: str, kind: str, data: Data, details: Details | None = None
    ) -> ArtifactInfo:
        """Keep packed bytes; see ``ArtifactStore.save_packed``."""
        with self.open_write(name, kind, details) as writer:
            writer.write(data)
            return writer.commit()

    def load(self, name: str, *, trusted: bool = False) -> Any:
        """Return the value saved under ``name``; see ``ArtifactStore.load``."""
        info, data = self.load_packed(name)
        try:
            return unpack(info.kind, data, info.content_type, info.type_name, trusted=trusted)
        except ArtifactError as error:
            raise ArtifactError(f"artifact {name!r} cannot be read: {error}") from error

    def load_packed(self, name: str) -> tuple[ArtifactInfo, bytes]:
        """Return packed bytes; see ``ArtifactStore.load_packed``."""
        found = self._load(name)
        if found is None or found[0].expired:
            raise self._missing(name)
        return found

    def read_chunks(
        self, name: str, offset: int = 0, size: int | None = None, *, sha256: str = ""
    ) -> Iterator[bytes]:
        """Yield bytes piece by piece; see ``ArtifactStore.read_chunks``."""
        if offset < 0 or (size is not None and size < 0):
            raise ArtifactError(f"offset and size must not be negative: {offset}, {size}")
        found = self._chunks(name, offset, size)
        if found is None or found[0].expired:
            raise self._missing(name)
        if sha256 not in ("", found[0].sha256):
            raise ArtifactError(
                f"artifact {name!r} was replaced since it was opened: its SHA-256 is "
                f"{found[0].sha256}, not {sha256:.80}; read it again from the start"
            )
        return found[1]

    def get(self, name: str) -> ArtifactInfo | None:
        """Return what is known about an artifact, or None if there is none of that name."""
        info = self._get(name)
        return None if info is None or info.expired else info

    def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        return self.get(name) is not None

    def list(self, prefix: str = "", tag: str | None = None) -> list[ArtifactInfo]:
        """Return what is known about artifacts, by name; see ``ArtifactStore.list``."""
        infos = self._list()
        if any(info.expired for info in infos):
            self._expire(infos)
        return list(selected((info for info in infos if not info.expired), prefix, tag))

    def search(self, query: str, limit: int = 10) -> builtins.list[ArtifactInfo]:
        """Return the artifacts that match plain words, best first."""
        return self._finder.search(self.list(), query, limit)

    def delete(self, name: str) -> bool:
        """Remove an artifact; False if there was none."""
        return self.exists(name) and self._delete(name, only_expired=False)

    def show(self, name: str) -> Artifact:
        """Return what a notebook shows as the artifact; see ``ArtifactStore.show``."""
        info = self.get(name)
        if info is None:
            raise self._missing(name)

        def head(size: int) -> bytes:
            return b"".join(self.read_chunks(name, 0, size))

        known = info.to_dict()
        return Artifact(known, lambda: look(known, head, lambda: self.load(name)))

    def _missing(self, name: str) -> ArtifactNotFoundError:
        return not_found(name, [info.name for info in self.list()])

    def _expire(self, infos: Iterable[ArtifactInfo]) -> None:
        """Remove what has expired; what cannot be removed now is left for another time."""
        for info in infos:
            if info.expired:
                try:
                    self._delete(info.name, only_expired=True)
                except ArtifactError:  # not ours to remove: it stays hidden
                    return


def not_found(name: str, names: Iterable[str]) -> ArtifactNotFoundError:
    """Make the error for a name that is not there; ``names`` are those that are."""
    near = near_names(name, names)
    problem = name_problem(name)
    if problem is not None:
        hint = f"it could not be: {problem}"
    elif near:
        hint = f"did you mean {' or '.join(map(repr, near))}?"
    else:
        hint = "artifacts.list() shows what there is"
    return ArtifactNotFoundError(f"no artifact named {name[:200]!r}; {hint}", near=near)
