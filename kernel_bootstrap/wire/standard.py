"""The codec's part for the standard library: how each of its types is taken apart and rebuilt.

Place in the house: part of THE contract (``kernel_bootstrap.wire``), used by ``codec`` only.

Types are matched exactly. A subclass may hold more than its base shows, so it is refused,
unless it is one of the three that cross as plain data: an enum member as its value, a dataclass
as a dict of its fields, a named tuple as a tuple.
"""

from __future__ import annotations

import base64
import dataclasses
import os
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.parts import Packed, Plain, Refused, Unpack, check_hashes, expect

__all__ = ["PACKERS", "SIZED", "UNPACKERS", "find_plain", "zone"]

INLINE_BYTES = 1024
"""Fewer bytes than this ride in the JSON as base64: a buffer of their own costs more."""

_FRACTION_BITS = 1 << 16  # a Fraction is reduced when rebuilt, in quadratic time
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the class was made by a class statement


# --- out: one function a type --------------------------------------------------------------


def _pack_bytes(value: bytes) -> Packed:
    return _bulk("bytes", value)


def _pack_bytearray(value: bytearray) -> Packed:
    return _bulk("bytearray", bytes(value))  # a copy: the sender may go on writing into it


def _bulk(tag: str, data: bytes) -> Packed:
    if len(data) < INLINE_BYTES:
        return Packed(tag, {"v": base64.b64encode(data).decode("ascii")})
    return Packed(tag, buffers=[data])


def _pack_dict(value: Any, tag: str = "dict") -> Packed:
    pairs = list(value.items())  # in one go: another thread may be changing it
    keys = [key for key, _ in pairs]
    check_hashes(keys)
    fields = {"k": keys, "v": [item for _, item in pairs]}
    return Packed(tag, fields, labels=keys.copy(), hashed="k")


def _pack_set(value: Any) -> Packed:
    items = list(value)
    check_hashes(items)
    return Packed(type(value).__name__, {"v": items}, hashed="v")


def _pack_deque(value: deque[Any]) -> Packed:
    return Packed("deque", {"v": list(value), "maxlen": value.maxlen})


def _pack_datetime(value: datetime) -> Packed:
    parts = [value.year, value.month, value.day, value.hour, value.minute, value.second]
    return _moment("datetime", [*parts, value.microsecond], value)


def _pack_time(value: time) -> Packed:
    return _moment("time", [value.hour, value.minute, value.second, value.microsecond], value)


def _moment(tag: str, parts: list[int], value: datetime | time) -> Packed:
    fields: dict[str, Any] = {"v": parts}
    if value.tzinfo is not None:
        fields["tz"] = value.tzinfo
    if value.fold:
        fields["fold"] = value.fold
    return Packed(tag, fields)


def _pack_timezone(value: timezone) -> Packed:
    offset, name = value.utcoffset(None), value.tzname(None)
    named = timezone(offset).tzname(None) != name
    return Packed("timezone", {"offset": offset, "name": name if named else None})


def _pack_zoneinfo(value: ZoneInfo) -> Packed:
    if not _ZONE.fullmatch(value.key or ""):
        raise Refused.of_type(ZoneInfo, f"its key is {value.key!r}")
    return Packed("zoneinfo", {"v": value.key})


def _pack_fraction(value: Fraction) -> Packed:
    parts = [value.numerator, value.denominator]
    if max(part.bit_length() for part in parts) > _FRACTION_BITS:
        raise Refused.of_type(Fraction, f"it has more than {_FRACTION_BITS} bits")
    return Packed("fraction", {"v": parts})


def _pack_path(value: PurePath) -> Packed:
    return Packed("path", {"kind": type(value).__name__, "v": str(value)})


PACKERS: dict[type, Callable[[Any], Packed]] = {
    complex: lambda value: Packed("complex", {"v": [value.real, value.imag]}),
    bytes: _pack_bytes,
    bytearray: _pack_bytearray,
    tuple: lambda value: Packed("tuple", {"v": list(value)}),
    set: _pack_set,
    frozenset: _pack_set,
    range: lambda value: Packed("range", {"v": [value.start, value.stop, value.step]}),
    dict: _pack_dict,
    OrderedDict: lambda value: _pack_dict(value, "ordereddict"),
    defaultdict: lambda value: _pack_dict(value, "defaultdict"),
    Counter: lambda value: _pack_dict(value, "counter"),
    deque: _pack_deque,
    datetime: _pack_datetime,
    date: lambda value: Packed("date", {"v": [value.year, value.month, value.day]}),
    time: _pack_time,
    timedelta: lambda v: Packed("timedelta", {"v": [v.days, v.seconds, v.microseconds]}),
    timezone: _pack_timezone,
    ZoneInfo: _pack_zoneinfo,
    Decimal: lambda value: Packed("decimal", {"v": str(value)}),
    Fraction: _pack_fraction,
    UUID: lambda value: Packed("uuid", {"v": value.hex}),
    PurePosixPath: _pack_path,
    PureWindowsPath: _pack_path,
    PosixPath: _pack_path,
    WindowsPath: _pack_path,
    type(...): lambda _: Packed("ellipsis"),
}


SIZED = frozenset({bytes, bytearray, tuple, set, frozenset, OrderedDict, Counter, deque})
"""Types whose ``len`` says how much there is to copy."""


# --- out: what crosses as plain data -------------------------------------------------------


def find_plain(kind: type) -> Callable[[Any], Plain] | None:
    """Return how values of ``kind`` become plain data, or None if they do not."""
    if issubclass(kind, Enum):
        return lambda value: Plain(value.value)
    if issubclass(kind, tuple) and type(getattr(kind, "_fields", None)) is tuple:
        # tuple's own iterator: a subclass may have overridden it to show something else.
        return lambda value: Plain(tuple(tuple.__iter__(value)))
    made_of_classes = all(base.__flags__ & _HEAP_TYPE for base in kind.__mro__[:-1])
    if dataclasses.is_dataclass(kind) and made_of_classes:  # else its base holds data too
        names = [field.name for field in dataclasses.fields(kind)]
        return lambda value: Plain({name: getattr(value, name) for name in names})
    return None


# --- in ------------------------------------------------------------------------------------


def _unpack_bytes(fields: dict[str, Any]) -> bytes:
    if "b" not in fields:
        return base64.b64decode(expect(fields, "v", str), validate=True)
    (view,) = fields["b"]
    return bytes(view)


def _items(fields: dict[str, Any]) -> list[Any]:
    items: list[Any] = expect(fields, "v", list)
    return items


def _unpack_set(fields: dict[str, Any]) -> set[Any]:
    items = _items(fields)
    check_hashes(items)
    return set(items)


def _unpack_dict(fields: dict[str, Any]) -> dict[Any, Any]:
    keys = expect(fields, "k", list)
    check_hashes(keys)
    rebuilt = dict(zip(keys, _items(fields), strict=True))
    if len(rebuilt) != len(keys):
        raise ProtocolError("a dict with the same key twice")
    return rebuilt


def _unpack_deque(fields: dict[str, Any]) -> deque[Any]:
    items, maxlen = _items(fields), expect(fields, "maxlen", int, type(None))
    if maxlen is not None and len(items) > maxlen:
        raise ProtocolError(f"a deque of {len(items)} items that holds {maxlen}")
    return deque(items, maxlen)


def _unpack_date(fields: dict[str, Any]) -> date:
    year, month, day = _items(fields)
    return date(year, month, day)


def _unpack_datetime(fields: dict[str, Any]) -> datetime:
    year, month, day, hour, minute, second, micro = _items(fields)
    tz, fold = fields.get("tz"), fields.get("fold", 0)
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=tz, fold=fold)


def _unpack_time(fields: dict[str, Any]) -> time:
    hour, minute, second, micro = _items(fields)
    return time(hour, minute, second, micro, tzinfo=fields.get("tz"), fold=fields.get("fold", 0))


def _unpack_timedelta(fields: dict[str, Any]) -> timedelta:
    days, seconds, micros = (int.__index__(part) for part in _items(fields))
    return timedelta(days, seconds, micros)


def _unpack_timezone(fields: dict[str, Any]) -> timezone:
    offset, name = expect(fields, "offset", timedelta), expect(fields, "name", str, type(None))
    return timezone(offset) if name is None else timezone(offset, name)


def zone(key: str) -> ZoneInfo:
    """Return the time zone ``key``.

    Raises:
        ProtocolError: There is none. The key is looked up as a file, so only harmless ones are.
    """
    if not _ZONE.fullmatch(key):
        raise ProtocolError(f"{key!r:.80} is not the name of a time zone")
    try:
        return ZoneInfo(key)
    except (OSError, LookupError, ValueError) as error:
        raise ProtocolError(f"this side knows no time zone {key!r}") from error


def _unpack_fraction(fields: dict[str, Any]) -> Fraction:
    parts = [int.__index__(part) for part in _items(fields)]
    if max(part.bit_length() for part in parts) > _FRACTION_BITS:
        raise ProtocolError("a fraction too large to reduce")
    numerator, denominator = parts
    return Fraction(numerator, denominator)


def _unpack_path(fields: dict[str, Any]) -> PurePath:
    kind, text = expect(fields, "kind", str), expect(fields, "v", str)
    native = "WindowsPath" if os.name == "nt" else "PosixPath"
    if kind == native:
        return Path(text)
    # A real path of the other system has no file here, only its words.
    return _PATHS[kind](text)


_PATHS: dict[str, type[PurePath]] = {
    "PosixPath": PurePosixPath,
    "PurePosixPath": PurePosixPath,
    "WindowsPath": PureWindowsPath,
    "PureWindowsPath": PureWindowsPath,
}

UNPACKERS: dict[str, Unpack] = {
    "int": lambda fields: int(expect(fields, "v", str), 16),  # no digit limit in base 16
    "float": lambda fields: float(expect(fields, "v", str)),
    "str": lambda fields: str(expect(fields, "v", bytes), "utf-8", "surrogatepass"),
    "complex": lambda fields: complex(*(float(part) for part in _items(fields))),
    "bytes": _unpack_bytes,
    "bytearray": lambda fields: bytearray(_unpack_bytes(fields)),
    "tuple": lambda fields: tuple(_items(fields)),
    "set": _unpack_set,
    "frozenset": lambda fields: frozenset(_unpack_set(fields)),
    "range": lambda fields: range(*_items(fields)),
    "dict": _unpack_dict,
    "ordereddict": lambda fields: OrderedDict(_unpack_dict(fields)),
    "defaultdict": lambda fields: defaultdict(None, _unpack_dict(fields)),
    "counter": lambda fields: Counter(_unpack_dict(fields)),
    "deque": _unpack_deque,
    "datetime": _unpack_datetime,
    "date": _unpack_date,
    "time": _unpack_time,
    "timedelta": _unpack_timedelta,
    "timezone": _unpack_timezone,
    "zoneinfo": lambda fields: zone(expect(fields, "v", str)),
    "decimal": lambda fields: Decimal(expect(fields, "v", str)),
    "fraction": _unpack_fraction,
    "uuid": lambda fields: UUID(hex=expect(fields, "v", str)),
    "path": _unpack_path,
    "ellipsis": lambda _: ...,
}
