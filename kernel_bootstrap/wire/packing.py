"""Artifact values to bytes and back: the form in which artifacts travel and rest.

Place in the house: part of THE contract, above ``codec``; standard library only. A kernel packs
what it saves and unpacks what it loads; the host moves and keeps the bytes without looking in.

=========  ==========================================================  =======================
kind       values                                                      bytes
=========  ==========================================================  =======================
``text``   ``str``                                                     UTF-8
``bytes``  ``bytes``                                                   themselves
``json``   None, bool, int, finite float, str, and lists and dicts     JSON in UTF-8
           with str keys of those, nothing but these exact types
``value``  whatever else the codec carries                             the codec's container
=========  ==========================================================  =======================

The plain kinds are there so that an artifact is a file people can open. A value takes one only
if it comes back from it exactly; all others, ``nan`` and tuples included, are ``value``.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from kernel_bootstrap.wire import codec
from kernel_bootstrap.wire.errors import (
    ArtifactError,
    ArtifactWriteError,
    ProtocolError,
    ValueNotEncodableError,
)

__all__ = ["KINDS", "is_json", "pack", "type_name", "unpack"]

KINDS = ("json", "text", "bytes", "value")

_MAX_DEPTH = 100
"""Deeper data is left to the codec: json recurses, and so would a reader with less stack."""

_MAX_NODES = 10_000_000
"""A list that holds itself twice, thirty levels deep, has a billion items as JSON."""

_MAX_INT_BITS = 2_000
"""Python reads decimal integers of 640 digits whatever its limit is set to; this is below."""

_INDENT_BELOW = 64 * 1024
"""JSON up to this size is written for people, one item a line."""


def pack(value: Any) -> tuple[str, bytes]:
    """Turn a value into its kind and bytes.

    Args:
        value: Anything the codec carries.

    Raises:
        ArtifactWriteError: The value cannot be kept; the message names its type.
    """
    if type(value) is bytes:
        return "bytes", value
    try:
        if type(value) is str:
            return "text", value.encode()
        if is_json(value):
            return "json", _dump_json(value)
    except UnicodeEncodeError:  # lone surrogates have no UTF-8; the codec has its own way
        pass
    try:
        return "value", codec.dumps(value)
    except ValueNotEncodableError as error:
        raise ArtifactWriteError(
            f"a value of type {type_name(value)} cannot be saved as an artifact: {error}"
        ) from error


def unpack(kind: str, data: bytes | bytearray | memoryview) -> Any:
    """Turn kind and bytes back into the value.

    Raises:
        ArtifactError: The bytes are not what ``kind`` says. Nothing else is raised: the bytes
            may come from a hostile side.
    """
    try:
        if kind == "bytes":
            return bytes(data)
        if kind == "text":
            return str(data, "utf-8")
        if kind == "json":
            return json.loads(str(data, "utf-8-sig"))  # files written by hand may carry a BOM
        if kind == "value":
            return codec.loads(bytes(data))
    except (ValueError, RecursionError, ProtocolError) as error:
        raise ArtifactError(f"artifact data is not valid {kind}: {error}") from error
    raise ArtifactError(f"artifact kind must be one of {', '.join(KINDS)}, not {kind!r:.80}")


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
