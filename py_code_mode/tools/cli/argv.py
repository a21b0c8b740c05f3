"""From the ``args`` of a tool file and an agent's arguments to an argument vector.

Place in the house: ``tools.cli``; knows neither files nor processes, nor types of parameters.

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
- A parameter with a flag (``-p {port}``) becomes the flag's tokens where its placeholder stands;
  where it stands nowhere, they come last, before a ``--``. A list repeats them for each item;
  a flag without a placeholder (``--verbose``) is there when the value is true.
"""

from __future__ import annotations

import keyword
import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import ConfigError, ToolCallError
from py_code_mode.tools.base import ToolParam
from py_code_mode.tools.cli.texts import SPLIT_NAMES, Given, give
from py_code_mode.tools.names import listed, unknown

__all__ = ["PLAIN_TYPE", "SPLIT_TYPE", "Slot", "Template", "Token", "parse_token"]

SPLIT_TYPE = "str | list[str]"
"""Annotation of a placeholder whose string is split."""

PLAIN_TYPE = "str | int | float | list[str]"
"""Annotation of any other placeholder that is not declared."""

_PARTS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder's place in a token."""

    name: str


Token = tuple[str | Slot, ...]
"""One argument: literal text and placeholders."""


@dataclass(frozen=True, slots=True)
class _Flag:
    """What a parameter with a flag becomes."""

    name: str
    tokens: tuple[Token, ...]

    @property
    def is_switch(self) -> bool:
        return not any(map(_names, self.tokens))


@dataclass(frozen=True, slots=True)
class Template:
    """The ``args`` of a tool file, parsed.

    Attributes:
        pieces: One for each argument, or for those of a flag.
        names: The placeholders in order of appearance.
        free: Placeholders whose plain values may begin with ``-``.
    """

    pieces: tuple[Token | _Flag, ...]
    names: tuple[str, ...]
    free: frozenset[str]

    @classmethod
    def parse(
        cls,
        args: str,
        allow_options: bool | Collection[str] = (),  # noqa: FBT001 - as in the file
        flags: Mapping[str, str] | None = None,
    ) -> Template:
        """Read a template.

        Args:
            args: E.g. ``"{flags} --port={port} {target}"``.
            allow_options: Placeholders whose plain values may begin with ``-``; True for all.
            flags: Flags by parameter, e.g. ``{"port": "-p {port}"}``.

        Raises:
            ConfigError: A quote or brace is not closed, a placeholder is no identifier, or
                ``allow_options`` names one that is not there.
        """
        tokens = _parse_words(args, "args")
        pieces = _with_flags(tokens, {n: _parse_flag(n, text) for n, text in (flags or {}).items()})
        names = tuple(dict.fromkeys(name for piece in pieces for name in _names(piece)))
        if isinstance(allow_options, bool):
            allow_options = names if allow_options else ()
        for name in allow_options:
            if name not in names:
                text = f"{unknown('placeholder', name, names)}; args has {listed(names)}"
                raise ConfigError(text, key="allow_options")
        return cls(pieces, names, frozenset(allow_options))

    def params(self) -> tuple[ToolParam, ...]:
        """Describe the placeholders as parameters; none of them must be given."""
        return tuple(
            ToolParam(name, SPLIT_TYPE if name in SPLIT_NAMES else PLAIN_TYPE)
            for name in self.names
        )

    def build(self, arguments: Mapping[str, Any]) -> list[str]:
        """Fill the template in with values of no declared types.

        Args:
            arguments: Values by placeholder.

        Returns:
            The arguments, without the command itself.

        Raises:
            ToolCallError: A name is unknown, or a value cannot be an argument.
        """
        values: dict[str, Given] = {}
        for name, value in arguments.items():
            if name not in self.names:
                raise ToolCallError(
                    f"{unknown('argument', name, self.names)}; it takes {listed(self.names)}"
                )
            given = give(name, value, is_free=name in self.free)
            if given is not None:
                values[name] = given
        return self.fill(values)

    def fill(self, values: Mapping[str, Given]) -> list[str]:
        """Fill the template in.

        Args:
            values: Those that were given, by placeholder.

        Returns:
            The arguments, without the command itself.

        Raises:
            ToolCallError: A value would be read as an option, or would be lost.
        """
        argv: list[str] = []
        used: set[str] = set()
        for piece in self.pieces:
            names = _names(piece)
            if all(name in values for name in names):
                used.update(names)
                if isinstance(piece, _Flag):
                    argv += self._fill_flag(piece, values[piece.name])
                else:
                    argv += self._fill(piece, values)
        if lost := sorted(values.keys() - used):
            raise ToolCallError(self._explain_lost(lost[0], values))
        return argv

    def _fill_flag(self, flag: _Flag, value: Given) -> list[str]:
        """Return the arguments of a flag, once for each item."""
        texts = value.texts if isinstance(value.texts, list) else [value.texts]
        if flag.is_switch:
            texts = [text for text in texts if text == "true"]
        rows = [{flag.name: Given(text, value.is_free)} for text in texts]
        return [text for row in rows for token in flag.tokens for text in self._fill(token, row)]

    def _fill(self, token: Token, values: Mapping[str, Given]) -> list[str]:
        """Return the arguments one token becomes."""
        texts = _expand(token, values)
        is_open = token and isinstance(token[0], Slot)
        if is_open and not all(values[name].is_free for name in _names(token)):
            for text in texts:
                if text.startswith("-"):
                    raise ToolCallError(self._explain_option(_names(token)[0], text))
        return texts

    def _explain_option(self, name: str, text: str) -> str:
        ways = [f"pass options in {other!r}" for other in self.names if other in SPLIT_NAMES]
        ways.append(f"a tool file may list {name!r} under allow_options")
        return (
            f"argument {name!r} must not begin with '-', {text[:80]!r} would be read as an option; "
            + ", or ".join(ways)
        )

    def _explain_lost(self, name: str, values: Mapping[str, Given]) -> str:
        token = next(
            each for each in self.pieces if not isinstance(each, _Flag) and name in _names(each)
        )
        text = "".join(part if isinstance(part, str) else f"{{{part.name}}}" for part in token)
        missing = listed(other for other in _names(token) if other not in values)
        return f"argument {name!r} needs {missing} too: they make one argument, {text!r}"


def _names(piece: Token | _Flag) -> list[str]:
    if isinstance(piece, _Flag):
        return [piece.name]
    return [part.name for part in piece if isinstance(part, Slot)]


def _parse_words(text: str, key: str) -> tuple[Token, ...]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        reason = str(error).lower()
        raise ConfigError(f"{reason} in {text!r}; quote as in a shell", key=key) from None
    return tuple(parse_token(word, key) for word in words)


def _parse_flag(name: str, text: str) -> _Flag:
    key = f"params.{name}.flag"
    tokens = _parse_words(text, key)
    for other in (other for token in tokens for other in _names(token)):
        if other != name:
            raise ConfigError(
                f"{{{other}}} in the flag of {name!r}: only {{{name}}} may be", key=key
            )
    if not tokens:
        raise ConfigError(f"must say where the value goes, e.g. '--{name}={{{name}}}'", key=key)
    return _Flag(name, tokens)


def _with_flags(tokens: tuple[Token, ...], flags: Mapping[str, _Flag]) -> tuple[Token | _Flag, ...]:
    """Put each flag where its placeholder stands, the others last but before a ``--``."""
    pieces: list[Token | _Flag] = []
    placed: set[str] = set()
    for token in tokens:
        named = [name for name in _names(token) if name in flags]
        if named and len(token) > 1:
            text = f"{{{named[0]}}} has a flag, so in args it stands alone, or not at all"
            raise ConfigError(text, key="args")
        placed.update(named)
        pieces.append(flags[named[0]] if named else token)
    end = pieces.index(("--",)) if ("--",) in pieces else len(pieces)
    pieces[end:end] = [flag for name, flag in flags.items() if name not in placed]
    return tuple(pieces)


def parse_token(word: str, key: str) -> Token:
    """Split one word at its placeholders.

    Args:
        word: E.g. ``"--port={port}"``.
        key: Where it stands, for messages.

    Raises:
        ConfigError: A brace is not closed, or a placeholder is no identifier.
    """
    parts: list[str | Slot] = []
    end = 0
    for match in _PARTS.finditer(word):
        parts.append(word[end : match.start()])
        end = match.end()
        text, name = match[0], match[1]
        if text in {"{{", "}}"}:
            parts.append(text[0])
        elif name is None:
            text = f"{text!r} alone in {word!r}; write {text * 2!r} for the character itself"
            raise ConfigError(text, key=key)
        elif not name.isidentifier() or keyword.iskeyword(name):
            raise ConfigError(
                f"{text!r} is no placeholder: a placeholder is a Python identifier and no keyword; "
                f"write '{{{{{name}}}}}' for the characters themselves",
                key=key,
            )
        else:
            parts.append(Slot(name))
    parts.append(word[end:])
    token = tuple(part for part in parts if part != "")
    return token or ("",)  # a quoted nothing is an empty argument


def _expand(token: Token, values: Mapping[str, Given]) -> list[str]:
    """Put the values in; a list gives several arguments."""
    if len(token) == 1 and isinstance(token[0], Slot):
        return values[token[0].name].alone(token[0].name)
    texts = {name: values[name].texts for name in _names(token)}
    lists = sorted({name for name, text in texts.items() if isinstance(text, list)})
    if len(lists) > 1:
        raise ToolCallError(f"only one of the arguments {listed(lists)} can be a list")
    items = texts[lists[0]] if lists else [""]
    rows = [{**texts, **dict.fromkeys(lists, item)} for item in items]
    return [
        "".join(part if isinstance(part, str) else str(row[part.name]) for part in token)
        for row in rows
    ]
