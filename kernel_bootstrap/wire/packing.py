"""Artifact values to bytes and back: the form in which artifacts travel and rest.

Place in the house: part of THE contract, above ``codec``, ``npy``, ``tables`` and ``bundles``;
standard library only. A kernel packs what it saves and unpacks what it loads; the host moves and
keeps the bytes without looking in.

===========  ========================================================  =======================
kind         values                                                    bytes
===========  ========================================================  =======================
``text``     ``str``                                                   UTF-8
``bytes``    ``bytes``                                                 themselves
``json``     None, bool, int, finite float, str, and lists and dicts   JSON in UTF-8
             with str keys of those, nothing but these exact types
``npy``      numpy arrays of anything but objects                      ``.npy``
``parquet``  data frames of pandas and polars, if their dtypes and     Parquet
             index come back from it, and there is a library for it
``value``    whatever else the codec carries                           the codec's container
``media``    figures and pictures; they load as ``Media``              PNG, SVG, ...
``bundle``   whatever else shows itself; it loads as ``Shown``         a mime bundle as JSON
===========  ========================================================  =======================

The plain kinds are there so that an artifact is a file people can open. A value takes one only
if it comes back from it exactly; all others, ``nan`` and tuples included, are ``value``. ``media``
and ``bundle`` are for objects that no value can stand for: what they show is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from kernel_bootstrap.wire import bundles, codec, npy, tables
from kernel_bootstrap.wire.bundles import Shown
from kernel_bootstrap.wire.errors import (
    ArtifactError,
    ArtifactWriteError,
    ValueNotEncodableError,
)
from kernel_bootstrap.wire.media import Media
from kernel_bootstrap.wire.parts import Buffer

__all__ = ["KINDS", "Parcel", "is_content_type", "is_json", "pack", "parcel", "type_name", "unpack"]

KINDS = ("json", "text", "bytes", "value", "npy", "parquet", "media", "bundle")

_CONTENT_TYPE = re.compile(r"[A-Za-z0-9][\w.+-]*/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)
_MAX_CONTENT_TYPE = 200

_MAX_DEPTH = 100
"""Deeper data is left to the codec: json recurses, and so would a reader with less stack."""

_MAX_NODES = 10_000_000
"""A list that holds itself twice, thirty levels deep, has a billion items as JSON."""

_MAX_INT_BITS = 2_000
"""Python reads decimal integers of 640 digits whatever its limit is set to; this is below."""

_INDENT_BELOW = 64 * 1024
"""JSON up to this size is written for people, one item a line."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A value as bytes.

    Attributes:
        kind: How they are to be read.
        parts: The bytes, in order; large ones are the value's own memory.
        content_type: Their MIME type where the kind does not tell it.
    """

    kind: str
    parts: list[Buffer]
    content_type: str = ""

    @property
    def size(self) -> int:
        """Number of bytes."""
        return sum(memoryview(part).nbytes for part in self.parts)

    @property
    def data(self) -> bytes:
        """All bytes as one."""
        whole = len(self.parts) == 1 and type(self.parts[0]) is bytes
        return self.parts[0] if whole else b"".join(self.parts)  # type: ignore[return-value]


def pack(value: Any, name: str = "") -> tuple[str, bytes]:
    """Turn a value into its kind and bytes; see ``parcel``."""
    packed = parcel(value, name)
    return packed.kind, packed.data


def parcel(value: Any, name: str = "") -> Parcel:
    """Turn a value into its kind and bytes.

    Args:
        value: Anything the codec carries, or that shows itself.
        name: Under which it is saved; a suffix may choose a figure's format.

    Raises:
        ArtifactWriteError: The value cannot be kept; the message names its type.
    """
    if type(value) is bytes:
        return Parcel("bytes", [value])
    try:
        if type(value) is str:
            return Parcel("text", [value.encode()])
        if is_json(value):
            return Parcel("json", [_dump_json(value)])
    except UnicodeEncodeError:  # lone surrogates have no UTF-8; the codec has its own way
        pass
    if type(value) is Media and not value.name and is_content_type(value.mime_type):
        return Parcel("media", [value.data], value.mime_type)
    if type(value) is Shown:
        return _shown(value, name)
    for kind, pack_one in (("npy", npy.pack), ("parquet", tables.pack)):
        parts = pack_one(value)
        if parts is not None:
            return Parcel(kind, parts)
    try:
        return Parcel("value", [codec.dumps(value)])
    except ValueNotEncodableError as error:
        return _shown(value, name, error)


def _shown(value: Any, name: str, reason: Exception | None = None) -> Parcel:
    """Keep what a value shows, as it cannot be kept itself for some reason."""
    try:
        shown = bundles.pack(value, name)
    except Exception as error:  # noqa: BLE001 - a figure that cannot be drawn, too many rows
        reason, shown = error, None
    if shown is not None:
        return Parcel(*shown)
    raise ArtifactWriteError(
        f"a value of type {type_name(value)} cannot be saved as an artifact: {reason}"
    ) from reason


def unpack(
    kind: str,
    data: Buffer,
    content_type: str = "",
    type_name: str = "",
    *,
    trusted: bool = False,
) -> Any:
    """Turn kind and bytes back into the value.

    Args:
        kind: One of ``KINDS``.
        data: The bytes. A value may go on using them: nobody else may write to a bytearray.
        content_type: MIME type that is known of them.
        type_name: Name of the type that was saved.
        trusted: Whether bytes that were made to do harm may do it here: in a kernel.

    Raises:
        ArtifactError: The bytes are not what ``kind`` says, or a library for them is missing.
            Nothing else is raised: the bytes may come from a hostile side.
    """
    unpack_one = _UNPACKERS.get(kind)
    if unpack_one is None:
        raise ArtifactError(f"artifact kind must be one of {', '.join(KINDS)}, not {kind!r:.80}")
    try:
        return unpack_one(data, _Known(content_type, type_name, trusted))
    except ImportError as error:
        raise ArtifactError(f"a value of kind {kind} cannot be loaded here: {error}") from error
    except ArtifactError:
        raise
    except Exception as error:  # hostile bytes: a library may raise anything
        raise ArtifactError(f"artifact data is not valid {kind}: {error!s:.300}") from error


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of bytes beside their kind."""

    content_type: str
    type_name: str
    trusted: bool


_UNPACKERS: dict[str, Callable[[Buffer, _Known], Any]] = {
    "bytes": lambda data, _: bytes(data),
    "text": lambda data, _: str(data, "utf-8"),
    "json": lambda data, _: json.loads(str(data, "utf-8-sig")),  # an editor may write a BOM
    "value": lambda data, _: codec.loads(bytes(data)),
    "npy": lambda data, _: npy.unpack(data),
    "parquet": lambda data, known: tables.unpack(data, known.type_name, trusted=known.trusted),
    "media": lambda data, known: bundles.unpack_media(data, known.content_type),
    "bundle": lambda data, known: bundles.unpack(data, known.type_name, trusted=known.trusted),
}


def is_content_type(text: Any) -> bool:
    """Whether ``text`` has the form of a MIME type; pages and headers are made of it."""
    if type(text) is not str or len(text) > _MAX_CONTENT_TYPE:
        return False
    return _CONTENT_TYPE.fullmatch(text) is not None


def is_json(value: Any) -> bool:
    """Whether ``value`` is made of JSON's own types only and comes back from JSON as it was.

    Strings with lone surrogates pass: that they have no UTF-8 shows when they are written.
    """
    level, seen = [value], 0
    for _ in range(_MAX_DEPTH):
        deeper: list[Any] = []
        for item in level:
            cls = type(item)
            if cls is list:
                deeper += item
            elif cls is dict:
                if not all(type(key) is str for key in item):
                    return False
                deeper += item.values()
            elif not _is_json_scalar(cls, item):
                return False
        seen += len(level)
        if not deeper:
            return True
        if seen + len(deeper) > _MAX_NODES:
            return False
        level = deeper
    return False


def _is_json_scalar(cls: type, value: Any) -> bool:
    if cls is str or cls is bool or value is None:
        return True
    if cls is int:
        return int.bit_length(value) <= _MAX_INT_BITS
    return cls is float and isfinite(value)


def _dump_json(value: Any) -> bytes:
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"), check_circular=False)
    if len(data) <= _INDENT_BELOW:
        data = json.dumps(value, ensure_ascii=False, indent=2, check_circular=False) + "\n"
    return data.encode()


def type_name(value: Any) -> str:
    """Name of a value's type as it is kept beside an artifact: ``dict``, ``decimal.Decimal``."""
    cls = type(value)
    if cls.__module__ == "builtins":
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"
