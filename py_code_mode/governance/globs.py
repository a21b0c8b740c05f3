"""Patterns on names, tags and values.

Place in the house: bottom of ``governance``.

A pattern is a glob as shells and ``fnmatch`` know it: ``*`` is any text, dots and slashes too,
``?`` one character, ``[ab]`` one of these. Upper and lower case differ. A list of patterns
matches what any of them matches; those that begin with ``!`` take out again what they match,
wherever in the list they stand, and a list of nothing else begins with everything.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Patterns", "as_patterns", "leaves", "matches", "text_of"]

Patterns = tuple[str, ...]

_MAX_BITS = 10_000
"""Of an integer; Python does not write many more digits."""


def as_patterns(patterns: str | Iterable[str]) -> Patterns:
    """Return what was written as one pattern or several, as a tuple.

    Raises:
        TypeError: Something in it is no text.
    """
    found = (patterns,) if isinstance(patterns, str) else tuple(patterns)
    for pattern in found:
        if not isinstance(pattern, str):
            raise TypeError(f"a pattern is text, not {pattern!r:.80}")
    return found


def matches(patterns: Patterns, text: str) -> bool:
    """Tell whether a list of patterns matches a text."""
    wanted, unwanted = _compiled(patterns)
    return wanted(text) is not None and (unwanted is None or unwanted(text) is None)


@functools.lru_cache(maxsize=1_000)
def _compiled(patterns: Patterns) -> tuple[Any, Any]:
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if unwanted and not wanted:
        wanted = ["*"]
    return _any_of(wanted), _any_of(unwanted) if unwanted else None


def _any_of(patterns: list[str]) -> Any:
    # Without patterns: what matches nothing.
    return re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)").match


def leaves(value: Any) -> Iterator[Any]:
    """Yield a value, or all there is in it when it is a list, a mapping or the like.

    What is empty or None yields nothing: most tools take it as not given.
    """
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting.extend(value.keys())
            waiting.extend(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            waiting.extend(value)
        elif value is not None:
            yield value


def text_of(value: Any) -> str:
    """Return a value as patterns see it: as YAML would write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return hex(value)
    return str(value)
