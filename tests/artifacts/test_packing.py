"""Values to bytes and back, as kernel and host both do it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
from decimal import Decimal
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_bootstrap.wire.errors import ArtifactError, ArtifactWriteError
from kernel_bootstrap.wire.packing import KINDS, is_json, pack, type_name, unpack


def same(a, b) -> bool:
    """Equal in type and value all the way down, nan and minus zero included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same([*a], [*b]) and same([*a.values()], [*b.values()])
    return a == b


json_scalars = st.none() | st.booleans() | st.integers() | st.text()
plain = st.recursive(
    json_scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
anything = st.recursive(
    json_scalars
    | st.text(st.characters())
    | st.floats()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.datetimes()
    | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(plain)
def test_json_data_is_json(value):
    """What JSON can say exactly is readable JSON (text as itself) and comes back as it was."""
    kind, data = pack(value)
    assert kind == ("text" if type(value) is str else "json")
    if kind == "json":
        assert same(json.loads(data), value)
    assert same(unpack(kind, data), value)


@given(anything)
def test_everything_else_comes_back_as_it_was(value):
    """Whatever kind a value is packed as, type and value survive."""
    kind, data = pack(value)
    assert kind in KINDS
    assert same(unpack(kind, memoryview(data)), value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "text"),
        ("ä\r\n", "text"),
        ("\ud800", "value"),
        ("\ud83d\ude00", "value"),
        (b"", "bytes"),
        (b"\xff", "bytes"),
        (bytearray(b"x"), "value"),
        (None, "json"),
        (True, "json"),
        (-0.0, "json"),
        (2**1999, "json"),
        (2**5000, "value"),
        (float("nan"), "value"),
        ([float("inf")], "value"),
        ({}, "json"),
        ({"a": [1, {"b": None}]}, "json"),
        ({1: "a"}, "value"),
        ({"a": (1, 2)}, "value"),
        ({"a": "\ud800"}, "value"),
        ({"\ud800": 1}, "value"),
        ([{1, 2}], "value"),
        ([dt.date(2026, 1, 1)], "value"),
        (Decimal("1.10"), "value"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_kinds(value, kind):
    """A value takes a plain kind exactly when it comes back from it as it was."""
    packed = pack(value)
    assert packed[0] == kind
    assert same(unpack(*packed), value)


def test_small_json_is_for_people_and_large_json_is_compact():
    """JSON that fits a screen or ten is indented; large JSON is not."""
    assert pack({"a": [1]})[1] == b'{\n  "a": [\n    1\n  ]\n}\n'
    assert b"\n" not in pack([0] * 100_000)[1]


def test_data_too_deep_or_branching_for_json_is_left_to_the_codec():
    """Deep data, data that holds itself, and data that holds itself twice end in bounded time."""
    deep: list = []
    for _ in range(99):
        deep = [deep]
    assert is_json(deep)
    assert not is_json([deep])
    loop: list = []
    loop.append(loop)
    assert not is_json(loop)
    laughs: list = []
    for _ in range(60):
        laughs = [laughs, laughs]
    assert not is_json(laughs)
    with pytest.raises(ArtifactWriteError):
        pack(loop)


def test_what_cannot_be_kept_is_refused_by_the_name_of_its_type():
    """A value the codec does not carry is refused, naming its type."""
    with pytest.raises(ArtifactWriteError, match="a value of type object cannot be saved"):
        pack(object())
    with pytest.raises(ArtifactWriteError, match=r"type list cannot be saved.*generator"):
        pack([(x for x in "a")])


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text", b"\xff"),
        ("json", b"{"),
        ("json", b"\xff"),
        ("json", b"[" * 100_000),
        ("json", b"1" * 5_000),
        ("value", b""),
        ("value", b"not a container"),
        ("pickle", b""),
        ("", b""),
    ],
)
def test_bad_bytes_are_an_artifact_error(kind, data):
    """Bytes that are not what their kind says give one clear error, whatever they are."""
    with pytest.raises(ArtifactError, match=r"not valid|must be one of"):
        unpack(kind, data)


@given(st.sampled_from(KINDS), st.binary(max_size=60))
def test_no_bytes_raise_anything_else(kind, data):
    """Hostile bytes give a value or an ArtifactError, nothing else."""
    with contextlib.suppress(ArtifactError):
        unpack(kind, data)


def test_json_of_an_editor_may_begin_with_a_byte_order_mark():
    """A JSON file written by an editor that marks its encoding is read."""
    assert unpack("json", b"\xef\xbb\xbf[1]") == [1]


def test_type_names():
    """Types are named with their module unless they are built in."""

    class Colour(Enum):
        RED = 1

    assert type_name({}) == "dict"
    assert type_name(Decimal(1)) == "decimal.Decimal"
    assert type_name(Colour.RED).endswith("Colour")
