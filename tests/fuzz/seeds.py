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

from kernel_bootstrap.wire.bundles import Shown
from kernel_bootstrap.wire.codec import encode
from kernel_bootstrap.wire.decoder import _UNPACKERS
from kernel_bootstrap.wire.media import Media, ResourceLink
from kernel_bootstrap.wire.messages import METADATA_KEY, VALUE_MIME, Method
from kernel_bootstrap.wire.pieces import Piece

__all__ = ["TREES", "VALUES", "WIRE_WORDS", "Tree", "tree_of"]

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


@dataclass(frozen=True)
class Tree:
    """An encoded value: the JSON of its tree, and its buffers."""

    text: str
    buffers: tuple[bytes, ...]


def tree_of(value: Any) -> Tree:
    """Return a value as it travels."""
    tree, buffers = encode(value)
    return Tree(json.dumps(tree), tuple(bytes(memoryview(each).cast("B")) for each in buffers))


TREES = tuple(map(tree_of, VALUES))
"""Of plain values of every type."""

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
