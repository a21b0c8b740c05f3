"""From the ``args`` of a tool file and an agent's arguments to an argument vector.

Place in the house: ``tools``; used by the CLI adapter, knows neither files nor processes.

No shell ever sees a value. The template is split once, like a shell would, into tokens; then
only the tokens' placeholders are filled in. The rules, each of which is a test:

- A value is one argument, whatever is in it: blanks, quotes, ``;``, ``$()``, newlines.
- A placeholder that was not given (or is None, or an empty list) drops out together with the
  token it stands in. A value that would be lost by that is an error.
- A list becomes several arguments; in a token with more than the placeholder (``--port={port}``)
  it becomes one token an item.
- A string for a placeholder called ``flags``, ``args`` or ``options`` is split like a shell would.
- Any other value that begins with ``-`` would be read as an option and is refused, unless
  the tool file lists its placeholder under ``allow_options``. Inside a token that begins with
  other text (``-p{port}``) it cannot be an option.
- ``true`` and ``false`` are written so, numbers as Python writes them; other types are refused.
- ``{{`` and ``}}`` in the template are braces.
"""

from __future__ import annotations

import keyword
import os
import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import ConfigError, ToolCallError
from py_code_mode.tools.base import ToolParam
from py_code_mode.tools.names import listed, unknown

__all__ = ["SPLIT_NAMES", "Template"]

SPLIT_NAMES = frozenset({"args", "flags", "options"})
"""Placeholders whose string is several arguments."""

_MAX_SPLIT = 128 * 1024  # bytes Linux takes as one argument; shlex needs a second for a megabyte
_SPLIT_TYPE = "str | list[str]"
_PLAIN_TYPE = "str | int | float | list[str]"
_PARTS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class _Slot:
    """A placeholder's place in a token."""

    name: str


_Token = tuple[str | _Slot, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """The ``args`` of a tool file, parsed.

    Attributes:
        tokens: One for each argument, each a row of literal text and placeholders.
        names: The placeholders in order of appearance.
        free: Placeholders whose plain values may begin with ``-``.
    """

    tokens: tuple[_Token, ...]
    names: tuple[str, ...]
    free: frozenset[str]

    @classmethod
    def parse(cls, args: str, allow_options: bool | Collection[str] = ()) -> Template:  # noqa: FBT001 - as in the file
        """Read a template.

        Args:
            args: E.g. ``"{flags} --port={port} {target}"``.
            allow_options: Placeholders whose plain values may begin with ``-``; True for all.

        Raises:
            ConfigError: A quote or brace is not closed, a placeholder is no identifier, or
                ``allow_options`` names one that is not there.
        """
        try:
            words = shlex.split(args)
        except ValueError as error:
            reason = str(error).lower()
            raise ConfigError(f"{reason} in {args!r}; quote as in a shell", key="args") from None
        tokens = tuple(_parse_token(word) for word in words)
        names = tuple(dict.fromkeys(name for token in tokens for name in _names(token)))
        if isinstance(allow_options, bool):
            allow_options = names if allow_options else ()
        for name in allow_options:
            if name not in names:
                text = f"{unknown('placeholder', name, names)}; args has {listed(names)}"
                raise ConfigError(text, key="allow_options")
        return cls(tokens, names, SPLIT_NAMES.union(allow_options).intersection(names))

    def params(self) -> tuple[ToolParam, ...]:
        """Describe the placeholders as parameters; none of them must be given."""
        return tuple(
            ToolParam(name, _SPLIT_TYPE if name in SPLIT_NAMES else _PLAIN_TYPE)
            for name in self.names
        )

    def build(self, arguments: Mapping[str, Any]) -> list[str]:
        """Fill the template in.

        Args:
            arguments: Values by placeholder.

        Returns:
            The arguments, without the command itself.

        Raises:
            ToolCallError: A name is unknown, or a value cannot be an argument.
        """
        values: dict[str, _Value] = {}
        for name, value in arguments.items():
            if name not in self.names:
                raise ToolCallError(
                    f"{unknown('argument', name, self.names)}; it takes {listed(self.names)}"
                )
            if value is not None and (text := _value(name, value)) != []:
                values[name] = text
        argv: list[str] = []
        used: set[str] = set()
        for token in self.tokens:
            names = _names(token)
            if all(name in values for name in names):
                used.update(names)
                argv.extend(self._fill(token, names, values))
        if lost := sorted(values.keys() - used):
            raise ToolCallError(self._explain_lost(lost[0], values))
        return argv

    def _fill(self, token: _Token, names: list[str], values: Mapping[str, _Value]) -> list[str]:
        """Return the arguments one token becomes."""
        texts = _expand(token, values)
        if token and isinstance(token[0], _Slot) and not self.free.issuperset(names):
            for text in texts:
                if text.startswith("-"):
                    raise ToolCallError(self._explain_option(token[0].name, text))
        return texts

    def _explain_option(self, name: str, text: str) -> str:
        ways = [f"pass options in {other!r}" for other in self.names if other in SPLIT_NAMES]
        ways.append(f"a tool file may list {name!r} under allow_options")
        return (
            f"argument {name!r} must not begin with '-', {text[:80]!r} would be read as an option; "
            + ", or ".join(ways)
        )

    def _explain_lost(self, name: str, values: Mapping[str, _Value]) -> str:
        token = next(token for token in self.tokens if name in _names(token))
        text = "".join(part if isinstance(part, str) else f"{{{part.name}}}" for part in token)
        missing = listed(other for other in _names(token) if other not in values)
        return f"argument {name!r} needs {missing} too: they make one argument, {text!r}"


_Value = str | list[str]
"""A value as text: one, or one an item."""


def _names(token: _Token) -> list[str]:
    return [part.name for part in token if isinstance(part, _Slot)]


def _parse_token(word: str) -> _Token:
    """Split one word of the template at its placeholders."""
    parts: list[str | _Slot] = []
    end = 0
    for match in _PARTS.finditer(word):
        parts.append(word[end : match.start()])
        end = match.end()
        text, name = match[0], match[1]
        if text in {"{{", "}}"}:
            parts.append(text[0])
        elif name is None:
            text = f"{text!r} alone in {word!r}; write {text * 2!r} for the character itself"
            raise ConfigError(text, key="args")
        elif not name.isidentifier() or keyword.iskeyword(name):
            raise ConfigError(
                f"{text!r} is no placeholder: a placeholder is a Python identifier and no keyword; "
                f"write '{{{{{name}}}}}' for the characters themselves",
                key="args",
            )
        else:
            parts.append(_Slot(name))
    parts.append(word[end:])
    token = tuple(part for part in parts if part != "")
    return token or ("",)  # a quoted nothing is an empty argument


def _expand(token: _Token, values: Mapping[str, _Value]) -> list[str]:
    """Put the values in; a list gives several arguments."""
    if len(token) == 1 and isinstance(token[0], _Slot):
        name = token[0].name
        value = values[name]
        if isinstance(value, list):
            return value
        return _split(name, value) if name in SPLIT_NAMES else [value]
    lists = sorted({name for name in _names(token) if isinstance(values[name], list)})
    if len(lists) > 1:
        raise ToolCallError(f"only one of the arguments {listed(lists)} can be a list")
    items = values[lists[0]] if lists else [""]
    rows = [{**values, **dict.fromkeys(lists, item)} for item in items]
    return [
        "".join(part if isinstance(part, str) else str(row[part.name]) for part in token)
        for row in rows
    ]


def _split(name: str, value: str) -> list[str]:
    if len(value) > _MAX_SPLIT:
        raise ToolCallError(f"argument {name!r} has {len(value)} characters; pass it as a list")
    try:
        return shlex.split(value)
    except ValueError as error:
        reason = str(error).lower()
        raise ToolCallError(f"argument {name!r}: {reason} in {value[:80]!r}; pass a list") from None


def _value(name: str, value: Any) -> _Value:
    """Turn what an agent passed into text."""
    if isinstance(value, list | tuple):
        return [_text(f"{name}[{index}]", item) for index, item in enumerate(value)]
    return _text(name, value)


def _text(name: str, value: Any) -> str:
    try:
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif isinstance(value, str | int | float):
            text = str(value)
        else:
            raise ToolCallError(
                f"argument {name!r} must be str, int, float, bool or a list of those, "
                f"not {type(value).__name__}"
            )
        os.fsencode(text)
    except ValueError as error:  # an int of more than 4300 digits, or half a surrogate pair
        raise ToolCallError(
            f"argument {name!r} cannot be written as an argument: {error}"
        ) from None
    if "\0" in text:
        raise ToolCallError(f"argument {name!r} holds a NUL character, which no argument can")
    return text
