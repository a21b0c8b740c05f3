"""Secrets in values that are more than text: sets, paths, arrays, frames, pictures.

Place in the house: values layer, below ``secrets``. A value is taken apart as the codec does for
its way to a kernel, so that whatever can cross is searched; what cannot cross is left alone. Text
is replaced; in the memory of arrays and frames, whose layout must stay, each byte of a secret.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from kernel_bootstrap.wire.codec import Buffer, decode, encode
from kernel_bootstrap.wire.errors import CodeModeError

__all__ = ["hide_in_parts", "join_pairs"]

_NUMBERS = frozenset(
    {
        *("int", "float", "complex", "range", "decimal", "fraction", "uuid", "np.scalar"),
        *("datetime", "date", "time", "timedelta", "timezone", "zoneinfo", "pd.time"),
    }
)
"""Tags of values whose texts are digits: a secret in them would be chance."""

_WHOLE = frozenset({"bytes", "bytearray", "str"})
"""Tags of values that are their buffer, so that it may change its length."""

_SHORTEST = 8
"""Shorter secrets are not looked for in memory, where numbers may look like them."""

_ENCODINGS = (("utf-8", 1), ("utf-16-le", 2), ("utf-32-le", 4), ("utf-32-be", 4))
"""How memory holds text, and the bytes of a unit of it."""

_KEYS = ("$", "b", "dtype", "order", "kind", "class")
"""Fields that say how a value is built."""


def hide_in_parts(value: Any, redact: Callable[[Any], Any], forms: Iterable[str], by: str) -> Any:
    """Return ``value`` without secrets; itself, if it holds none.

    Args:
        value: Anything.
        redact: Hides secrets in text and bytes.
        forms: The secrets, as they may be written.
        by: What stands for a value that cannot be put together without one.
    """
    try:
        tree, buffers = encode(value)
    except CodeModeError:
        return value
    hider = _Hider(redact, forms, buffers)
    hidden = hider.tree(tree)
    if hidden is tree and not hider.changed:
        return value
    try:
        return decode(hidden, hider.buffers)
    except CodeModeError:
        return by


class _Hider:
    """Goes through the parts of one value."""

    def __init__(
        self, redact: Callable[[Any], Any], forms: Iterable[str], buffers: list[Buffer]
    ) -> None:
        self._redact = redact
        self._masks = [
            (data, ("*" * (len(data) // unit)).encode(encoding))
            for form in forms
            for encoding, unit in _ENCODINGS
            if len(form) >= _SHORTEST and (data := form.encode(encoding, "surrogatepass"))
        ]
        self.buffers = list(buffers)
        self.changed = False

    def tree(self, node: Any) -> Any:
        """Return a tree without secrets; itself, if it holds none."""
        if isinstance(node, str):
            return self._redact(node)
        if isinstance(node, list):
            items = [self.tree(item) for item in node]
            return items if any(a is not b for a, b in zip(items, node, strict=True)) else node
        if not isinstance(node, dict):
            return node
        tag = node.get("$")
        if tag in _NUMBERS:
            return node
        if tag in _WHOLE and "v" in node:  # few bytes are in the tree
            data = base64.b64decode(node["v"])
            hidden = self._redact(data)
            return node if hidden is data else {**node, "v": base64.b64encode(hidden).decode()}
        for number in node.get("b", ()) if tag is not None else ():
            self._buffer(number, whole=tag in _WHOLE)
        pairs = [
            (key, item) if tag is not None and key in _KEYS else (self.tree(key), self.tree(item))
            for key, item in node.items()
        ]
        same = all(a is c and b is d for (a, b), (c, d) in zip(pairs, node.items(), strict=True))
        return node if same else join_pairs(pairs)

    def _buffer(self, number: int, *, whole: bool) -> None:
        data = self.buffers[number]
        if whole:
            hidden = self._redact(bytes(data))
            if hidden != bytes(data):
                self.buffers[number], self.changed = hidden, True
            return
        raw = bytes(memoryview(data).cast("B")) if self._masks else b""
        for mask, stars in self._masks:
            if mask in raw:
                raw = raw.replace(mask, stars)
                self.buffers[number], self.changed = raw, True


def join_pairs(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Make a dict in which keys that became the same stay apart."""
    joined: dict[Any, Any] = {}
    for key, item in pairs:
        name, count = key, 1
        while name in joined:
            count += 1
            name = f"{key} ({count})"
        joined[name] = item
    return joined
