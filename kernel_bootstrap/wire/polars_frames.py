"""The codec's part for polars: frames and series of scalar dtypes, column by column.

Place in the house: part of THE contract (``kernel_bootstrap.wire``), used by the codec only.
Nothing here imports polars before a value of polars', coming or going, asks for it.

Not Arrow IPC, although polars can write and read it: its reader allocates what a header claims,
and when that fails the process aborts, with no exception to catch (seen with polars 2.1: one
changed number is enough). A host must outlive what a kernel sends. So numbers travel as numpy
arrays beside a mask of nulls, everything else as a list.
"""

from __future__ import annotations

import sys
from typing import Any

from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.parts import Packed, Refused, Unpack, expect

__all__ = ["UNPACKERS", "nbytes", "owns", "pack"]

_PHYSICAL = {
    **{name: name.lower() for name in ("Int8", "Int16", "Int32", "Int64", "Float32", "Float64")},
    **{name: name.lower() for name in ("UInt8", "UInt16", "UInt32", "UInt64")},
    "Boolean": "bool",
    "Date": "int32",
    "Datetime": "int64",
    "Duration": "int64",
    "Time": "int64",
}
"""Dtypes that numpy has numbers for."""

_LISTED: dict[str, frozenset[str]] = {
    "String": frozenset({"str", "NoneType"}),
    "Categorical": frozenset({"str", "NoneType"}),
    "Enum": frozenset({"str", "NoneType"}),
    "Binary": frozenset({"bytes", "NoneType"}),
    "Null": frozenset({"NoneType"}),
    "Decimal": frozenset({"Decimal", "NoneType"}),
    "Int128": frozenset({"int", "NoneType"}),
    "UInt128": frozenset({"int", "NoneType"}),
    "Float16": frozenset({"float", "NoneType"}),
}
"""Dtypes that travel as lists, and what may be in them."""

_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "Datetime": ("time_unit", "time_zone"),
    "Duration": ("time_unit",),
    "Decimal": ("precision", "scale"),
    "Enum": ("categories",),
}

_DAY = 86_400 * 10**9


def owns(kind: type) -> bool:
    """Tell whether ``kind`` is exactly polars' ``DataFrame`` or ``Series``."""
    pl = sys.modules["polars"]
    return kind is pl.DataFrame or kind is pl.Series


def nbytes(value: Any) -> float:
    """Return about how many bytes of data there are."""
    return float(value.estimated_size())


def pack(value: Any) -> Packed:
    """Take a frame or series of polars apart.

    Raises:
        Refused: A dtype is not one of those listed here.
    """
    if type(value) is sys.modules["polars"].Series:
        return _pack_series(value)
    if value.height and not value.width:
        raise Refused.of_type(type(value), "it has rows and no columns")
    return Packed("pl.frame", {"v": value.get_columns()}, labels=value.columns)


def _pack_series(series: Any) -> Packed:
    dtype = series.dtype
    name = dtype.base_type().__name__  # polars 1 gives the class Time and not an instance
    arguments = {key: getattr(dtype, key) for key in _ARGUMENTS.get(name, ())}
    if name == "Enum":
        arguments["categories"] = dtype.categories.to_list()
    known = name in _PHYSICAL or name in _LISTED
    if not known or repr(_dtype(name, arguments)) != repr(dtype):
        raise Refused.of_type(type(series), f"dtype {dtype!s:.80}")
    fields = {"name": series.name, "dtype": name, "args": list(arguments.values())}
    if name not in _PHYSICAL:
        texts = series.cast(sys.modules["polars"].String) if name == "Categorical" else series
        return Packed("pl.series", {**fields, "v": texts.to_list()})
    physical = series.to_physical()
    if series.null_count():
        fields["nulls"] = series.is_null().to_numpy()
        physical = physical.fill_null(False if name == "Boolean" else 0)
    return Packed("pl.series", {**fields, "v": physical.to_numpy()})


def _dtype(name: str, arguments: dict[str, Any]) -> Any:
    import polars as pl

    return getattr(pl, name)(**arguments)


# --- in ------------------------------------------------------------------------------------


def _unpack_series(fields: dict[str, Any]) -> Any:
    try:
        return _rebuild(fields)
    except BaseException as error:
        # A panic of the Rust side comes as a BaseException of its own.
        if type(error).__name__ == "PanicException":
            raise ProtocolError("malformed pl.series") from error
        raise


def _rebuild(fields: dict[str, Any]) -> Any:
    import polars as pl

    name, title = expect(fields, "dtype", str), expect(fields, "name", str)
    arguments = zip(_ARGUMENTS.get(name, ()), expect(fields, "args", list), strict=True)
    if name in _LISTED:
        items = expect(fields, "v", list)
        if not _LISTED[name].issuperset(kind.__name__ for kind in set(map(type, items))):
            raise ProtocolError(f"items that are no {name}")
        return pl.Series(title, items, dtype=_dtype(name, dict(arguments)))
    values = _numbers(fields, "v", _PHYSICAL[name])
    if name == "Time" and values.size and not 0 <= values.min() <= values.max() < _DAY:
        raise ProtocolError("a time beyond its day")
    series = pl.Series(title, values)
    if "nulls" in fields:
        nulls = _numbers(fields, "nulls", "bool")
        if nulls.shape != values.shape:
            raise ProtocolError("a series and its nulls differ in length")
        series = series.set(pl.Series(nulls), None)
    return series.cast(_dtype(name, dict(arguments)))


def _numbers(fields: dict[str, Any], name: str, dtype: str) -> Any:
    import numpy as np

    array = expect(fields, name, np.ndarray)
    if array.ndim != 1 or array.dtype != np.dtype(dtype):
        raise ProtocolError(f"field {name!r} must be an array of {dtype}")
    return array


def _unpack_frame(fields: dict[str, Any]) -> Any:
    import polars as pl

    columns = expect(fields, "v", list)
    if not all(type(column) is pl.Series for column in columns):
        raise ProtocolError("a column that is no series")
    return pl.DataFrame(columns)


UNPACKERS: dict[str, Unpack] = {"pl.frame": _unpack_frame, "pl.series": _unpack_series}
