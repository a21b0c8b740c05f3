"""The walk outward: a value becomes a tree, its bulk bytes become buffers.

Place in the house: part of ``kernel_bootstrap.wire``, used by ``codec`` only, which states the
rules of a tree.

Most values are plain JSON already, so the walk looks at a whole list or dict at once: the set of
the types in it, and for a column of one type a check at C speed. Only what is left goes item by
item. Containers are copied before they are looked at, so that a thread that changes them
meanwhile cannot smuggle anything past the check.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from kernel_bootstrap.wire import arrays, frames, polars_frames, standard
from kernel_bootstrap.wire.decoder import Decoder
from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.parts import (
    MAX_DEPTH,
    Buffer,
    Library,
    Packed,
    Plain,
    Refused,
    TooDeep,
    step,
)

__all__ = ["Encoder"]

_MAX_INT = 2**53  # beyond it, packers that go through a double lose digits
_SCALARS = frozenset({str, int, float, bool, type(None)})
_SIMPLE_KEYS = frozenset(standard.PACKERS).union(_SCALARS) - {tuple, frozenset}
_NUMBER_SIZE = 12  # bytes of JSON, on average
_TAG_SIZE = 24
_SMALL = 8  # a column of fewer items is looked at one by one
_NOT_NATIVE = -1

# What tells, in one call of C, whether JSON keeps a scalar of this type as it is; a string that
# is not ASCII gets a second look in its own method.
_IS_ASCII = str.isascii
_CHECKS: dict[type, Callable[[Any], bool]] = {
    str: _IS_ASCII,
    int: range(-_MAX_INT, _MAX_INT + 1).__contains__,
    float: math.isfinite,
    bool: {False, True}.__contains__,
    type(None): {None}.__contains__,
}
_LIBRARIES: dict[str, Library] = {"numpy": arrays, "pandas": frames, "polars": polars_frames}

_Pack = Callable[[Any], Packed | Plain]


class Encoder:
    """One walk.

    Args:
        libraries: Which of numpy, pandas and polars the other side has; None is all of them.
        max_bytes: Refuse what is larger than about this; None is no limit.

    Attributes:
        buffers: The bulk bytes met so far.
    """

    __slots__ = ("_found", "_libraries", "_max_bytes", "_room", "buffers")

    def __init__(self, libraries: frozenset[str] | None, max_bytes: int | None) -> None:
        self.buffers: list[Buffer] = []
        self._found: dict[type, tuple[Library | None, _Pack]] = {}
        self._libraries = frozenset(_LIBRARIES) if libraries is None else libraries
        if "pandas" in self._libraries:
            self._libraries |= {"numpy"}  # pandas is built on it
        self._max_bytes = max_bytes
        self._room = math.inf if max_bytes is None else max_bytes

    def value(self, value: Any, depth: int) -> Any:
        """Return the tree of ``value``, which sits ``depth`` containers deep.

        Raises:
            Refused: It, or something in it, cannot cross.
        """
        return _METHODS.get(type(value), _PACKED)(self, value, depth)

    # --- many values -------------------------------------------------------------------

    def _is_native_column(self, items: list[Any]) -> bool:
        """Tell whether ``items`` are of one type and JSON keeps all of them, at C speed."""
        kinds = set(map(type, items))
        if kinds == {str}:
            size = _text_size("".join(items), len(items))
        elif kinds == {int}:
            low, high = min(items), max(items)
            size = len(items) * (3 + max(-low, high).bit_length() // 4)
            size = size if low >= -_MAX_INT and high <= _MAX_INT else _NOT_NATIVE
        elif kinds == {float}:
            finite = all(map(math.isfinite, items))
            size = len(items) * _NUMBER_SIZE if finite else _NOT_NATIVE
        else:
            return False
        if size >= 0:
            self._spend(size)
        return size >= 0

    def _items(self, items: list[Any], depth: int, labels: Sequence[Any] = ()) -> None:
        """Encode ``items`` in place; they belong to the walk."""
        if len(items) > _SMALL and self._is_native_column(items):
            return
        size, index = _NUMBER_SIZE * len(items), 0
        try:
            for index, item in enumerate(items):
                check = _CHECKS.get(type(item))
                if check is None or not check(item):
                    items[index] = _METHODS.get(type(item), _PACKED)(self, item, depth)
                elif check is _IS_ASCII:
                    size += len(item)
        except Refused as refused:
            refused.passed(items, step(labels[index] if labels else index))
            raise
        self._spend(size)

    # --- one value ---------------------------------------------------------------------

    def _fixed(self, value: Any, _depth: int) -> Any:
        self._spend(_NUMBER_SIZE)
        return value

    def _int(self, value: int, _depth: int) -> Any:
        self._spend(_NUMBER_SIZE + value.bit_length() // 4)
        return value if -_MAX_INT <= value <= _MAX_INT else {"$": "int", "v": f"{value:x}"}

    def _float(self, value: float, _depth: int) -> Any:
        self._spend(_NUMBER_SIZE)
        return value if math.isfinite(value) else {"$": "float", "v": str(value)}

    def _str(self, value: str, depth: int) -> Any:
        size = _text_size(value, 1)
        if size < 0:
            return {"$": "str", "v": self.value(value.encode("utf-8", "surrogatepass"), depth + 1)}
        self._spend(size)
        return value

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        self._enter(len(value), depth)
        items = value.copy()
        try:
            self._items(items, depth + 1)
        except Refused as refused:
            refused.passed(value)
            raise
        return items

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        self._enter(len(value), depth)
        tree = value.copy()
        size = _keys_size(tree)
        if size < 0:
            return self._packed(value, depth)
        key = ""
        try:
            for key, item in tree.items():  # as in _items: most of all time is spent here
                check = _CHECKS.get(type(item))
                if check is None or not check(item):
                    tree[key] = _METHODS.get(type(item), _PACKED)(self, item, depth + 1)
                elif check is _IS_ASCII:
                    size += len(item)
        except Refused as refused:
            refused.passed(value, step(key))
            raise
        self._spend(size)
        return tree

    def _packed(self, value: Any, depth: int) -> Any:
        """Encode what JSON has no word for."""
        self._enter(0, depth)
        self._spend(_TAG_SIZE)
        try:
            packed = self._packer(value)(value)
        except Refused:
            raise
        except Exception as error:  # it is the user's object: its attributes run their code
            why = f"reading it raised {type(error).__name__}"
            raise Refused.of_type(type(value), why) from error
        try:
            if isinstance(packed, Plain):
                return self.value(packed.value, depth)
            return self._tree(packed, depth + 1)
        except Refused as refused:
            refused.passed(value)
            raise

    def _tree(self, packed: Packed, depth: int) -> dict[str, Any]:
        tree: dict[str, Any] = {"$": packed.tag}
        if packed.buffers:
            tree["b"] = [self._buffer(buffer) for buffer in packed.buffers]
        for name, field in packed.fields.items():
            kinds = set(map(type, field)) if name == packed.hashed else _SIMPLE_KEYS
            try:
                if type(field) is list:  # the value's own level, not one more
                    self._items(field, depth, packed.labels if name == "v" else ())
                    tree[name] = field
                else:
                    tree[name] = self.value(field, depth)
                if not kinds <= _SIMPLE_KEYS:
                    self._check_keys(field)
            except Refused as refused:
                refused.passed(field, "" if name == "v" else f".{name}")
                raise
        return tree

    def _check_keys(self, trees: list[Any]) -> None:
        """Refuse keys that differ here and not over there, as an enum member and its value do."""
        try:
            kept = len(set(Decoder(self.buffers).items(trees, 0))) == len(trees)
        except (TypeError, ProtocolError):
            kept = False
        if not kept:
            raise Refused("keys that clash, or cannot be keys, as plain data")

    def _packer(self, value: Any) -> _Pack:
        kind = type(value)
        standard_pack = standard.PACKERS.get(kind)
        if standard_pack is not None:
            if kind in standard.SIZED:
                self._enter(len(value), 0)
            return standard_pack
        found = self._found.get(kind)
        if found is None:
            found = self._found[kind] = self._find(kind)
        library, pack = found
        # Only asked where there is a limit: it takes time for each scalar.
        if library and self._max_bytes is not None and library.nbytes(value) > self._room:
            raise self._too_large()
        return pack

    def _find(self, kind: type) -> tuple[Library | None, _Pack]:
        name = str(kind.__module__).partition(".")[0]
        library = _LIBRARIES.get(name)
        if library is not None and library.owns(kind):
            if name not in self._libraries:
                raise Refused.of_type(kind, f"the other side has no {name}")
            return library, library.pack
        pack = standard.find_plain(kind)
        if pack is None:
            raise Refused.of_type(kind)
        return None, pack

    # --- bounds ------------------------------------------------------------------------

    def _enter(self, length: int, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise TooDeep
        if 2 * length > self._room:  # before copying what is too large anyway
            raise self._too_large()

    def _spend(self, size: float) -> None:
        self._room -= size
        if self._room < 0:
            raise self._too_large()

    def _too_large(self) -> Refused:
        return Refused(f"more than {self._max_bytes} bytes")

    def _buffer(self, buffer: Buffer) -> int:
        self._spend(memoryview(buffer).nbytes)
        self.buffers.append(buffer)
        return len(self.buffers) - 1


def _text_size(text: str, count: int) -> int:
    """Return about how many bytes of JSON the ``count`` strings joined in ``text`` take."""
    if text.isascii():
        return len(text) + 4 * count
    try:
        return len(text.encode()) + 4 * count
    except UnicodeEncodeError:  # lone surrogates
        return _NOT_NATIVE


def _keys_size(tree: dict[Any, Any]) -> int:
    """Return about how many bytes of JSON a dict takes, strings in it aside, if JSON keeps it."""
    for key in tree:
        if type(key) is not str:
            return _NOT_NATIVE
    size = _text_size("".join(tree), len(tree))
    return _NOT_NATIVE if size < 0 or "$" in tree else size + _NUMBER_SIZE * len(tree)


_PACKED = Encoder._packed
_METHODS: dict[type, Callable[[Encoder, Any, int], Any]] = {
    type(None): Encoder._fixed,
    bool: Encoder._fixed,
    int: Encoder._int,
    float: Encoder._float,
    str: Encoder._str,
    list: Encoder._list,
    dict: Encoder._dict,
}
