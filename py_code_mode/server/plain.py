"""Any value as plain JSON data, for those who do not read the codec's form.

Place in the house: bottom of ``server``.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

__all__ = ["plain"]

_MAX_DEPTH = 64
_MAX_INT_BITS = 2_000
"""What every reader of JSON in Python takes, whatever its limit of digits is set to."""


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON data; what is none, inside of lists and dicts too, as its repr."""
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if value.bit_length() <= _MAX_INT_BITS else hex(value)
    if type(value) is float:
        return value if isfinite(value) else repr(value)
    if depth < _MAX_DEPTH:
        if type(value) in (list, tuple):
            return [plain(item, depth + 1) for item in value]
        if type(value) is dict and all(type(key) is str for key in value):
            return {key: plain(item, depth + 1) for key, item in value.items()}
    try:
        return repr(value)
    except (ValueError, RecursionError) as error:  # an integer too long for its digits
        return f"<{type(value).__name__}: {error}>"
