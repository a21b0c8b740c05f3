"""What a command reads on its standard input.

Place in the house: ``tools.cli``, beside ``argv``. Nothing here is an argument: a text may hold
anything and be of any length.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import ToolCallError
from py_code_mode.tools.cli.argv import Slot, Token, parse_token
from py_code_mode.tools.cli.texts import Given, as_text
from py_code_mode.tools.names import listed

__all__ = ["INPUT_TYPE", "Feed", "as_input"]

INPUT_TYPE = "str | bytes | list[Any] | dict[str, Any]"
"""Annotation of a placeholder that is input alone and has no declared type."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The ``stdin`` of a tool file: text and placeholders.

    Attributes:
        token: It, parsed.
        names: Its placeholders.
    """

    token: Token
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Feed:
        """Read what ``stdin`` says.

        Raises:
            ConfigError: A brace is not closed, or a placeholder is no identifier.
        """
        token = parse_token(text, "stdin") if text else ()
        return cls(token, tuple(part.name for part in token if isinstance(part, Slot)))

    def fill(self, values: Mapping[str, bytes]) -> bytes:
        """Return the input; nothing when none of its values was given.

        Raises:
            ToolCallError: Only some of them were given.
        """
        missing = [name for name in self.names if name not in values]
        if missing and values:
            name = next(iter(values))
            raise ToolCallError(f"argument {name!r} needs {listed(missing)} too: one input")
        if missing:
            return b""
        parts = (values[p.name] if isinstance(p, Slot) else p.encode() for p in self.token)
        return b"".join(parts)


def as_input(name: str, value: Any) -> bytes:
    """Write a value as input: text and bytes as they are, lists and dicts as JSON.

    A list of a declared type comes as ``Given``; its items become lines.

    Raises:
        ToolCallError: It cannot be written.
    """
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, Given):
        value = value.texts if isinstance(value.texts, str) else "".join(map(_line, value.texts))
    try:
        if isinstance(value, str | int | float):
            text = value if isinstance(value, str) else as_text(name, value)
        else:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "surrogateescape")
    except (TypeError, ValueError, RecursionError) as error:
        kind = type(value).__name__
        text = f"argument {name!r}, {kind}, cannot be written as input: {error}"
        raise ToolCallError(text) from None


def _line(text: str) -> str:
    return f"{text}\n"
