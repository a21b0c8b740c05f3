"""The codec: what crosses comes back exactly, and what cannot is refused by name."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import math
import socket
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given

from kernel_bootstrap.wire.codec import MAX_DEPTH, decode, dumps, encode, loads
from kernel_bootstrap.wire.errors import ProtocolError, ValueNotEncodableError
from tests.examples import examples
from tests.wire.strategies import nested, same, through_json, values


def refusal(value: Any, **options: Any) -> str:
    with pytest.raises(ValueNotEncodableError) as caught:
        encode(value, **options)
    return str(caught.value)


# --- there and back ------------------------------------------------------------------------


@examples(150)
@given(values)
@example(-0.0)
@example([math.nan, math.inf, -math.inf, -0.0] * 5)
@example([2**53, -(2**53), 2**53 + 1, 10**5000])
@example({"$": "int", "v": "ff"})
@example({"a": {"$": 1}, "\ud800": [True, 1, 1.0]})
@example([[["\udc80"] * 20, "ü" * 20, "a" * 20]])
def test_every_value_comes_back_exactly(value):
    """Any nesting of supported values survives JSON with its types, bit for bit."""
    assert same(through_json(value), value)


@examples(60)
@given(values)
def test_stored_values_load_exactly(value):
    """``loads(dumps(x))`` is ``x``."""
    assert same(loads(dumps(value)), value)


@pytest.mark.parametrize("value", [None, True, 2**53, -1.5, "ü\0", [1, [2]], {"a": {"b": None}}])
def test_plain_json_has_no_tags(value):
    """What JSON says exactly is its own tree."""
    assert encode(value) == (value, [])


def test_small_bytes_ride_inline_and_large_ones_in_buffers():
    """Bytes below 1 KiB are in the tree; larger ones are the buffer itself, not a copy."""
    assert encode(bytes(1023))[1] == []
    data = bytes(1024)
    tree, parts = encode([data])
    assert parts[0] is data
    assert tree == [{"$": "bytes", "b": [0]}]


def test_nothing_is_shared_between_value_tree_and_result():
    """Changing what was sent, or what came back, changes nothing on the other side."""
    inner: list[Any] = [1]
    value = {"a": inner, "b": bytearray(2000)}
    tree, parts = encode(value)
    inner.append(2)
    value["b"][0] = 7
    first = decode(tree, parts)
    first["a"].append(3)
    assert decode(tree, parts) == {"a": [1], "b": bytearray(2000)}


def test_containers_keep_what_makes_them_special():
    """A deque keeps its bound, a defaultdict loses its factory, order is kept."""
    value = [deque([1, 2], 5), defaultdict(list, {2: 1, 1: 2}), OrderedDict(b=1, a=2), Counter("a")]
    came = through_json(value)
    assert came[0].maxlen == 5
    assert came[1].default_factory is None
    assert list(came[1]) == [2, 1]
    assert [type(item) for item in came] == [deque, defaultdict, OrderedDict, Counter]


class Colour(enum.Enum):
    RED = "r"
    BLUE = (1, 2)


class Level(enum.IntEnum):
    HIGH = 3


class Pair(NamedTuple):
    x: int
    y: Any


@dataclass
class Point:
    x: int
    rest: Any = None
    hidden: int = field(default=0, repr=False)


def test_enums_dataclasses_and_named_tuples_are_plain_data():
    """They cross as the member's value, a dict of the fields, and a tuple."""
    old = namedtuple("old", "a b")  # noqa: PYI024 - the old way of making them counts too
    value = [Colour.RED, Level.HIGH, Point(1, Pair(2, [Colour.BLUE])), old(1, 2), {Level.HIGH: 1}]
    assert same(
        through_json(value),
        ["r", 3, {"x": 1, "rest": (2, [(1, 2)]), "hidden": 0}, (1, 2), {3: 1}],
    )


# --- refusals ------------------------------------------------------------------------------


def test_a_refusal_names_type_and_path():
    """The message says what cannot be sent and where it sat."""
    with socket.socket() as made:
        assert (
            refusal([{"conn": made}])
            == "cannot send a value of type 'socket.socket' at [0]['conn']"
        )
        assert refusal(made) == "cannot send a value of type 'socket.socket'"
        assert refusal((1, {2: Point(1, [made])})).endswith(" at [1][2]['rest'][0]")
        assert refusal(defaultdict(list, {(1,): made})).endswith(" at [<tuple>]")


class Text(str):
    __slots__ = ()


class Zone(tzinfo):
    pass


@dataclass
class Listed(list):
    x: int = 1


class Sneaky:
    __class__ = dict  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value",
    [
        Text("a"),
        object(),
        int,
        SimpleNamespace(),
        print,
        memoryview(b""),
        Listed(),
        Sneaky(),
        datetime(2020, 1, 1, tzinfo=Zone()),
        sys.version_info,
        NotImplemented,
        Fraction(1, 3**60000),
        (i for i in ()),
        {}.keys(),
        Point,
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused(value):
    """A type that is not listed, a subclass above all, is refused and not turned into its base."""
    assert refusal([value]).startswith("cannot send a value of type '")


def test_keys_must_stay_apart():
    """Keys that are one key, or none, as plain data are refused rather than lost."""
    frozen = dataclasses.make_dataclass("Frozen", ["x"], frozen=True)
    for value in [{Colour.RED: 1, "r": 2}, {Colour.RED, "r"}, {(Colour.RED,), ("r",)}, {frozen(1)}]:
        assert "keys that clash" in refusal(value)
    assert through_json({Colour.RED: 1, Colour.BLUE: 2}) == {"r": 1, (1, 2): 2}


def test_an_object_that_fails_while_it_is_read_is_refused():
    """An exception, or an exit, in a property becomes a refusal; an interrupt passes."""

    @dataclass
    class Broken:
        error: type[BaseException]

        def __getattribute__(self, name: str) -> Any:
            raise object.__getattribute__(self, "__dict__")["error"]

    assert refusal([Broken(ValueError)]).endswith("at [0]: reading it raised ValueError")
    assert refusal(Broken(SystemExit)).endswith("reading it raised SystemExit")
    with pytest.raises(KeyboardInterrupt):
        encode(Broken(KeyboardInterrupt))


@pytest.mark.parametrize("kind", [list, tuple, dict, deque])
def test_depth_is_bounded(kind):
    """A value of MAX_DEPTH levels crosses, one more does not, and ten thousand do no harm."""
    deepest = nested(MAX_DEPTH, kind)
    assert same(through_json(deepest), deepest)
    assert refusal(nested(MAX_DEPTH + 1, kind)).startswith("cannot send a value nested deeper")
    assert "nested deeper" in refusal(nested(10_000, kind))


def test_special_numbers_count_as_a_level():
    """What can be encoded can be decoded, at the limit too."""
    for special in (math.nan, 2**60, "\ud800", b"", Decimal(1)):
        value: Any = special
        for level in range(MAX_DEPTH + 3):
            value = [value]
            try:
                tree, parts = encode(value)
            except ValueNotEncodableError:
                assert level >= MAX_DEPTH - 3
            else:
                decode(tree, parts)


def test_a_value_that_contains_itself_is_refused():
    """Circles of any length are named as such."""
    circle: list[Any] = [0]
    circle.append({"x": (circle,)})
    assert refusal(circle).startswith("cannot send a value that contains itself at [1]['x'][0]")
    point = Point(1)
    point.rest = [point]
    assert "contains itself" in refusal(point)
    twice: list[Any] = []
    twice += [twice, twice]
    assert "contains itself" in refusal(twice)


def test_a_full_stack_is_no_recursion_error():
    """Wherever on the stack it is called, encode and decode raise errors of ours or succeed."""
    value = nested(MAX_DEPTH)
    outcomes = set()

    tree, _ = encode(value)

    def descend(act: Any, left: int) -> None:
        if left:
            descend(act, left - 1)
            return
        try:
            act()
            outcomes.add("fits")
        except (ValueNotEncodableError, ProtocolError) as error:
            outcomes.add(type(error))

    room = sys.getrecursionlimit() - len(inspect.stack(0))
    for left in range(room - 450, room - 20, 7):
        descend(lambda: encode(value), left)
        descend(lambda: decode(tree), left)
    assert outcomes == {"fits", ValueNotEncodableError, ProtocolError}


def test_a_size_limit_stops_early():
    """Too large values are refused without being copied or walked through."""
    half: list[Any] = [1]
    for _ in range(60):
        half = [half, half]  # 2**60 items, were it written out
    big = bytearray(50_000_000)
    for value in [half, big, [big] * 9, [0] * 10**6, "x" * 10**6, ["x" * 10**5] * 99]:
        assert refusal(value, max_bytes=100_000).startswith("cannot send more than 100000 bytes")
    assert encode(bytes(1000_000), max_bytes=1_001_000)
    assert encode(list(range(10_000)), max_bytes=100_000)


# --- the house -----------------------------------------------------------------------------


def test_the_wire_needs_and_loads_no_library():
    """Encoding and decoding plain values imports none of numpy, pandas and polars."""
    code = (
        "import sys; from kernel_bootstrap.wire.codec import *;"
        "decode(*encode([1, {2: (3, b'4')}, {5}]));"
        "print(*{'numpy', 'pandas', 'polars'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_trees_are_shallow_enough_for_orjson():
    """The deepest tree has fewer levels than orjson's limit of 254, with room to spare."""
    depth, level = 0, [encode(nested(MAX_DEPTH, tuple))[0]]
    while level:
        depth += 1
        trees = [tree.values() if type(tree) is dict else tree for tree in level]
        level = [inner for tree in trees for inner in tree if type(inner) in {list, dict}]
    assert depth < 254 - 40
