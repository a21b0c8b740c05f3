"""Values that leave the kernel, summaries of those that stay, and descriptions of variables."""

from __future__ import annotations

import array
import sys
import time
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_bootstrap.values import bounded_repr, outgoing
from kernel_bootstrap.variables import describe_variables
from kernel_bootstrap.wire.codec import decode
from tests.examples import examples
from tests.wire.strategies import same, values


class Raises:
    """An object whose every attribute is a trap."""

    def __init__(self, error: type[BaseException] = ValueError) -> None:
        vars(self)["error"] = error

    def _fail(self, *_: Any) -> Any:
        raise self.error("no")

    __repr__ = __len__ = __sizeof__ = _fail
    shape = nbytes = dtype = columns = property(_fail)


class Says:
    def __init__(self, text: Any) -> None:
        self.text = text

    def __repr__(self) -> Any:
        return self.text


class Text(str):
    __slots__ = ()

    def __len__(self) -> int:
        return 10**9


def sent(value: Any, max_bytes: int = 10**6, libraries: frozenset[str] | None = None) -> Any:
    return outgoing(value, handle="Out[3]", libraries=libraries, max_bytes=max_bytes)


# --- outgoing ------------------------------------------------------------------------------


@examples(50)
@given(values)
def test_what_can_cross_is_sent(value):
    """The tree under the value MIME type decodes to the value."""
    data, parts = sent(value)
    assert data["v"] == 1
    assert same(decode(data["value"], parts), value)


def test_what_cannot_cross_is_summarized():
    """The host gets type, repr, reason and handle, and no buffers."""
    data, parts = sent([b"x" * 5000, Says("<me>")])
    assert parts == []
    remote = data["remote"]
    assert data == {"v": 1, "remote": remote}
    assert remote["type"] == "list"
    assert remote["repr"].startswith("[b'xxx")
    assert remote["reason"] == f"cannot send a value of type '{__name__}.Says' at [1]"
    assert remote["handle"] == "Out[3]"


def test_what_is_too_large_stays():
    """A value above the limit is summarized instead, without delay."""
    started = time.thread_time()
    for value in [
        "x" * 10**8,
        list(range(10**6)),
        np.zeros(10**7),
        pd.DataFrame({"a": range(10**6)}),
    ]:
        data, parts = sent(value)
        assert data["remote"]["reason"].startswith("cannot send more than 1000000 bytes")
        assert len(data["remote"]["repr"]) <= 2000
        assert parts == []
    assert time.thread_time() - started < 5


def test_what_the_host_lacks_stays():
    """An array stays if the host has no numpy, and the reason says so."""
    data, _ = sent(np.arange(3), libraries=frozenset({"polars"}))
    assert data["remote"]["reason"].endswith("the other side has no numpy")
    assert data["remote"]["repr"] == "array([0, 1, 2])"


def test_hostile_objects_are_summarized_too():
    """Reprs that fail, exit or return nonsense are reported, not raised."""
    odd = np.zeros(2, [("\ud800", object)])
    for value in [Raises(), Raises(SystemExit), Says(5), Says("\ud800"), odd]:
        remote = sent(value)[0]["remote"]
        assert all(text.encode() for text in remote.values())


# --- reprs ---------------------------------------------------------------------------------

usual = st.recursive(
    st.one_of(st.none(), st.integers(), st.floats(), st.text(st.characters(max_codepoint=0x3FF))),
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.lists(inner).map(deque),
        st.dictionaries(st.text(max_size=5), inner),
        st.frozensets(st.integers()),
        st.sets(st.binary()),
    ),
    max_leaves=6,
)


@examples(100)
@given(usual)
def test_short_reprs_are_whole(value):
    """A repr within the limit is Python's own."""
    if len(repr(value)) <= 1900:
        assert bounded_repr(value, 2000) == repr(value)


@examples(100)
@given(usual, st.integers(1, 60))
def test_reprs_keep_the_limit(value, limit):
    """Whatever the value, the text is at most ``limit`` characters."""
    assert len(bounded_repr(value, limit)) <= limit


def test_long_texts_show_head_and_tail():
    """Strings, bytes and reprs of objects are cut in the middle."""
    for value in ["h" + "x" * 10**6 + "t", Says("h" + "x" * 10**6 + "t")]:
        text = bounded_repr(value, 100)
        assert len(text) == 100
        assert text.strip("'")[0] == "h"
        assert "…" in text
        assert text.strip("'")[-1] == "t"
    assert bounded_repr(bytearray(10**6), 60).startswith("bytearray(b'\\x00")
    assert bounded_repr(10**20_000, 60).startswith("0x")
    assert bounded_repr(Says(Text("a" * 50)), 20) == "a" * 13 + "…" + "a" * 6


def test_builtin_containers_are_not_written_out():
    """A huge container, even a subclass or a view of one, is sketched at once."""

    class Mine(list):
        pass

    table = dict.fromkeys(range(10**5))
    huge = [
        [[0] * 10**5],
        Mine([0] * 10**5),
        table,
        table.keys(),
        table.items(),
        Counter(range(10**4)),
        OrderedDict(table),
        defaultdict(list, {1: [0] * 10**5}),
        deque(range(10**5), 10**5),
        set(range(10**4)),
        array.array("d", bytes(8 * 10**5)),
        {"a": ("x" * 10**7,)},
    ]
    started = time.thread_time()
    texts = [bounded_repr(value, 120) for value in huge]
    assert time.thread_time() - started < 0.5
    assert all(len(text) <= 120 and "…" in text for text in texts)
    assert texts[0].endswith(" more]]")
    assert texts[6].startswith("OrderedDict({0: None, 1: None")
    assert texts[7].startswith("defaultdict(<class 'list'>, {1: [0, 0, ")
    assert texts[8].endswith("more], maxlen=100000)")


def test_circles_and_depth_end():
    """A list that contains itself, and one ten thousand deep, have a repr."""
    circle: list[Any] = [1]
    circle.append(circle)
    assert bounded_repr(circle) == "[1, [...]]"
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert "[...]" in bounded_repr(deep)


def test_a_repr_that_fails_is_reported_in_place():
    """One bad element does not hide the others; an interrupt passes."""
    name = f"{__name__}.Raises"
    text = bounded_repr([1, Raises(), Raises(SystemExit), 2])
    assert text == (
        f"[1, <{name} object whose repr raised ValueError>, "
        f"<{name} object whose repr raised SystemExit>, 2]"
    )
    with pytest.raises(KeyboardInterrupt):
        bounded_repr([Raises(KeyboardInterrupt)])


# --- variables -----------------------------------------------------------------------------


def described(**namespace: Any) -> list[dict[str, Any]]:
    return describe_variables(namespace, namespace)


def test_variables_are_described():
    """Name, type, shape, length, size and a one-line preview, one dict a variable."""
    (made,) = described(x=[1, 2])
    assert made == {
        "name": "x",
        "type": "list",
        "shape": None,
        "length": 2,
        "size": sys.getsizeof([1, 2]),
        "preview": "[1, 2]",
    }
    assert describe_variables({"a": 1}, ["b"]) == []


@pytest.mark.parametrize(
    ("value", "type_", "shape", "size", "preview"),
    [
        (np.zeros((10, 3)), "numpy.ndarray", [10, 3], 240, "ndarray (10, 3) float64"),
        (np.float32(1.5), "numpy.float32", [], 4, "np.float32(1.5)"),
        (pd.DataFrame({"a": [1], "b": 2.5}), None, [1, 2], None, "DataFrame (1, 2) 'a', 'b'"),
        (pd.Series([1, 2]), None, [2], 16, "Series (2,) int64"),
        (pl.DataFrame({"a": [1]}), None, [1, 1], 8, "DataFrame (1, 1) 'a'"),
        (pl.Series([1]), None, [1], 8, "Series (1,) Int64"),
        (np.ndarray, "type", None, None, "<class 'numpy.ndarray'>"),
        (range(10**30), "range", None, None, f"range(0, {10**30})"),
        (Says("a\n  b\x1b[31m"), None, None, None, "a b\\x1b[31m"),
    ],
)
def test_arrays_and_frames_have_a_short_form(value, type_, shape, size, preview):
    """Arrays and frames show shape and dtype or columns; other things one line of their repr."""
    (made,) = described(x=value)
    assert made["preview"] == preview
    assert made["shape"] == shape
    assert type_ in {None, made["type"]}
    assert size in {None, made["size"]}


def test_describing_never_raises_and_is_cheap():
    """Traps are described as far as they let us, huge objects at once."""
    namespace = {
        "trap": Raises(),
        "exits": Raises(SystemExit),
        "huge": [0] * 10**7,
        "text": "x" * 10**8,
        "wide": pd.DataFrame(np.zeros((2, 1000))),
        "array": np.zeros(10**8, "u1"),
    }
    started = time.thread_time()
    made = described(**namespace)
    assert time.thread_time() - started < 0.5
    assert [item["length"] for item in made] == [None, None, 10**7, 10**8, 2, 10**8]
    assert [item["size"] for item in made[:2]] == [None, None]
    for item in made:
        assert len(item["preview"]) <= 120
        assert "\n" not in item["preview"]
