"""Types of declared parameters: what a value may be, and the text it becomes.

Place in the house: ``tools.cli``, below ``params``. A value is taken generously (``"5"`` for an
integer), written strictly (always ``5``), and refused with what would be right.

==========  ===============================  =============================================
type        takes                            written as
==========  ===============================  =============================================
string      text, numbers                    it is
integer     whole numbers, also as text      digits
number      finite numbers, also as text     Python writes it
boolean     true, false, 0, 1, also as text  ``true`` or ``false``
enum        one of ``choices``               the choice
path        text                             it is, with ``./`` where it could be something else
list        a list, or one item              its items
==========  ===============================  =============================================
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import ToolCallError
from py_code_mode.tools.cli.texts import as_text
from py_code_mode.tools.names import listed, unknown

__all__ = ["MAX_MATCHED", "TYPES", "Kind", "check_pattern"]

MAX_MATCHED = 1_000
"""Characters of a value that has a pattern: a pattern's time may grow with their square."""

_MOST_CHOICES = 30  # that an annotation writes out
_SHOWN = 80

_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,4000}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,5})?")
_BOOLEANS = {"true": "true", "false": "false", "1": "true", "0": "false"}


def _string(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return as_text("", value) if is_number else None


def _integer(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = _string(value)
    return str(int(text)) if text is not None and _INTEGER.fullmatch(text) else None


def _number(value: Any) -> str | None:
    text = _string(value)
    if text is None or not _NUMBER.fullmatch(text):
        return None
    if _INTEGER.fullmatch(text):
        return str(int(text))
    return repr(float(text)) if math.isfinite(float(text)) else None


def _boolean(value: Any) -> str | None:
    if isinstance(value, str):
        return _BOOLEANS.get(value.lower())
    is_known = isinstance(value, int) and value in (0, 1)  # bool is an int
    return ("true" if value else "false") if is_known else None


def _path(value: Any) -> str | None:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class _Type:
    """What is known of a type: its annotation, JSON schema, name in messages, and conversion."""

    annotation: str
    schema: str
    wanted: str
    convert: Callable[[Any], str | None]


TYPES = {
    "string": _Type("str", "string", "text", _string),
    "integer": _Type("int", "integer", "a whole number", _integer),
    "number": _Type("float", "number", "a number", _number),
    "boolean": _Type("bool", "boolean", "true or false", _boolean),
    "enum": _Type("str", "string", "one of its choices", _string),
    "path": _Type("str", "string", "a path", _path),
    "list": _Type("list[str]", "array", "a list", _string),
}
"""The types a tool file may name."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a parameter's values, or of the items of its lists.

    Attributes:
        type: One of ``TYPES``.
        choices: The values there are, if only those.
        pattern: What the text must match as a whole.
        items: The type of a list's items.
        outside: Whether a path may lead out of the working directory.
    """

    type: str
    choices: tuple[str | int | float, ...] = ()
    pattern: re.Pattern[str] | None = None
    items: Kind | None = None
    outside: bool = False

    @property
    def annotation(self) -> str:
        """The Python type, as source."""
        if self.items is not None:
            return f"list[{self.items.annotation}]"
        if 0 < len(self.choices) <= _MOST_CHOICES:
            return f"Literal[{', '.join(map(repr, self.choices))}]"
        return TYPES[self.type].annotation

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON schema."""
        schema: dict[str, Any] = {"type": TYPES[self.type].schema}
        if self.items is not None:
            schema["items"] = self.items.schema
        if self.choices:
            schema = {"enum": list(self.choices)}
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern.pattern})$"
        return schema

    @property
    def is_owners(self) -> bool:
        """Whether every value is a text of the tool file."""
        return bool(self.choices) or (self.items is not None and self.items.is_owners)

    def texts(self, name: str, value: Any, folder: str) -> str | list[str]:
        """Check a value and write it as text, a list as one text an item.

        Args:
            name: The argument, for messages.
            value: Anything.
            folder: The working directory.

        Raises:
            ToolCallError: It is none of these values; the message says which would be.
        """
        if self.items is None:
            return self._text(name, value, folder)
        if not isinstance(value, list | tuple):
            return [self.items._text(name, value, folder)]
        return [
            self.items._text(f"{name}[{index}]", item, folder) for index, item in enumerate(value)
        ]

    def _text(self, name: str, value: Any, folder: str) -> str:
        try:
            text = TYPES[self.type].convert(value)
        except ToolCallError:  # an int with more digits than Python writes
            text = None
        if text is None:
            wanted = self._wanted()
            raise ToolCallError(f"argument {name!r} must be {wanted}, not {_shown(value)}")
        if self.choices and text not in map(str, self.choices):
            near = unknown("choice", text, map(str, self.choices))
            raise ToolCallError(f"argument {name!r} must be {self._wanted()}: {near}")
        check_pattern(name, text, self.pattern)
        return _as_path(name, text, folder, self.outside) if self.type == "path" else text

    def _wanted(self) -> str:
        if not self.choices:
            return TYPES[self.type].wanted
        more = ", ..." if len(self.choices) > _MOST_CHOICES else ""
        return f"one of {listed(map(str, self.choices[:_MOST_CHOICES]))}{more}"


def check_pattern(name: str, text: str, pattern: re.Pattern[str] | None) -> None:
    """Refuse a text that a pattern does not match as a whole.

    Raises:
        ToolCallError: It does not, or is too long to be tried.
    """
    if pattern is None:
        return
    if len(text) > MAX_MATCHED:
        raise ToolCallError(
            f"argument {name!r} has {len(text)} characters; it may have {MAX_MATCHED}"
        )
    if not pattern.fullmatch(text):
        raise ToolCallError(
            f"argument {name!r} must match {pattern.pattern!r} as a whole, {_shown(text)} does not"
        )


def _as_path(name: str, text: str, folder: str, outside: bool) -> str:  # noqa: FBT001 - a setting
    """Return a path that can be nothing else, and that stays where it should."""
    if "\0" in text:
        raise ToolCallError(f"argument {name!r} holds a NUL character, which no path can")
    if not outside:
        try:
            base = os.path.realpath(folder)
            full = os.path.realpath(os.path.join(folder, text))  # noqa: PTH118 - keeps '..' behind links
        except (OSError, ValueError) as error:  # too long, half a surrogate pair
            raise ToolCallError(f"argument {name!r} is no path: {error}") from None
        if os.path.commonpath([base, full]) != base:
            raise ToolCallError(
                f"argument {name!r} must stay below the working directory of the command, "
                f"{_shown(text)} does not"
            )
    # An option, a URL, a remote `host:path`, curl's `@file`: programs see more than files.
    is_plain = (text[0].isalnum() or text[0] in "._/") and ":" not in text
    return text if is_plain or text.startswith(("/", "./", "../")) else f"./{text}"


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, str):
        return repr(value[:_SHOWN]) + ("..." if len(value) > _SHOWN else "")
    if isinstance(value, int):
        return repr(value) if value.bit_length() < _SHOWN else "a much larger number"
    return f"a {type(value).__name__}"
