"""Parameters of a command: those its tool file declares, and the placeholders it does not.

Place in the house: ``tools.cli``, below ``recipe``; ``kinds`` knows the types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from py_code_mode.errors import ConfigError
from py_code_mode.tools.base import NO_DEFAULT, ToolParam
from py_code_mode.tools.cli.kinds import TYPES, Kind, check_pattern
from py_code_mode.tools.cli.texts import Given, as_argument, give
from py_code_mode.tools.names import listed, unknown

__all__ = ["ItemSettings", "Param", "ParamSettings"]


class ItemSettings(TypedDict, total=False):
    """What ``items`` of a list may say; the keys are those of ``ParamSettings``."""

    type: str
    choices: Sequence[str | int | float]
    enum: Sequence[str | int | float]
    pattern: str
    outside: bool


class ParamSettings(ItemSettings, total=False):
    """What may be said of a parameter: the keys of ``params`` in a tool file.

    ``type`` is one of string, integer, number, boolean, enum, path and list; without one a value
    is taken as for a placeholder that is not declared. ``choices`` (or ``enum``) lists all
    values, ``items`` is the type of a list's items, ``pattern`` is what a value must match as a
    whole, ``flag`` the arguments it becomes, ``outside`` lets a path leave the working directory.
    """

    required: bool
    default: Any
    description: str
    flag: str
    items: str | ItemSettings


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter, worked out.

    Attributes:
        name: Its name.
        kind: Its type, None when none was declared.
        pattern: What a value of no declared type must match.
        required: Whether it must be given.
        default: What is used when it is not given, or ``NO_DEFAULT``.
        description: What it is.
    """

    name: str
    kind: Kind | None = None
    pattern: re.Pattern[str] | None = None
    required: bool = False
    default: Any = NO_DEFAULT
    description: str = ""

    @classmethod
    def declare(cls, name: str, settings: ParamSettings) -> Param:
        """Work out what a tool file says of a parameter.

        Raises:
            ConfigError: Something in it is wrong; ``key`` says what.
        """
        where = f"params.{name}"
        for key in settings:
            if key not in ParamSettings.__annotations__:
                text = unknown("key", key, ParamSettings.__annotations__)
                raise ConfigError(f"{text} of a parameter", key=f"{where}.{key}")
        default = settings.get("default")
        required = settings.get("required", False)
        if required and default is not None:
            text = "a parameter that must be given needs no default; take one of the two out"
            raise ConfigError(text, key=f"{where}.default")
        kind = _kind(settings, where)
        return cls(
            name,
            kind,
            _pattern(settings, where) if kind is None else None,
            required,
            NO_DEFAULT if default is None else default,
            " ".join(settings.get("description", "").split()),
        )

    def info(self, annotation: str) -> ToolParam:
        """Describe it.

        Args:
            annotation: Its type when none was declared.
        """
        text = annotation if self.kind is None else self.kind.annotation
        is_open = self.kind is not None and not self.required and self.default is NO_DEFAULT
        return ToolParam(
            self.name,
            f"{text} | None" if is_open else text,
            required=self.required,
            default=None if is_open else self.default,
            description=self.description,
            schema=None if self.kind is None else self.kind.schema,
        )

    def take(self, value: Any, folder: str, *, is_free: bool, is_argument: bool) -> Given | None:
        """Check a value that may become an argument.

        Args:
            value: What was given; None stands for nothing.
            folder: The working directory of the command.
            is_free: Whether it may begin with ``-``.
            is_argument: Whether it stands in an argument at all, not only in the input.

        Returns:
            What it becomes; None when there is nothing, and no default.

        Raises:
            ToolCallError: It does not fit.
        """
        if value is None and self.default is not NO_DEFAULT:
            value, folder, is_free = self.default, "/", True  # the owner's own words
        if value is None:
            return None
        if self.kind is None:
            given = give(self.name, value, is_free=is_free)
        else:
            texts = self.kind.texts(self.name, value, folder)
            given = Given(texts, is_free or self.kind.is_owners) if texts != [] else None
        if given is None:
            return None
        for text in [given.texts] if isinstance(given.texts, str) else given.texts:
            check_pattern(self.name, text, self.pattern)
            if is_argument:
                as_argument(self.name, text)
        return given


def _kind(settings: ParamSettings | ItemSettings, where: str) -> Kind | None:
    """Return the type some settings declare, None for none."""
    choices = settings.get("choices", settings.get("enum"))
    name = settings.get("type") or ("enum" if choices is not None else None)
    items = cast("ParamSettings", settings).get("items")
    if name is None and items is not None:
        name = "list"
    if name is None:
        return None
    if name not in TYPES:
        text = f"{unknown('type', str(name), TYPES)}; there are {listed(TYPES)}"
        raise ConfigError(text, key=f"{where}.type")
    _check_keys(name, settings, where)
    if choices is not None and not all(_is_choice(choice) for choice in choices):
        raise ConfigError("choices are texts and numbers", key=f"{where}.choices")
    pattern = _pattern(settings, where)
    if name == "list":
        inner = {"type": items} if isinstance(items, str) else dict(items or {"type": "string"})
        inner.setdefault("type", "string" if "choices" not in inner else "enum")
        if pattern is not None:
            inner.setdefault("pattern", pattern.pattern)
        return Kind("list", items=_kind(cast("ItemSettings", inner), f"{where}.items"))
    return Kind(name, tuple(choices or ()), pattern, outside=settings.get("outside", False))


def _is_choice(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _check_keys(name: str, settings: Mapping[str, Any], where: str) -> None:
    """Refuse keys that mean nothing for a type."""
    both = {"choices", "enum"} & settings.keys()
    chosen = "enum" if "enum" in settings else "choices"
    if len(both) == 2:  # noqa: PLR2004 - both
        raise ConfigError("choices and enum are the same; keep one", key=f"{where}.enum")
    if name == "enum" and not settings.get(chosen):
        raise ConfigError("an enum needs choices: a list of its values", key=f"{where}.type")
    if both and name in {"boolean", "list", "path"}:
        hint = "; a list has them under items" if name == "list" else ""
        raise ConfigError(f"a {name} has no choices{hint}", key=f"{where}.{chosen}")
    if where.endswith(".items") and name == "list":
        raise ConfigError("a list of lists cannot become arguments", key=f"{where}.type")
    for key, owner in (("items", "list"), ("outside", "path")):
        if key in settings and name != owner:
            raise ConfigError(f"only a {owner} has {key}, no {name}", key=f"{where}.{key}")


def _pattern(settings: Mapping[str, Any], where: str) -> re.Pattern[str] | None:
    text = settings.get("pattern")
    if text is None:
        return None
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        text = f"is no regular expression: {error}"
        raise ConfigError(text, key=f"{where}.pattern") from None
