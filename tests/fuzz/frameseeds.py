"""Arrays and frames, and artifacts made of them, for the fuzzer to change.

Place in the house: beside ``seeds``, apart from it because numpy, pandas and polars take a second
to load.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from kernel_bootstrap.wire.codec import dumps
from kernel_bootstrap.wire.packing import pack
from tests.fuzz.seeds import VALUES, tree_of

__all__ = ["FRAME_TREES", "PACKED", "STORED"]

_FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "x": [0.5, None, 2.0],
        "s": ["a", None, "c"],
        "c": pd.Categorical(["u", "v", "u"], ordered=True),
        "i": pd.array([1, None, 3], dtype="Int64"),
        "t": pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin"),
        "o": [(1, 2), {"a": 1}, None],
    }
)
_POLARS = pl.DataFrame(
    {
        "n": [1, 2, None],
        "s": ["a", "bc", None],
        "d": [date(2024, 1, 1), None, date(2024, 1, 3)],
        "e": pl.Series(["x", "y", "x"], dtype=pl.Enum(["x", "y"])),
        "t": [datetime(2024, 1, 1, tzinfo=UTC)] * 3,
    }
)

FRAMES: tuple[Any, ...] = (
    [np.arange(6.0).reshape(2, 3), np.array(["ab", "c"]), np.int16(4), np.datetime64("2024-01-01")],
    np.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", "<f8")]),
    np.array([1, "x", None], dtype=object),
    _FRAME,
    _FRAME["x"],
    _FRAME.set_index(["n", "s"])[["x"]],
    pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None]),
    [pd.Timestamp("2024-01-01", tz="UTC"), pd.Timedelta(3, "s"), pd.NaT, pd.NA],
    _POLARS,
    _POLARS["s"],
)

FRAME_TREES = tuple(map(tree_of, FRAMES))
"""Of arrays and of what pandas and polars have."""

STORED = tuple(dumps(value) for value in (VALUES[0], VALUES[2], VALUES[3], FRAMES[0]))
"""Values as artifacts are stored."""

PACKED = tuple(
    pack(value)
    for value in (
        *("text ä", b"bytes", {"a": [1, None]}, (1, 2), np.arange(4), np.array([[1.5, 2.5]])),
        *(np.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", "<f8")]), VALUES[-2]),
    )
)
"""Kinds and bytes of artifacts. Not of data frames: a process of its own reads those, 4 a second."""
