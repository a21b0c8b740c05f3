"""What JSON keeps as it is, and about how many bytes it takes.

Place in the house: part of ``kernel_bootstrap.wire``, used by ``encoder`` only.

Most of what is sent is plain already, so most of the time is spent finding that out. Hence
these functions ask as much as they can in one call of C.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = [
    "CHECKS",
    "IS_ASCII",
    "MAX_INT",
    "NUMBER_SIZE",
    "column_size",
    "keys_size",
    "text_size",
]

MAX_INT = 2**53
"""Beyond it, packers that go through a double lose digits."""

NUMBER_SIZE = 12
"""Bytes of JSON that a scalar takes on average, strings aside."""

IS_ASCII = str.isascii

CHECKS: dict[type, Callable[[Any], bool]] = {
    str: IS_ASCII,
    int: range(-MAX_INT, MAX_INT + 1).__contains__,
    float: math.isfinite,
    bool: {False, True}.__contains__,
    type(None): {None}.__contains__,
}
"""Whether JSON keeps a scalar of this type; a string that is not ASCII deserves a second look."""

_NO = -1  # the size of what JSON does not keep


def text_size(text: str, count: int = 1) -> int:
    """Return the size of ``text``, which is ``count`` strings joined; -1 if it is malformed."""
    if text.isascii():
        return len(text) + 4 * count
    try:
        return len(text.encode()) + 4 * count
    except UnicodeEncodeError:  # lone surrogates
        return _NO


def keys_size(tree: dict[Any, Any]) -> int:
    """Return the size of a dict without the strings among its values; -1 if its keys forbid it."""
    for key in tree:
        if type(key) is not str:
            return _NO
    size = text_size("".join(tree), len(tree))
    return _NO if size < 0 or "$" in tree else size + NUMBER_SIZE * len(tree)


def column_size(items: list[Any], room: float) -> int:
    """Return the size of ``items`` if they are of one type and JSON keeps them all, else -1.

    A size above ``room`` may be a lower bound.
    """
    kinds = set(map(type, items))
    if kinds == {str}:
        size = sum(map(len, items))
        # One long string many times is small here and huge when joined.
        return size if size > room else text_size("".join(items), len(items))
    if kinds == {int}:
        low, high = min(items), max(items)
        size = len(items) * (3 + max(-low, high).bit_length() // 4)
        return size if low >= -MAX_INT and high <= MAX_INT else _NO
    if kinds == {float}:
        return len(items) * NUMBER_SIZE if all(map(math.isfinite, items)) else _NO
    return _NO
