"""Choices out of bytes: the fuzzer changes bytes, and with them how real data is changed.

Place in the house: bottom of ``tests.fuzz``. What is read beyond the end of the bytes is zero, and
zero changes nothing or little: so a longer input does more.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = ["Draw", "further_down", "now_and_then"]

_Item = TypeVar("_Item")

_MARK = '"@deep@"'
_DEEP = ('{"a":[' * 60 + "1" + "]}" * 60, "[" * 120 + "]" * 120, _MARK)
_DEEPEST = 24
"""Places further in are not changed."""

_LEAVES = (
    *("null", "true", "false", "0", "1", "-1", "2", "3", "255", "256", "2147483648", "1e999"),
    *("4611686018427387904", "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    *("NaN", "-Infinity", "0.5", "1e308", "5e-324", "-0.0", '""', "[]", "{}", "[[]]", "[{}]"),
    *('"\\ud800"', '"\\u0000"', '"a\\r\\b\\n"', '"\\u001b[31m"', '"\\u202e"', '"text/html"'),
    *("1" + "0" * 300, "9" * 4200, json.dumps("x" * 3000), json.dumps([1] * 400), *_DEEP),
)
"""What no honest side would send in most places, as JSON text."""


class Draw:
    """Reads choices from an input.

    Args:
        data: The input.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Return the next byte."""
        at = self._at
        self._at = at + 1
        return self._data[at] if at < len(self._data) else 0

    def below(self, end: int) -> int:
        """Return a number from 0 on, below ``end``."""
        number = self.byte()
        if end > 256:
            number = number << 8 | self.byte()
        return number % end

    def pick(self, items: Sequence[_Item]) -> _Item:
        """Return one of some items."""
        return items[self.below(len(items))]

    def bytes(self, most: int = 64) -> bytes:
        """Return some of the bytes that come."""
        size = self.below(most + 1)
        found = self._data[self._at : self._at + size]
        self._at += size
        return found

    def rest(self) -> bytes:
        """Return all bytes that are left."""
        found = self._data[self._at :]
        self._at = len(self._data)
        return found

    def text(self, most: int = 64) -> str:
        """Return text; what is no UTF-8 becomes lone surrogates."""
        return self.bytes(most).decode("utf-8", "surrogateescape")

    def leaf(self, words: Sequence[str]) -> Any:
        """Return a JSON value to put in a place: odd ones, known words, any text."""
        kind = self.below(3)
        if kind == 0:
            return json.loads(self.pick(_LEAVES))
        return self.pick(words) if kind == 1 else self.text()

    def changed(self, tree: Any, words: Sequence[str], others: Sequence[str] = ()) -> Any:
        """Change a few places of JSON data; what is given is used up.

        Args:
            tree: The data.
            words: Names and values that mean something in it.
            others: JSON texts of whole data that may be put in a place.
        """
        for _ in range(self.below(5)):
            tree = self._changed(tree, words, others)
        return tree

    def _changed(
        self, tree: Any, words: Sequence[str], others: Sequence[str], depth: int = 0
    ) -> Any:
        inner = isinstance(tree, dict | list) and tree and depth < _DEEPEST
        if not inner or self.below(8) == 7:
            return self._new(tree, words, others)
        what = self.below(16)
        if isinstance(tree, dict):
            key: Any = self.pick([*tree])
            if what == 15:
                tree[self.pick(words)] = tree.pop(key)
                return tree
            if what == 14:
                tree[self.pick(words)] = self._new(tree[key], words, others)
                return tree
        else:
            key = self.below(len(tree))
            if what == 15:
                tree += tree[key:]
                return tree
        if what == 13:
            del tree[key]
        else:
            tree[key] = self._changed(tree[key], words, others, depth + 1)
        return tree

    def _new(self, old: Any, words: Sequence[str], others: Sequence[str]) -> Any:
        """Return what comes in the place of ``old``."""
        how = self.below(8)
        if how == 1:
            return [old]
        if how == 2:
            return {self.pick(words): old}
        if how == 3 and others:
            return json.loads(self.pick(others))
        if how == 4 and isinstance(old, str):
            at = self.below(len(old) + 1)
            return old[:at] + self.text() + old[at + self.below(4) :]
        if how == 5 and isinstance(old, str):
            return old + self.pick(words)
        return self.leaf(words)

    def dumped(self, tree: Any) -> bytes:
        """Return data as JSON, in places nested as deep as it can be read, and a little deeper."""
        text = json.dumps(tree)
        if _MARK in text:
            levels = 800 + self.below(200)
            text = text.replace(_MARK, '{"a":' * levels + "1" + "}" * levels)
        return text.encode()

    def damaged(self, data: bytes) -> bytes:
        """Change a few bytes, cut, or put something in between."""
        for _ in range(self.below(4)):
            at = self.below(min(len(data), 60_000) + 1)
            how = self.below(4)
            if how == 0:
                data = data[:at] + self.bytes(8) + data[at + 1 :]
            elif how == 1:
                data = data[:at]
            elif how == 2:
                data = data[:at] + self.bytes() + data[at:]
            else:
                data = data[:at] + data[at + self.below(32) :]
        return data

    def spliced(self, text: str, pieces: Sequence[str]) -> str:
        """Put pieces, and other text, into places of a text; take some of it away."""
        for _ in range(self.below(6)):
            at = self.below(len(text) + 1)
            how = self.below(5)
            if how == 0:
                text = text[:at] + self.pick(pieces) + text[at:]
            elif how == 1:
                text = text[:at] + self.text(16) + text[at + self.below(8) :]
            elif how == 2:
                text = text[:at] + text[at + self.below(64) :]
            elif how == 3:
                end = at + self.below(64)
                text = text[:end] + text[at:end] + text[end:]
            else:
                text = text[:at] + self.pick(pieces) + text[at + self.below(32) :]
        return text


def further_down(call: Callable[[], None], frames: int = 60) -> None:
    """Call something as far down on the stack as a session's loop does.

    JSON is read near the top of the stack: what is nested as deep as that allows meets the end of
    the stack in whatever recurses further down.
    """
    if frames:
        further_down(call, frames - 1)
    else:
        call()


def now_and_then(data: bytes, every: int) -> bool:
    """Whether an input is one of those for which a check is made that takes long.

    It is the same for the same input, and nothing that the fuzzer could learn.
    """
    return zlib.crc32(data) % every == 1  # not 0, which is that of no bytes
