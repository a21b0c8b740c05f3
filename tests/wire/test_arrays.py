"""Arrays: numpy's come back exactly, or are refused by dtype; hostile ones allocate nothing."""

from __future__ import annotations

import io
import math
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from kernel_bootstrap.wire.codec import decode, dumps, encode, loads
from kernel_bootstrap.wire.errors import ProtocolError, ValueNotEncodableError
from tests.examples import examples
from tests.wire.strategies import damaged, decodes_or_refuses, same, through_json, values

plain_dtypes = st.one_of(
    npst.scalar_dtypes(),
    st.sampled_from([*map(np.dtype, ["g", "V3", "m8[25s]", "M8", "S5", ">U2", "<U3", "q", ">i4"])]),
)
field_names = st.sampled_from(["a", "ü", "名", "\U0001f600", "it's", "\\"])
dtypes = st.one_of(
    plain_dtypes,
    st.lists(
        st.tuples(field_names, plain_dtypes, st.sampled_from([(), (2,), (1, 3)])),
        unique_by=lambda field: field[0],
        min_size=1,
        max_size=4,
    ).map(lambda fields: np.dtype([*fields, ("inner", [("x", "i1"), ("y", "<U1")])], align=True)),
)
shapes = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """An array of any dtype without objects, in any order and with any stride."""
    dtype = draw(dtypes)
    shape = draw(shapes)
    raw = draw(st.binary(min_size=64, max_size=64))
    size = max(math.prod(shape), 1) * dtype.itemsize
    data = (raw * (size // 64 + 1))[:size]
    if "U" in str(dtype):  # not any bytes are text
        data = bytes(size)
    array = np.frombuffer(data, dtype)[: math.prod(shape)].reshape(shape)
    if draw(st.booleans()):
        array = array.T
    if draw(st.booleans()) and array.ndim:
        array = array[::-2]
    return array


@examples(100)
@given(arrays())
@example(np.array("text"))
@example(np.array(["a\0b", "ü\U0010ffff"]))
@example(np.asfortranarray(np.arange(6).reshape(2, 3)))
@example(np.array([], "M8[ns]"))
def test_arrays_come_back_exactly(array):
    """Dtype, shape, order and every byte survive, and the result can be written to."""
    came = through_json(array)
    assert same(came, np.ascontiguousarray(array).reshape(array.shape))
    assert came.flags.writeable
    assert came.flags.owndata
    assert came.flags.fnc == array.flags.fnc


@examples(100)
@given(arrays())
def test_numpy_scalars_come_back_exactly(array):
    """A scalar keeps its dtype and its bits; text keeps its trailing zeros."""
    for scalar in array.ravel()[:3]:
        assert same(through_json(scalar), scalar)
        assert same(through_json([scalar] * 20), [scalar] * 20)


def test_numpy_text_keeps_trailing_zeros():
    """``np.str_`` and ``np.bytes_`` cross with the zeros that an array would drop."""
    for value in [np.str_("a\0"), np.bytes_(b"a\0"), np.str_("")]:
        assert same(through_json(value), value)
        assert len(through_json(value)) == len(value)


@examples(40)
@given(st.lists(values, max_size=4))
def test_object_arrays_come_back_exactly(items):
    """Elements of an object array cross by the codec, lists and arrays among them unflattened."""
    array = np.fromiter([*items, np.array(5), [1]], dtype=object, count=len(items) + 2)
    assert same(through_json(array), array)
    grid = np.asfortranarray(np.array([[None, 1, "a"], [2.5, (1,), []]], dtype=object))
    assert same(through_json(grid), grid)
    assert through_json(grid).flags.fnc


def test_arrays_are_keys_and_items_like_other_values():
    """Scalars of numpy can be keys, and arrays sit anywhere."""
    value = {np.int64(1): [np.arange(3)], "x": (np.float32(0.5), {np.datetime64("2020-01-01")})}
    assert same(through_json(value), value)
    assert same(loads(dumps(value)), value)


class Image(np.ndarray):
    pass


@pytest.mark.parametrize(
    "value",
    [
        np.ma.array([1]),
        np.arange(3).view(Image),
        np.zeros(2, [("a", object)]),
        np.array(["a"], np.dtypes.StringDType()),
        np.zeros(2, np.dtype("i4", metadata={"a": 1})),
        np.zeros(2, [("a", np.dtype("i4", metadata={"a": 1}))]),
        np.rec.array([(1, 2)])[0],
        np.zeros(2, np.dtype((np.record, [("a", int)]))),
        np.zeros(2, np.dtype([])),
    ],
)
def test_arrays_that_would_change_are_refused(value):
    """Subclasses, and dtypes that npy does not bring back, are refused."""
    with pytest.raises(ValueNotEncodableError, match=r"numpy|Image"):
        encode([value])


def test_what_is_sent_is_a_snapshot():
    """Writing into the array after encoding does not change what is sent."""
    array = np.arange(300)
    tree, parts = encode(array)
    array[:] = 0
    assert decode(tree, parts).tolist() == list(range(300))


# --- hostile -------------------------------------------------------------------------------


@examples(100)
@given(damaged(arrays()))
def test_damaged_arrays_decode_or_are_refused(made):
    """Changed headers, dtypes and bytes give an array or a ProtocolError."""
    decodes_or_refuses(*made)


def npy(header: str, data: bytes = bytes(8)) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + data


@pytest.mark.parametrize(
    "data",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"),
        npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}"),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,)}", b""),
        npy("{'descr': '<U2', 'fortran_order': False, 'shape': (1,)}", b"\xff" * 8),
        npy("{'descr': [('a', '<U2')], 'fortran_order': False, 'shape': ()}", b"\xff" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}"),
        npy("__import__('os').abort()"),
        npy("(" * 9000),
        npy("-" * 9000 + "1"),
        npy("1" * 9000),
        npy("{" * 50_000),
        b"\x93NUMPY\x01\x00" + bytes(20),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(20),
        b"",
    ],
    ids=lambda data: ascii(data[12:60]),
)
def test_headers_that_lie_are_refused_and_allocate_nothing(data):
    """A header that claims more than came, objects, or nonsense is a ProtocolError."""
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            decode({"$": "np.array", "b": [0]}, [data])
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "tree",
    [
        {"$": "np.scalar", "dtype": "|O", "v": "00" * 8},
        {"$": "np.scalar", "dtype": "(1000000,)f8", "v": "00"},
        {"$": "np.scalar", "dtype": "<f8", "v": "00"},
        {"$": "np.objects", "shape": [10**12], "order": "C", "v": []},
        {"$": "np.objects", "shape": [-1, -1], "order": "C", "v": [1]},
        {"$": "np.record", "v": 1},
        {"$": "np.str", "v": 1},
        {"$": "np.array"},
    ],
)
def test_scalars_that_lie_are_refused(tree):
    """Dtypes, shapes and bytes of scalars and object arrays must fit each other."""
    with pytest.raises(ProtocolError):
        decode(tree)


def test_numpy_reads_what_is_sent():
    """The buffer of an array is a plain npy file, without pickle."""
    array = np.arange(300).reshape(30, 10).T
    (part,) = encode(array)[1]
    assert same(np.load(io.BytesIO(part), allow_pickle=False), array)
