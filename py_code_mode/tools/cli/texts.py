"""Values as the texts that become arguments.

Place in the house: ``tools.cli``, below ``argv`` and ``params``.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import ToolCallError

__all__ = ["SPLIT_NAMES", "Given", "as_argument", "as_text", "give"]

SPLIT_NAMES = frozenset({"args", "flags", "options"})
"""Placeholders whose string is several arguments, unless the tool file declares a type."""

_MAX_SPLIT = 128 * 1024  # bytes Linux takes as one argument; shlex needs a second for a megabyte


@dataclass(frozen=True, slots=True)
class Given:
    """A value that was given, as text.

    Attributes:
        texts: One text, or one for each item of a list.
        is_free: Whether it may begin with ``-`` where that would be an option.
        is_split: Whether its text, where it stands alone, is split as a shell would.
    """

    texts: str | list[str]
    is_free: bool = False
    is_split: bool = False

    def alone(self, name: str) -> list[str]:
        """Return the arguments it is where nothing else stands in its token."""
        if isinstance(self.texts, list):
            return self.texts
        return _split(name, self.texts) if self.is_split else [self.texts]


def give(name: str, value: Any, *, is_free: bool) -> Given | None:
    """Take a value of no declared type; None if it is as good as not given.

    Raises:
        ToolCallError: It cannot be an argument.
    """
    if value is None:
        return None
    is_split = name in SPLIT_NAMES
    if isinstance(value, list | tuple):
        texts = [_text(f"{name}[{index}]", item) for index, item in enumerate(value)]
        return Given(texts, is_free or is_split) if texts else None
    return Given(_text(name, value), is_free or is_split, is_split)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str | int | float):  # bool is an int
        raise ToolCallError(
            f"argument {name!r} must be str, int, float, bool or a list of those, "
            f"not {type(value).__name__}"
        )
    return as_argument(name, as_text(name, value))


def as_text(name: str, value: str | float) -> str:
    """Write a value: ``true`` and ``false``, numbers as Python writes them.

    Raises:
        ToolCallError: It is a number too large to be written.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value)
    except ValueError as error:  # an int of more than 4300 digits
        raise ToolCallError(_unwritable(name, error)) from None


def as_argument(name: str, text: str) -> str:
    """Return a text that can be an argument.

    Raises:
        ToolCallError: It holds what no argument can.
    """
    try:
        os.fsencode(text)
    except ValueError as error:  # half a surrogate pair
        raise ToolCallError(_unwritable(name, error)) from None
    if "\0" in text:
        raise ToolCallError(f"argument {name!r} holds a NUL character, which no argument can")
    return text


def _unwritable(name: str, error: ValueError) -> str:
    return f"argument {name!r} cannot be written as an argument: {error}"


def _split(name: str, value: str) -> list[str]:
    if len(value) > _MAX_SPLIT:
        raise ToolCallError(f"argument {name!r} has {len(value)} characters; pass it as a list")
    try:
        return shlex.split(value)
    except ValueError as error:
        reason = str(error).lower()
        raise ToolCallError(f"argument {name!r}: {reason} in {value[:80]!r}; pass a list") from None
