"""The walk inward: a tree and its buffers become a value, or a ``ProtocolError``.

Place in the house: part of ``kernel_bootstrap.wire``, used by ``codec``, which states the rules
of a tree. The input may be hostile: what a tag needs is checked by its unpacker, and whatever
the unpacker raises becomes a ``ProtocolError`` here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernel_bootstrap.wire import arrays, bundles, frames, media, pieces, polars_frames, standard
from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.parts import MAX_DEPTH, Buffer, Unpack, well_formed

__all__ = ["Decoder"]

_SCALARS = frozenset({str, int, float, bool, type(None)})
_UNPACKERS: dict[str, Unpack] = {
    **standard.UNPACKERS,
    **arrays.UNPACKERS,
    **frames.UNPACKERS,
    **polars_frames.UNPACKERS,
    **media.UNPACKERS,
    **bundles.UNPACKERS,
    **pieces.UNPACKERS,
}


class Decoder:
    """One walk.

    Args:
        buffers: The buffers that came with the tree.
    """

    __slots__ = ("_buffers", "_taken")

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        self._buffers = buffers
        self._taken: set[int] = set()

    def value(self, tree: Any, depth: int) -> Any:
        """Return the value of ``tree``, which sits ``depth`` containers deep.

        Raises:
            ProtocolError: The tree is malformed.
        """
        kind = type(tree)
        if kind in _SCALARS:
            return tree
        if depth >= MAX_DEPTH:
            raise ProtocolError(f"value nested deeper than {MAX_DEPTH} levels")
        if kind is list:
            return self.items(tree, depth + 1)
        if kind is not dict:
            raise ProtocolError(f"{kind.__name__} is no JSON type")
        if "$" in tree:
            return self._tagged(tree, depth + 1)
        values: dict[str, Any] = tree.copy()
        if not set(map(type, values.values())) <= _SCALARS:
            for key, item in values.items():
                if type(item) not in _SCALARS:
                    values[key] = self.value(item, depth + 1)
        return values

    def items(self, trees: list[Any], depth: int) -> list[Any]:
        """Return the values of ``trees`` in a new list."""
        items = trees.copy()
        if not set(map(type, items)) <= _SCALARS:
            for index, item in enumerate(items):
                if type(item) not in _SCALARS:
                    items[index] = self.value(item, depth)
        return items

    def _tagged(self, tree: dict[str, Any], depth: int) -> Any:
        tag = tree["$"]
        unpack = _UNPACKERS.get(tag) if type(tag) is str else None
        if unpack is None:
            raise ProtocolError("unknown tag" + (f" {tag[:40]!r}" if type(tag) is str else ""))
        fields: dict[str, Any] = {}
        for name, field in tree.items():
            if name == "b":
                fields["b"] = self._take(field)
            elif name != "$":
                is_list = type(field) is list  # the value's own level, not one more
                fields[name] = self.items(field, depth) if is_list else self.value(field, depth)
        try:
            return unpack(fields)
        except ProtocolError:
            raise
        except ImportError as error:
            raise ProtocolError(f"this side cannot read a {tag}: {error}") from error
        except Exception as error:
            raise ProtocolError(f"malformed {tag}: {_said(error)}") from error

    def _take(self, numbers: Any) -> list[memoryview]:
        """Return the buffers of these numbers; nobody else gets them."""
        if type(numbers) is not list:
            raise ProtocolError("buffer numbers must be an array")
        views = []
        for number in numbers:
            if type(number) is not int or not 0 <= number < len(self._buffers):
                raise ProtocolError("there is no buffer of that number")
            # Else a short tree could name a long buffer a million times, and each is a copy.
            if number in self._taken:
                raise ProtocolError(f"buffer {number} is used twice")
            self._taken.add(number)
            try:
                views.append(memoryview(self._buffers[number]).cast("B"))
            except (TypeError, ValueError) as error:
                raise ProtocolError(f"buffer {number} is not a run of bytes") from error
        return views


def _said(error: Exception) -> str:
    return well_formed(f"{type(error).__name__}: {error}"[:300])
