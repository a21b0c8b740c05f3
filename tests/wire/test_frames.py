"""Frames: those of pandas and polars come back exactly, or are refused by dtype."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_bootstrap.wire.codec import decode, dumps, encode, loads
from kernel_bootstrap.wire.errors import ProtocolError, ValueNotEncodableError
from tests.examples import examples
from tests.wire.strategies import damaged, decodes_or_refuses, same, through_json

zone = dt.timezone(dt.timedelta(hours=2))
columns: dict[str, Any] = {
    "int8": pd.Series([1, 2, 3], dtype="int8"),
    "float": pd.Series([1.5, math.nan, -0.0]),
    "bool": pd.Series([True, False, True]),
    "complex": pd.Series([1j, 2, 3]),
    "moments": pd.Series(pd.to_datetime(["2020-01-01", None, "1900-05-05"])),
    "seconds": pd.Series(np.array([1, 2, "NaT"], "M8[s]")),
    "zoned": pd.Series(pd.date_range("2020-10-24", periods=3, freq="17h", tz="Europe/Berlin")),
    "utc": pd.Series(pd.to_datetime([None, "2020", "2021"], utc=True)),
    "offset": pd.Series([pd.NaT, *pd.date_range("2020", periods=2, tz=zone)]),
    "delta": pd.Series(pd.to_timedelta([1, None, 3], unit="s")),
    "objects": pd.Series([None, (1, [2]), {"a": math.nan}], dtype=object),
    "words": pd.Series(["a", "b", "c"], dtype=object),
    "text": pd.Series(["a", None, "ü"], dtype="string[python]"),
    "str": pd.Series(["a", None, "c"]),
    "Int16": pd.Series([1, None, 3], dtype="Int16"),
    "UInt64": pd.Series([1, None, 2**64 - 1], dtype="UInt64"),
    "Float32": pd.Series([1.5, None, 3], dtype="Float32"),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "category": pd.Series(["x", None, "x"], dtype=pd.CategoricalDtype(["y", "x"], ordered=True)),
    "intervals": pd.Series(pd.Categorical([3, 1, 3])),
}
indexes: list[Any] = [
    pd.RangeIndex(3, name="n"),
    pd.RangeIndex(9, 3, -2),
    pd.Index([3, 1, 1], dtype="uint8", name=("a", 1)),
    pd.Index([(1, 2), "b", None], dtype=object),
    pd.Index([(1, 2), (1, 2), (3, 4)], tupleize_cols=False),
    pd.Index(["a", "b", "a"]),
    pd.Index([1, None, 3], dtype="Int64"),
    pd.DatetimeIndex(["2020", "2021", "2021"]),
    pd.DatetimeIndex(["2020", "2021", "2021"], tz="Europe/Berlin"),
    pd.to_timedelta([1, 2, 3], unit="D"),
    pd.CategoricalIndex(["a", "b", "a"], name="c"),
    pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", None)], names=["x", None]),
]


def same_frame(left: Any, right: Any) -> None:
    plain = [place for place, dtype in enumerate(right.dtypes) if dtype != object]  # noqa: E721
    pd.testing.assert_frame_equal(left.iloc[:, plain], right.iloc[:, plain], check_exact=True)
    pd.testing.assert_index_equal(left.columns, right.columns, exact=True)
    assert left.attrs == right.attrs
    assert [type(left.index), type(left.columns)] == [type(right.index), type(right.columns)]
    for place in range(left.shape[1]):
        one, other = left.iloc[:, place], right.iloc[:, place]
        assert repr(one.dtype) == repr(other.dtype)
        if one.dtype == object:
            assert same(one.to_numpy(), other.to_numpy())


def test_a_frame_of_every_kind_of_column_comes_back():
    """Each dtype, and the missing values of each, survive side by side."""
    frame = pd.DataFrame(columns)
    frame.attrs = {"source": ("a", 1)}
    same_frame(through_json(frame), frame)
    same_frame(loads(dumps(frame)), frame)
    same_frame(through_json(frame.iloc[:0]), frame.iloc[:0])
    same_frame(through_json(frame.iloc[::-1]), frame.iloc[::-1])


@pytest.mark.parametrize("name", columns)
def test_a_series_of_every_kind_comes_back(name):
    """A series keeps its dtype, name and index; so does its array alone."""
    series = columns[name].rename(("a", 1))
    series.attrs = {"unit": "m"}
    came = through_json([series])[0]
    same_frame(came.to_frame(), series.to_frame())
    assert repr(came.dtype) == repr(series.dtype)
    assert came.attrs == series.attrs
    if not isinstance(series.dtype, np.dtype):
        pd.testing.assert_extension_array_equal(through_json(series.array), series.array)


@pytest.mark.parametrize(
    "index", indexes, ids=lambda index: f"{type(index).__name__}-{index.dtype}"
)
def test_an_index_of_every_kind_comes_back(index):
    """An index crosses alone, as rows, and as columns; duplicates do no harm."""
    pd.testing.assert_index_equal(through_json(index), index, exact=True)
    frame = pd.DataFrame(np.arange(9.0).reshape(3, 3), index=index, columns=index)
    frame["s" if index.nlevels == 1 and index.dtype == object else frame.columns[0]] = 1
    same_frame(through_json(frame), frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame(np.zeros((2, 0))),
        pd.DataFrame([[1, 2.5, 3, "x"]], columns=["a", "a", "b", "b"]),
        pd.DataFrame(np.arange(6, dtype="i2").reshape(2, 3))[[2, 0]],
        pd.DataFrame({"a": [pd.Timestamp("2020"), 1]}, dtype=object),
    ],
)
def test_odd_frames_come_back(frame):
    """Frames without rows or columns, with twice the same name, or of objects only."""
    same_frame(through_json(frame), frame)


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2020-01-01 00:00:00.123456789"),
        pd.Timestamp(10**9, unit="s"),
        pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2020", tz=zone),
        pd.Timestamp(
            dt.datetime(2020, 1, 1, fold=1)  # noqa: DTZ001 - naive on purpose
        ),
        pd.Timedelta(5, "ns"),
        pd.Timedelta(np.timedelta64(-(2**40), "s")),
        pd.NaT,
        pd.NA,
    ],
    ids=str,
)
def test_scalars_of_pandas_come_back(value):
    """Moments keep unit, zone and fold; the missing values are the one object they are."""
    came = through_json(value)
    assert type(came) is type(value)
    assert came is value or (came == value and came.unit == value.unit)
    assert str(getattr(came, "tz", None)) == str(getattr(value, "tz", None))
    assert getattr(came, "fold", 0) == getattr(value, "fold", 0)


class Table(pd.DataFrame):
    pass


@pytest.mark.parametrize(
    "value",
    [
        Table(),
        pd.Series(pd.period_range("2020", periods=2, freq="D")),
        pd.interval_range(0, 2),
        pd.Series(pd.arrays.SparseArray([0, 1])),
        pd.DataFrame({"a": [1, object()]}),
        pd.offsets.Day(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_of_pandas_are_refused(value):
    """Subclasses and dtypes that are not listed are refused by name."""
    with pytest.raises(ValueNotEncodableError, match=r"pandas|Table|object"):
        encode(value)


@pytest.mark.parametrize("library", ["numpy", "pandas", "polars"])
def test_nothing_goes_to_a_side_that_lacks_the_library(library):
    """An array or frame is refused, by name, if the other side could not hold it."""
    value = {"numpy": np.float64(1), "pandas": pd.Series([1]), "polars": pl.Series([1])}[library]
    others = frozenset({"numpy", "pandas", "polars"}) - {library, "pandas"}
    with pytest.raises(
        ValueNotEncodableError, match=f"at \\[0\\]: the other side has no {library}"
    ):
        encode([value], libraries=others)
    assert encode([value], libraries=frozenset({library, "numpy"}))


# --- polars --------------------------------------------------------------------------------

moment = dt.datetime(2020, 1, 1, 12, 30, 0, 5)  # noqa: DTZ001 - polars adds the zone
series: list[Any] = [
    *[pl.Series([1, None, 3], dtype=kind) for kind in (pl.Int8, pl.UInt64, pl.Float32, pl.Int128)],
    pl.Series([1.5, math.nan, -0.0, math.inf]),
    pl.Series([True, None, False]),
    pl.Series(["a", None, "ü\0"]),
    pl.Series([b"a", None, bytes(2000)]),
    pl.Series([dt.date(2020, 1, 1), None]),
    pl.Series([dt.time(23, 59, 59, 999), None]),
    pl.Series([moment, None], dtype=pl.Datetime("ns", "Europe/Berlin")),
    pl.Series([moment, None], dtype=pl.Datetime("ms")),
    pl.Series([dt.timedelta(days=-1), None], dtype=pl.Duration("us")),
    pl.Series([Decimal("1.20"), None], dtype=pl.Decimal(20, 2)),
    pl.Series(["x", None, "y", "x"], dtype=pl.Categorical),
    pl.Series(["x", None, "x"], dtype=pl.Enum(["y", "x"])),
    pl.Series([None, None]),
    pl.Series([], dtype=pl.Int16),
    pl.concat([pl.Series([1, 2]), pl.Series([None, 4])], rechunk=False),
]


@pytest.mark.parametrize("value", series, ids=lambda value: str(value.dtype)[:30])
def test_a_polars_series_of_every_kind_comes_back(value):
    """A series keeps its name, dtype and nulls; so does a frame of it."""
    for name in ("", "ü"):
        polars.testing.assert_series_equal(
            through_json(value.rename(name)), value.rename(name), check_exact=True
        )
    frame = pl.DataFrame([value.rename("a"), value.rename("b").reverse()])
    polars.testing.assert_frame_equal(loads(dumps(frame)), frame, check_exact=True)


def test_a_polars_frame_without_rows_or_columns_comes_back():
    """Empty frames keep their schema."""
    for frame in (pl.DataFrame(), pl.DataFrame(schema={"a": pl.Int8, "b": pl.String})):
        polars.testing.assert_frame_equal(through_json(frame), frame)


@pytest.mark.parametrize(
    "value",
    [
        pl.Series([object()], dtype=pl.Object),
        pl.Series([[1]]),
        pl.DataFrame({"a": [{"x": 1}]}),
        pl.LazyFrame({"a": [1]}),
        pl.Series(["x"], dtype=pl.Categorical(pl.Categories("mine"))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_of_polars_are_refused(value):
    """Nested and object columns, and lazy frames, are refused by name."""
    with pytest.raises(ValueNotEncodableError, match="polars"):
        encode(value)


# --- hostile -------------------------------------------------------------------------------

samples = [
    pd.DataFrame(columns),
    *[pd.DataFrame({name: column}) for name, column in columns.items()],
    *indexes,
    pd.Timestamp("2020", tz="Europe/Berlin"),
    *series,
    pl.DataFrame({"a": [1, None], "b": ["x", "y"]}),
]


@examples(150)
@given(damaged(st.sampled_from(samples)))
def test_damaged_frames_decode_or_are_refused(made):
    """A frame, series or index with a few changes is a value or a ProtocolError."""
    decodes_or_refuses(*made)


def empty_index(length: int) -> dict[str, Any]:
    return {"$": "pd.range", "v": {"$": "range", "v": [0, length, 1]}, "name": None}


@pytest.mark.parametrize(
    "tree",
    [
        {"$": "pd.index", "v": {"$": "range", "v": [0, 10**9, 1]}, "name": None},
        {"$": "pd.series", "v": {"$": "range", "v": [0, 10**9, 1]}, "index": 1, "name": None},
        {"$": "pd.series", "v": "x" * 9, "index": empty_index(10**9), "name": None},
        {"$": "pd.range", "v": {"$": "range", "v": [0, {"$": "int", "v": "f" * 40}, 1]}},
        {"$": "pd.strings", "v": [1], "storage": "python", "nan": False},
        {"$": "pd.missing", "v": "nan"},
        {
            "$": "pd.frame",
            "index": empty_index(1),
            "columns": empty_index(10**12),
            "matrices": [],
            "others": [],
        },
        {"$": "pl.series", "name": "", "dtype": "Object", "args": [], "v": [1]},
        {"$": "pl.series", "name": "", "dtype": "read_csv", "args": ["/etc/passwd"], "v": []},
        {"$": "pl.series", "name": "", "dtype": "String", "args": [], "v": [1]},
        {"$": "pl.series", "name": "", "dtype": "Decimal", "args": [99, 2], "v": [None]},
        {"$": "pl.series", "name": "\ud800", "dtype": "Null", "args": [], "v": [None]},
        {"$": "pl.frame", "v": [1]},
    ],
)
def test_frames_that_lie_are_refused(tree):
    """Ranges for columns, foreign names and wrong items are ProtocolErrors, at no cost."""
    with pytest.raises(ProtocolError):
        decode(tree)
