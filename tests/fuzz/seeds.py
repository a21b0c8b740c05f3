"""What real encoders and people write, for the fuzzer to change.

Place in the house: below ``targets``. All of it is made here, by the code that is fuzzed from the
other side, so it never gets old.
"""

from __future__ import annotations

import base64
import json
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl

from kernel_bootstrap.wire.bundles import Shown
from kernel_bootstrap.wire.codec import dumps, encode
from kernel_bootstrap.wire.decoder import _UNPACKERS
from kernel_bootstrap.wire.media import Media, ResourceLink
from kernel_bootstrap.wire.messages import METADATA_KEY, VALUE_MIME, Method
from kernel_bootstrap.wire.packing import pack
from kernel_bootstrap.wire.pieces import Piece

__all__ = ["FRAME_TREES", "PACKED", "STORED", "TREES", "WIRE_WORDS", "Tree"]

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

VALUES: tuple[Any, ...] = (
    {"a": [1, 2.5, "x", None, True], "b": {"c": "d"}},
    (1, {2, 3}, frozenset({4}), b"bytes", bytearray(b"more"), ..., range(1, 9, 2)),
    {1: "a", (2, 3): [b"x" * 1500], "$": 1, None: Decimal("-1.5E+3")},
    [OrderedDict(b=1, a=2), Counter("aab"), defaultdict(None, {1: 2}), deque([1, 2], maxlen=4)],
    [float("nan"), float("-inf"), -0.0, 2**70, -(10**40), complex(1, -2), Fraction(3, 7)],
    [datetime(2024, 5, 6, 7, 8, 9, 10, UTC), date(1, 1, 1), timedelta(-3, 5, 7), Decimal("NaN")],
    [datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1), ZoneInfo("UTC")],
    [timezone(timedelta(hours=-3), "name"), UUID(int=7), "lone \ud800", "\u202e\0\x1b[31m"],
    [PurePosixPath("/a/b"), PureWindowsPath("c:\\x")],
    [Media(b"\x89PNG\r\n", "image/png", "a.png"), ResourceLink("http://x/y", "y", "text/plain")],
    Shown({"text/html": "<b>x</b>", "application/json": {"a": 1}}, {"m": 1}, "mod.Type"),
    Piece(b"abc"),
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


@dataclass(frozen=True)
class Tree:
    """An encoded value: the JSON of its tree, and its buffers."""

    text: str
    buffers: tuple[bytes, ...]


def _tree(value: Any) -> Tree:
    tree, buffers = encode(value)
    return Tree(json.dumps(tree), tuple(bytes(memoryview(each).cast("B")) for each in buffers))


TREES = tuple(map(_tree, VALUES))
"""Of plain values of every type."""

FRAME_TREES = tuple(map(_tree, FRAMES))
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
"""Kinds and bytes of artifacts."""

_NAMES = (
    "$ v k b tz fold maxlen kind dtype args nulls name index columns matrices others attrs "
    "levels codes names categories ordered mask storage nan shape order offset freq d m t "
    "<f8 |O M8[ns] <U3 <M8[s] UTC ../x ff AA== python pyarrow NaT F Int64 Datetime Enum "
    "Decimal Time Null us PosixPath nan -inf Europe/Berlin Int8 List Struct Object string"
)
WIRE_WORDS = (
    *_UNPACKERS,
    *_NAMES.split(),
    *(value for name, value in vars(Method).items() if name.isupper()),
    *("kind", "id", "method", "params", "request", "reply", "cancel", "value", "failure"),
    *("message", "details", "tree", "base64", VALUE_MIME, METADATA_KEY),
    *(base64.b64encode(b"x" * size).decode() for size in (1, 30)),
)
"""Tags, names of fields and words that unpackers know."""
