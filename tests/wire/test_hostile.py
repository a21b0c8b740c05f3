"""Hostile input: whatever tree, buffers or file it gets, decoding gives a value or ProtocolError."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_bootstrap.wire.codec import MAX_DEPTH, decode, dumps, loads
from kernel_bootstrap.wire.errors import ProtocolError
from tests.examples import examples
from tests.wire.strategies import (
    buffers,
    damaged,
    decodes_or_refuses,
    nested,
    same,
    through_json,
    trees,
    values,
)


@examples(250)
@given(trees, buffers)
def test_made_up_trees_decode_or_are_refused(tree, parts):
    """Whatever JSON a hostile side makes up, there is a value or a ProtocolError."""
    decodes_or_refuses(tree, parts)


@examples(120)
@given(damaged(values))
def test_damaged_trees_decode_or_are_refused(made):
    """A valid tree with a few changes is a value or a ProtocolError."""
    decodes_or_refuses(*made)


@pytest.mark.parametrize(
    ("tree", "parts"),
    [
        ({"$": "bytes", "b": [0, 0]}, [b"x"]),
        ([{"$": "bytes", "b": [0]}, {"$": "bytes", "b": [0]}], [b"x"]),
        ({"$": "bytes", "b": [-1]}, [b"x"]),
        ({"$": "bytes", "b": [10**5000]}, []),
        ({"$": "bytes", "b": {"x": 1}}, [b"x"]),
        ({"$": "bytes", "b": [0]}, [None]),
        ({"$": "bytes", "v": "*"}, []),
        ({"$": ["bytes"], "v": ""}, []),
        ({"$": "range", "v": [0, 1, 0]}, []),
        ({"$": "timedelta", "v": [10**30, 0, 0]}, []),
        ({"$": "deque", "v": [1, 2], "maxlen": 1}, []),
        ({"$": "dict", "k": [1, {"$": "float", "v": "1"}], "v": [1, 2]}, []),
        ({"$": "dict", "k": [1], "v": []}, []),
        ({"$": "set", "v": [[]]}, []),
        ({"$": "zoneinfo", "v": "../../etc/passwd"}, []),
        ({"$": "zoneinfo", "v": "Europe"}, []),
        ({"$": "decimal", "v": "1E+9999999999999999999999"}, []),
        ({"$": "fraction", "v": [1, 0]}, []),
        ({"$": "path", "kind": "Path", "v": "x"}, []),
        ({1, 2}, []),
    ],
)
def test_known_tricks_are_refused(tree, parts):
    """Buffers used twice, absurd sizes, clashing keys and foreign files are ProtocolErrors."""
    with pytest.raises(ProtocolError):
        decode(tree, parts)


def test_a_deep_hostile_tree_is_refused():
    """A tree deeper than the limit is refused, however deep."""
    for levels in (MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(ProtocolError, match="deeper"):
            decode(nested(levels))
    tree: Any = 1
    for _ in range(5000):
        tree = {"$": "tuple", "v": [tree]}
    with pytest.raises(ProtocolError, match="deeper"):
        decode(tree)


def test_numbers_made_to_collide_are_refused_on_both_sides():
    """Keys with equal hashes, which take quadratic time to gather, are not accepted."""
    modulus = sys.hash_info.modulus
    tree = {"$": "set", "v": [{"$": "int", "v": f"{modulus * i:x}"} for i in range(3000)]}
    with pytest.raises(ProtocolError, match="same hash"):
        decode(tree)
    assert same(through_json(set(range(3000))), set(range(3000)))


# --- stored values -------------------------------------------------------------------------

STORED = dumps({"a": [1, b"x" * 2000, np.arange(300)], "b": (1, 2)})


@examples(200)
@given(st.integers(0, len(STORED) - 1), st.integers(0, 255), st.booleans())
def test_damaged_stored_values_load_or_are_refused(place, byte, cut):
    """A file that was cut, or had a byte changed, is a value or a ProtocolError."""
    data = bytearray(STORED)
    data[place] = byte
    try:
        loads(data[:place] if cut else data)
    except ProtocolError:
        return
    assert not cut


@pytest.mark.parametrize(
    "header",
    [
        "[" * 100_000,
        '{"value":1,"buffers":[1]}',
        '{"value":1,"buffers":[-1,1]}',
        '{"value":1,"buffers":["1"]}',
        '{"value":1,"buffers":[true, 1e400]}',
        '{"buffers":[]}',
        "1" * 5000,
        '{"value":NaN,"buffers":[]',
        "\ud800",
        "",
    ],
    ids=lambda header: header[:24],
)
def test_headers_that_lie_are_refused(header):
    """A stored value whose header is no header, or does not fit its bytes, is refused."""
    text = header.encode("utf-8", "surrogatepass")
    with pytest.raises(ProtocolError):
        loads(STORED[:8] + len(text).to_bytes(8, "little") + text)
