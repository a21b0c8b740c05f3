"""What the wire's tests are made of: values of every kind, hostile trees, and exact comparison."""

from __future__ import annotations

import contextlib
import json
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

from kernel_bootstrap.wire.codec import decode, encode
from kernel_bootstrap.wire.decoder import _UNPACKERS
from kernel_bootstrap.wire.errors import ProtocolError

try:
    import orjson
except ImportError:
    orjson = None

# --- values --------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=()), max_size=12)  # lone surrogates too
zones = st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("Etc/GMT+5"), ZoneInfo("UTC")])
offsets = st.builds(timedelta, minutes=st.integers(-1439, 1439), seconds=st.integers(0, 30))
timezones = st.one_of(
    st.just(UTC), st.builds(timezone, offsets), st.builds(timezone, offsets, any_text)
)
tzinfos = st.one_of(st.none(), zones, timezones)
decimals = st.one_of(
    st.decimals(allow_nan=False),
    st.sampled_from([Decimal("NaN"), Decimal("-0E-5"), Decimal("1E+999999")]),
)
pure_paths = st.sampled_from(["", ".", "/a/b", "//a", "c:\\x\\y", "ü/\udcff"]).flatmap(
    lambda text: st.sampled_from([kind(text) for kind in (PurePosixPath, PureWindowsPath, Path)])
)
ranges = st.builds(
    range, st.integers(), st.integers(), st.one_of(st.integers(1), st.integers(max_value=-1))
)
moments = st.one_of(
    st.datetimes(timezones=tzinfos, allow_imaginary=True),
    st.times(timezones=tzinfos),
    st.dates(),
    st.timedeltas(),
)
native = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**53) - 2, 2**53 + 2),
    st.floats(),
    any_text,
)
numbers = st.one_of(
    st.complex_numbers(), decimals, st.fractions(), st.sampled_from([10**400, -(2**64)])
)
hashable_leaves = st.one_of(
    native,
    numbers,
    moments,
    zones,
    timezones,
    st.binary(max_size=40),
    st.builds(bytes, st.integers(1000, 1100)),
    st.uuids(),
    pure_paths,
    ranges,
    st.just(...),
)
hashables = st.recursive(
    hashable_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)
    ),
    max_leaves=4,
)
leaves = st.one_of(
    hashables,
    st.binary(max_size=40).map(bytearray),
    st.just(bytearray(2000)),
    st.just(Decimal("-sNaN12")),
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Containers of every supported type that hold ``inner``."""
    items = st.lists(inner, max_size=4)
    odd = st.dictionaries(hashables, inner, max_size=3)
    return st.one_of(
        items,
        items.map(tuple),
        st.dictionaries(st.one_of(any_text, st.just("$")), inner, max_size=4),
        odd,
        odd.map(OrderedDict),
        odd.map(lambda pairs: defaultdict(None, pairs)),
        odd.map(Counter),
        st.sets(hashables, max_size=4),
        items.map(deque),
        items.map(lambda part: deque(part, maxlen=4)),
    )


values = st.recursive(leaves, containers, max_leaves=8)

# --- there and back ------------------------------------------------------------------------


def through_json(value: Any) -> Any:
    """Encode, take the tree through every JSON packer there is, decode."""
    tree, buffers = encode(value)
    text = json.dumps(tree, allow_nan=False, ensure_ascii=False).encode()
    came = decode(json.loads(text), [bytes(buffer) for buffer in buffers])
    if orjson is not None:
        assert orjson.loads(orjson.dumps(tree)) == json.loads(text)
    return came


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same in type and content, all the way down; nan is nan."""
    if type(left) is not type(right) and not isinstance(left, np.integer):  # long and long long
        return False
    match left:
        case list() | tuple() | deque():
            kept = getattr(left, "maxlen", None) == getattr(right, "maxlen", None)
            return kept and len(left) == len(right) and all(map(same, left, right))
        case dict():
            kept = getattr(left, "default_factory", None) is None
            return kept and same(list(left.items()), list(right.items()))
        case set() | frozenset():
            return sorted(map(shown, left)) == sorted(map(shown, right))
        case np.ndarray() | np.generic():
            return left.dtype == right.dtype and same_array(left, right)
        case _:
            return shown(left) == shown(right)


def same_array(left: Any, right: Any) -> bool:
    """Whether two arrays or scalars of one dtype hold the same, bit for bit."""
    if left.shape != right.shape:
        return False
    if left.dtype == object:
        return same(left.ravel().tolist(), right.ravel().tolist())
    if left.dtype.names:  # their gaps may differ
        return all(same(left[name], right[name]) for name in left.dtype.names)
    return left.tobytes() == right.tobytes()


def shown(value: Any) -> str:
    """A text that differs whenever two hashable values of one type differ in anything."""
    match value:
        case float():
            return value.hex()
        case complex():
            return f"{value.real.hex()} {value.imag.hex()}"
        case datetime() | time():
            return f"{value.replace(tzinfo=None)!r} {value.fold} {shown(value.tzinfo)}"
        case tuple() | frozenset():
            parts = [f"{type(item).__name__} {shown(item)}" for item in value]
            return repr(parts if isinstance(value, tuple) else sorted(parts))
        case int():
            return hex(value)
        case timezone():
            return f"{value.utcoffset(None)!r} {value.tzname(None)!r}"
        case PurePath() | date() | timedelta() | _:
            return repr(value)


def nested(levels: int, kind: type = list) -> Any:
    """Return ``levels`` containers in each other."""
    value: Any = kind()
    for _ in range(levels - 1):
        value = kind([value]) if kind is not dict else {"a": value}
    return value


# --- hostile -------------------------------------------------------------------------------

tags = st.sampled_from([*_UNPACKERS, "nothing", "", "$"])
_NAMES = (
    "v k b tz fold maxlen kind dtype args nulls name index columns matrices others attrs levels "
    "codes names categories ordered mask storage nan shape order offset"
)
_PLAUSIBLE = (
    "<f8 |O M8[ns] <U3 UTC ../x ff AA== python pyarrow NaT F Int64 Datetime Enum Decimal Time "
    "Null us PosixPath nan -inf"
)
names = st.sampled_from(_NAMES.split())
plausible = st.sampled_from(_PLAUSIBLE.split())
json_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 6),
    st.integers(),
    st.floats(),
    any_text,
    plausible,
)


def _nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(names, inner, max_size=5)
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(any_text, inner, max_size=3),
        st.builds(lambda tag, rest: {"$": tag, **rest}, st.one_of(tags, inner), fields),
    )


trees = st.recursive(json_leaves, _nodes, max_leaves=10)
buffers = st.lists(st.binary(max_size=200), max_size=3)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[Any]) -> tuple[Any, list[bytes]]:
    """A tree that was valid until a few of its nodes, or bytes of its buffers, were changed."""
    tree, parts = encode(draw(whole))
    tree, parts = json.loads(json.dumps(tree)), [bytearray(part) for part in parts]
    for _ in range(draw(st.integers(1, 3))):
        tree = _damage(draw, tree)
    for part in parts:
        if part and draw(st.booleans()):
            place = draw(st.integers(0, min(len(part), 160) - 1))
            part[place] = draw(st.integers(0, 255))
        if draw(st.integers(0, 9)) == 0:
            del part[draw(st.integers(0, len(part))) :]
    return tree, [bytes(part) for part in parts]


def _damage(draw: st.DrawFn, tree: Any) -> Any:
    if not isinstance(tree, (list, dict)) or not tree or draw(st.integers(0, 4)) == 0:
        return draw(st.one_of(json_leaves, trees))
    key = draw(st.sampled_from(range(len(tree)) if isinstance(tree, list) else list(tree)))
    if draw(st.integers(0, 7)) == 0:
        del tree[key]
    elif key == "$":
        tree[key] = draw(tags)
    else:
        tree[key] = _damage(draw, tree[key])
    return tree


def decodes_or_refuses(tree: Any, parts: list[bytes]) -> None:
    """Decode; anything but a value or a ProtocolError fails the test."""
    with contextlib.suppress(ProtocolError):
        decode(tree, parts)
