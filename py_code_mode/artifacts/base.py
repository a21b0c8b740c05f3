"""What an artifact is, and the one seam behind which every store of artifacts lives.

Place in the house: bottom of ``artifacts``, above ``names``; every store stands on it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any, Protocol, runtime_checkable

from kernel_bootstrap.wire.packing import KINDS, is_json, pack, type_name, unpack
from py_code_mode.artifacts.names import name_problem
from py_code_mode.errors import ArtifactError, ArtifactNotFoundError, ArtifactWriteError
from py_code_mode.search import near_names

__all__ = [
    "ArtifactInfo",
    "ArtifactStore",
    "Data",
    "PackedArtifacts",
    "check_save",
    "not_found",
]

Data = bytes | bytearray | memoryview

_MAX_TEXT = 64 * 1024
"""Bytes of a description, and of the metadata as JSON: they are read with every listing."""


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """What is known about an artifact without reading it.

    Attributes:
        name: Its name; ``/`` separates folders.
        description: One line or a few.
        kind: How its bytes are read: ``json``, ``text``, ``bytes`` or ``value``.
        size: Its bytes.
        sha256: SHA-256 of them, hex.
        created: When the name was first saved, in seconds since 1970 (UTC).
        modified: When it was last saved.
        metadata: JSON data of whoever saved it.
        type_name: Python type that was saved, e.g. ``pandas.core.frame.DataFrame``; empty when
            nobody said.
    """

    name: str
    description: str
    kind: str
    size: int
    sha256: str
    created: float
    modified: float
    metadata: Mapping[str, Any] = field(default_factory=dict)
    type_name: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, its own."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> ArtifactInfo:
        """Rebuild from untrusted plain data.

        Raises:
            ArtifactError: A field is missing, unknown or of the wrong type.
        """
        if not isinstance(data, dict) or data.keys() != _FIELDS.keys():
            raise ArtifactError(f"an artifact's info must have the keys {', '.join(_FIELDS)}")
        for key, accepts in _FIELDS.items():
            if not accepts(data[key]):
                raise ArtifactError(f"an artifact's info has a bad {key!r}: {data[key]!r:.80}")
        return cls(**data)

    def copy(self) -> ArtifactInfo:
        """Return an equal one whose metadata nobody else holds."""
        return replace(self, metadata=deepcopy(dict(self.metadata))) if self.metadata else self


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "description": _is_text,
    "kind": lambda value: value in KINDS,
    "size": lambda value: type(value) is int and value >= 0,
    "sha256": _is_text,
    "created": _is_time,
    "modified": _is_time,
    "metadata": lambda value: type(value) is dict and is_json(value),
    "type_name": _is_text,
}


@runtime_checkable
class ArtifactStore(Protocol):
    """Keeps data by name, longer than a session. Methods may be called from any thread.

    ``save`` and ``load`` carry values; ``save_packed`` and ``load_packed`` carry the same
    artifacts as bytes, for those who must not decode them. A name no artifact can have is
    refused by the former two and simply not found by the others.
    """

    def save(
        self,
        name: str,
        value: Any,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> ArtifactInfo:
        """Keep a value; one of the same name is replaced, whole or not at all.

        Args:
            name: Relative path; ``/`` makes folders.
            value: Anything the wire's codec carries; it loads back as it was.
            description: One line or a few.
            metadata: JSON data to keep beside it.

        Raises:
            ArtifactWriteError: The name is not acceptable, the value cannot be kept, or there is
                no room. What was there before is untouched.
        """
        ...

    def save_packed(
        self,
        name: str,
        kind: str,
        data: Data,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        type_name: str = "",
    ) -> ArtifactInfo:
        """Keep a value that is packed already (see ``kernel_bootstrap.wire.packing``)."""
        ...

    def load(self, name: str) -> Any:
        """Return the value saved under ``name``.

        Raises:
            ArtifactNotFoundError: There is none; ``near`` lists similar names.
            ArtifactError: It cannot be read, or its bytes are damaged.
        """
        ...

    def load_packed(self, name: str) -> tuple[ArtifactInfo, bytes]:
        """Return an artifact's bytes without decoding them, and what is known about it."""
        ...

    def get(self, name: str) -> ArtifactInfo | None:
        """Return what is known about an artifact, or None if there is none of that name."""
        ...

    def list(self) -> list[ArtifactInfo]:
        """Return what is known about all artifacts, by name."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        ...

    def delete(self, name: str) -> bool:
        """Remove an artifact; False if there was none."""
        ...


class PackedArtifacts(ABC):
    """The half of an ``ArtifactStore`` that is the same in all: values in terms of bytes."""

    def save(
        self,
        name: str,
        value: Any,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> ArtifactInfo:
        """Keep a value; see ``ArtifactStore.save``."""
        kind, data = pack(value)
        return self.save_packed(name, kind, data, description, metadata, type_name(value))

    def load(self, name: str) -> Any:
        """Return the value saved under ``name``; see ``ArtifactStore.load``."""
        info, data = self.load_packed(name)
        try:
            return unpack(info.kind, data)
        except ArtifactError as error:
            raise ArtifactError(f"artifact {name!r} cannot be read: {error}") from error

    def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        return self.get(name) is not None

    @abstractmethod
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

    @abstractmethod
    def load_packed(self, name: str) -> tuple[ArtifactInfo, bytes]:
        """Return packed bytes; see ``ArtifactStore.load_packed``."""

    @abstractmethod
    def get(self, name: str) -> ArtifactInfo | None:
        """Return what is known about an artifact, or None."""


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


def check_save(
    name: str, kind: str, description: str, metadata: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Check what comes beside an artifact's bytes.

    Returns:
        The metadata as a dict that nobody else holds.

    Raises:
        ArtifactWriteError: The kind is unknown, the metadata is no JSON data, or one of them is
            too large.
    """
    if kind not in KINDS:
        raise ArtifactWriteError(f"artifact {name!r}: no kind {kind!r:.80}; {', '.join(KINDS)}")
    kept = deepcopy(dict(metadata or {}))
    if not is_json(kept):
        raise ArtifactWriteError(f"artifact {name!r}: metadata must be JSON data with str keys")
    for what, text in (("description", description), ("metadata", json.dumps(kept))):
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > _MAX_TEXT:
            raise ArtifactWriteError(
                f"artifact {name!r}: the {what} has {size:,} bytes; {_MAX_TEXT:,} are allowed"
            )
    return kept
