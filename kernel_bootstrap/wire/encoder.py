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
from collections.abc import Callable, Collection, Sequence
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
_STR = frozenset({str})
_SIMPLE_KEYS = frozenset(standard.PACKERS).union(_SCALARS) - {tuple, frozenset}
_NUMBER_SIZE = 12  # bytes of JSON, on average
_TAG_SIZE = 24
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

    # --- whole columns -----------------------------------------------------------------

    def _are_native(self, values: Collection[Any], kinds: set[type]) -> bool:
        """Tell whether JSON keeps all of ``values``, whose types are ``kinds``."""
        if not kinds <= _SCALARS:
            return False
        room = self._room
        if kinds == _STR:
            kept = self._is_text("".join(values), len(values))
        elif len(values) > 1 and kinds == {int}:
            top = max(-min(values), max(values))
            self._spend(len(values) * (3 + top.bit_length() // 4))
            kept = top <= _MAX_INT
        elif len(values) > 1 and kinds == {float}:
            self._spend(len(values) * _NUMBER_SIZE)
            kept = all(map(math.isfinite, values))
        else:
            kept = self._is_native_mix(values)
        if not kept:
            self._room = room  # the walk item by item counts again
        return kept

    def _is_native_mix(self, values: Collection[Any]) -> bool:
        self._spend(len(values) * _NUMBER_SIZE)
        for value in values:
            kind = type(value)
            if kind is str:
                if not self._is_text(value, 0):
                    return False
            elif kind is int:
                if not -_MAX_INT <= value <= _MAX_INT:
                    return False
            elif kind is float and value - value != 0.0:  # noqa: PLR0124 - nan and infinities
                return False
        return True

    def _is_text(self, text: str, count: int) -> bool:
        """Tell whether ``text``, which is ``count`` strings in one, has no lone surrogates."""
        size = len(text)
        if not text.isascii():
            try:
                size = len(text.encode())
            except UnicodeEncodeError:
                return False
        self._spend(size + 4 * count)
        return True

    def _items(self, items: list[Any], depth: int, labels: Sequence[Any] | None = None) -> None:
        """Encode ``items`` in place; they belong to the walk."""
        if self._are_native(items, set(map(type, items))):
            return
        index = 0
        try:
            for index, item in enumerate(items):
                items[index] = _METHODS.get(type(item), _PACKED)(self, item, depth)
        except Refused as refused:
            refused.passed(items, step(labels[index] if labels else index))
            raise

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
        if self._is_text(value, 1):
            return value
        return {"$": "str", "v": self.value(value.encode("utf-8", "surrogatepass"), depth + 1)}

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        self._enter(len(value), depth)
        items = value.copy()
        try:
            self._items(items, depth + 1)
        except Refused as refused:
            refused.passed(value)
            raise
        return items

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        self._enter(len(value), depth)
        tree = value.copy()
        native_keys = set(map(type, tree)) <= _STR and "$" not in tree
        if not native_keys or not self._is_text("".join(tree), len(tree)):
            return self._packed(value, depth)
        values, key = tree.values(), ""
        if self._are_native(values, set(map(type, values))):
            return tree
        try:
            for key, item in tree.items():
                tree[key] = _METHODS.get(type(item), _PACKED)(self, item, depth + 1)
        except Refused as refused:
            refused.passed(value, step(key))
            raise
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
                    self._items(field, depth, packed.labels if name == "v" else None)
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
        if library is not None and self._max_bytes is not None:
            self._check_room(library.nbytes(value))
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
        self._check_room(2 * length)  # before copying what is too large anyway

    def _check_room(self, size: float) -> None:
        if size > self._room:
            raise Refused(f"more than {self._max_bytes} bytes")

    def _spend(self, size: float) -> None:
        self._check_room(size)
        self._room -= size

    def _buffer(self, buffer: Buffer) -> int:
        self._spend(memoryview(buffer).nbytes)
        self.buffers.append(buffer)
        return len(self.buffers) - 1


_PACKED = Encoder._packed  # noqa: SLF001 - this class's own table
_METHODS: dict[type, Callable[[Encoder, Any, int], Any]] = {
    type(None): Encoder._fixed,  # noqa: SLF001
    bool: Encoder._fixed,  # noqa: SLF001
    int: Encoder._int,  # noqa: SLF001
    float: Encoder._float,  # noqa: SLF001
    str: Encoder._str,  # noqa: SLF001
    list: Encoder._list,  # noqa: SLF001
    dict: Encoder._dict,  # noqa: SLF001
}
