"""What is known about an artifact without reading it, and what its saver says of it.

Place in the house: bottom of ``artifacts``, beside ``names``. ``Details`` go in with the bytes,
``ArtifactInfo`` comes out with a name, a size and a checksum.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from mimetypes import MimeTypes
from typing import Any

from kernel_bootstrap.wire.packing import KINDS, is_content_type, is_json
from kernel_bootstrap.wire.parts import shown
from kernel_bootstrap.wire.previews import preview
from py_code_mode.errors import ArtifactError, ArtifactWriteError

__all__ = ["ArtifactInfo", "Details", "content_type_of"]

_MAX_TEXT = 64 * 1024
"""Bytes of a description, and of the metadata as JSON: they are read with every listing."""

_MAX_TAGS = 100
_MAX_SHORT = 200
"""Characters of a tag, a content type, a session's or an author's name."""

_TYPES = MimeTypes()  # the tables Python brings, whatever the machine has in /etc/mime.types
for _type, _suffix in {
    "application/vnd.apache.parquet": ".parquet",
    "application/x-npy": ".npy",
    "application/jsonl": ".jsonl",
    "text/markdown": ".md",
    "image/webp": ".webp",
}.items():
    _TYPES.add_type(_type, _suffix)

_TYPE_OF_KIND = {
    "json": "application/json",
    "value": "application/vnd.py-code-mode.value",
    "parquet": "application/vnd.apache.parquet",
    "npy": "application/x-npy",
    "bundle": "application/vnd.py-code-mode.bundle+json",
}


def content_type_of(kind: str, name: str) -> str:
    """Return the MIME type of an artifact of which nobody said one: by kind, else by suffix."""
    if kind in _TYPE_OF_KIND:
        return _TYPE_OF_KIND[kind]
    guessed, encoding = _TYPES.guess_type(name.rpartition("/")[2])
    if guessed is not None and encoding is None:
        return guessed
    return "text/plain" if kind == "text" else "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Details:
    """What is said of an artifact by whoever saves it.

    Attributes:
        description: One line or a few.
        metadata: JSON data to keep beside it.
        tags: Words to find it by.
        content_type: MIME type of its bytes; empty: by kind and name.
        type_name: Python type that is saved, e.g. ``pandas.core.frame.DataFrame``.
        expires: When it ceases to be, in seconds since 1970 (UTC); None: never.
        session: Name of the session that saves it; set by the host, never by a kernel.
        author: On whose behalf it is saved; set by the host, never by a kernel.
    """

    description: str = ""
    metadata: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()
    content_type: str = ""
    type_name: str = ""
    expires: float | None = None
    session: str = ""
    author: str = ""

    def describe(self, name: str, kind: str, size: int, sha256: str, now: float) -> ArtifactInfo:
        """Make the info of what was saved ``now``; ``check`` comes first."""
        return ArtifactInfo(
            name,
            self.description,
            kind,
            size,
            sha256,
            now,
            now,
            deepcopy(dict(self.metadata or {})),
            self.type_name,
            self.content_type or content_type_of(kind, name),
            tuple(dict.fromkeys(self.tags)),
            self.session,
            self.author,
            self.expires,
        )

    def check(self, name: str, kind: str) -> None:
        """Check everything that comes beside an artifact's bytes.

        Raises:
            ArtifactWriteError: The kind is unknown, the metadata is no JSON data, a tag is none,
                it would be gone already, or something is too large.
        """
        for problem in (self._kind_problem(kind), self._text_problem(), self._rest_problem()):
            if problem:
                raise ArtifactWriteError(f"artifact {name!r}: {problem}")

    def _kind_problem(self, kind: str) -> str:
        return "" if kind in KINDS else f"no kind {kind!r:.80}; {', '.join(KINDS)}"

    def _text_problem(self) -> str:
        description: Any = self.description  # callers need not keep to the types
        metadata: Any = self.metadata or {}
        if not isinstance(description, str):
            return f"the description must be text, not {description!r:.80}"
        if not isinstance(metadata, Mapping) or not is_json(own := dict(metadata)):
            return "metadata must be JSON data with str keys"
        for what, text in (("description", self.description), ("metadata", json.dumps(own))):
            size = len(text.encode("utf-8", "surrogatepass"))
            if size > _MAX_TEXT:
                return f"the {what} has {size:,} bytes; {_MAX_TEXT:,} are allowed"
        return ""

    def _rest_problem(self) -> str:
        if not _is_tags(self.tags) or len(self.tags) > _MAX_TAGS:
            return f"tags must be at most {_MAX_TAGS} words of 1 to {_MAX_SHORT} characters"
        if not (is_content_type(self.content_type) or self.content_type == ""):
            return f"content_type must be like 'image/png', not {self.content_type!r:.80}"
        if self.expires is not None and not _is_time(self.expires):
            return f"expires must be seconds since 1970, not {self.expires!r:.80}"
        if self.expires is not None and self.expires <= time.time():
            return "it would have expired already"
        return ""


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """What is known about an artifact without reading it.

    Attributes:
        name: Its name; ``/`` separates folders.
        description: One line or a few.
        kind: How its bytes are read; see ``kernel_bootstrap.wire.packing``.
        size: Its bytes.
        sha256: SHA-256 of them, hex.
        created: When the name was first saved, in seconds since 1970 (UTC).
        modified: When it was last saved.
        metadata: JSON data of whoever saved it.
        type_name: Python type that was saved, e.g. ``pandas.core.frame.DataFrame``; empty when
            nobody said.
        content_type: MIME type of its bytes.
        tags: Words to find it by.
        session: Name of the session that saved it; empty when it came from elsewhere.
        author: On whose behalf it was saved; empty when nobody said.
        expires: When it ceases to be, in seconds since 1970 (UTC); None: never.
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
    content_type: str = ""
    tags: tuple[str, ...] = ()
    session: str = ""
    author: str = ""
    expires: float | None = None

    @property
    def expired(self) -> bool:
        """Whether it has ceased to be."""
        return self.expires is not None and self.expires <= time.time()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, its own."""
        return {**asdict(self), "tags": list(self.tags)}

    @classmethod
    def from_dict(cls, data: Any) -> ArtifactInfo:
        """Rebuild from untrusted plain data.

        Args:
            data: What ``to_dict`` gave, perhaps that of a former version, which knew less.

        Raises:
            ArtifactError: A field is missing, unknown or of the wrong type.
        """
        if not isinstance(data, dict) or not _REQUIRED <= data.keys() <= _FIELDS.keys():
            raise ArtifactError(f"an artifact's info must have the keys {', '.join(_FIELDS)}")
        for key, value in data.items():
            if not _FIELDS[key](value):
                raise ArtifactError(f"an artifact's info has a bad {key!r}: {shown(value)}")
        known = content_type_of(data["kind"], data["name"])
        return cls(**{"content_type": known, **data, "tags": tuple(data.get("tags", ()))})

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": preview(self.to_dict(), "")}

    def copy(self) -> ArtifactInfo:
        """Return an equal one whose metadata nobody else holds."""
        return replace(self, metadata=deepcopy(dict(self.metadata))) if self.metadata else self


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_short(value: Any) -> bool:
    return type(value) is str and len(value) <= _MAX_SHORT


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _is_tags(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(_is_short(tag) and tag for tag in value)


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "description": _is_text,
    "kind": lambda value: type(value) is str and value in KINDS,
    "size": lambda value: type(value) is int and value >= 0,
    "sha256": _is_text,
    "created": _is_time,
    "modified": _is_time,
    "metadata": lambda value: type(value) is dict and is_json(value),
    "type_name": _is_text,
    "content_type": is_content_type,
    "tags": _is_tags,
    "session": _is_short,
    "author": _is_short,
    "expires": lambda value: value is None or _is_time(value),
}

_REQUIRED = set(list(_FIELDS)[:9])
"""What the first version of this class knew; files it wrote must still be read."""
