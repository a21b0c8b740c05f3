"""The walk outward: a value becomes a tree, its bulk bytes become buffers.

Place in the house: part of ``kernel_bootstrap.wire``, used by ``codec`` only, which states the
rules of a tree.

Most values are plain JSON already and need no word of ours (``native`` tells which); what is
left is taken apart by the module that knows its type. Containers are copied before they are
looked at, so that a thread that changes them meanwhile cannot smuggle anything past the check.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from kernel_bootstrap.wire import (
    arrays,
    bundles,
    entries,
    frames,
    media,
    pieces,
    polars_frames,
    standard,
)
from kernel_bootstrap.wire.decoder import Decoder
from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.native import (
    CHECKS,
    IS_ASCII,
    MAX_INT,
    NUMBER_SIZE,
    column_size,
    keys_size,
    text_size,
)
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

_Pack = Callable[[Any], Packed | Plain]
_SIMPLE_KEYS = frozenset(standard.PACKERS).union(CHECKS) - {tuple, frozenset}
_TAG_SIZE = 24  # bytes of JSON
_BY_TYPE: dict[type, _Pack] = {
    **standard.PACKERS,
    **media.PACKERS,
    **bundles.PACKERS,
    **entries.PACKERS,
    **pieces.PACKERS,
}
_SMALL = 8  # fewer items than this are not worth a look at all of them
_LIBRARIES: dict[str, Library] = {"numpy": arrays, "pandas": frames, "polars": polars_frames}


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

    def _items(self, items: list[Any], depth: int, labels: Sequence[Any] = ()) -> None:
        """Encode ``items`` in place; they belong to the walk."""
        if len(items) > _SMALL and (size := column_size(items, self._room)) >= 0:
            self._spend(size)
            return
        size, index = NUMBER_SIZE * len(items), 0
        try:
            for index, item in enumerate(items):
                check = CHECKS.get(type(item))
                if check is None or not check(item):
                    items[index] = _METHODS.get(type(item), _PACKED)(self, item, depth)
                elif check is IS_ASCII:
                    size += len(item)
        except Refused as refused:
            refused.passed(step(labels[index] if labels else index))
            raise
        self._spend(size)

    # --- one value ---------------------------------------------------------------------

    def _fixed(self, value: Any, _depth: int) -> Any:
        self._spend(NUMBER_SIZE)
        return value

    def _int(self, value: int, depth: int) -> Any:
        self._spend(NUMBER_SIZE + value.bit_length() // 4)
        if -MAX_INT <= value <= MAX_INT:
            return value
        self._enter(depth)
        return {"$": "int", "v": f"{value:x}"}

    def _float(self, value: float, depth: int) -> Any:
        self._spend(NUMBER_SIZE)
        if math.isfinite(value):
            return value
        self._enter(depth)
        return {"$": "float", "v": str(value)}

    def _str(self, value: str, depth: int) -> Any:
        self._fit(len(value))
        size = text_size(value)
        if size < 0:
            return {"$": "str", "v": self.value(value.encode("utf-8", "surrogatepass"), depth + 1)}
        self._spend(size)
        return value

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        self._enter(depth)
        self._fit(2 * len(value))
        items = value.copy()
        try:
            self._items(items, depth + 1)
        except Refused as refused:
            refused.passed(owner=value)
            raise
        return items

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        self._enter(depth)
        self._fit(2 * len(value))
        tree = value.copy()
        size = keys_size(tree)
        if size < 0:
            return self._packed(value, depth)
        key = ""
        try:
            for key, item in tree.items():  # as in _items: most of all time is spent here
                check = CHECKS.get(type(item))
                if check is None or not check(item):
                    tree[key] = _METHODS.get(type(item), _PACKED)(self, item, depth + 1)
                elif check is IS_ASCII:
                    size += len(item)
        except Refused as refused:
            refused.passed(step(key), owner=value)
            raise
        self._spend(size)
        return tree

    def _packed(self, value: Any, depth: int) -> Any:
        """Encode what JSON has no word for."""
        self._enter(depth)
        self._spend(_TAG_SIZE)
        try:
            packed = self._packer(value)(value)
        except Refused:
            raise
        except (Exception, SystemExit) as error:  # the object's attributes may be users' code
            why = f"reading it raised {type(error).__name__}"
            raise Refused.of_type(type(value), why) from error
        try:
            if isinstance(packed, Plain):
                return self.value(packed.value, depth)
            return self._tree(packed, depth + 1)
        except Refused as refused:
            refused.passed(owner=value)
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
                refused.passed("" if name == "v" else f".{name}")
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
        standard_pack = _BY_TYPE.get(kind)
        if standard_pack is not None:
            if kind in standard.SIZED:
                self._fit(len(value))
            return standard_pack
        found = self._found.get(kind)
        if found is None:
            found = self._found[kind] = self._find(kind)
        library, pack = found
        # Only asked where there is a limit: it takes time for each scalar.
        if library and self._max_bytes is not None:
            self._fit(library.nbytes(value))
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

    def _enter(self, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise TooDeep

    def _fit(self, size: float) -> None:
        """Refuse what takes at least ``size`` bytes, before it is copied, if that is too large."""
        if size > self._room:
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
