"""What a Python function says about itself: its tool's parameters, and how a call is checked.

Place in the house: ``tools``; used by the function adapter. Everything that can be known when
a function is added is worked out then; checking a call that needs no conversion costs a
dictionary lookup for each argument. Only other calls load pydantic.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import types
import typing
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import ConfigError, ToolCallError
from py_code_mode.tools.base import NO_DEFAULT, ToolInfo, ToolParam
from py_code_mode.tools.names import listed, unknown

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["Signature", "innermost"]

_SIMPLE = (str, int, float, bool, bytes, list, tuple, dict, set, frozenset, type(None))
"""Types whose values, when of exactly that type, nobody needs to look at."""

_MAX_REASON = 300
_ARGS = re.compile(r"(Args|Arguments|Parameters):\s*$")
_SECTION = re.compile(r"(Args|Arguments|Parameters|Returns|Yields|Raises|Examples?):\s*$")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function below partials and methods: what has a docstring and annotations."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    if inspect.isroutine(function) or inspect.isclass(function):
        return function
    inner: Callable[..., Any] = type(function).__call__  # an object that can be called
    return inner


class Signature:
    """The parameters of a function that is called by keywords.

    Args:
        function: Any callable.

    Raises:
        ConfigError: It tells no signature, or takes ``*args``.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            self._signature = inspect.signature(function)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{function!r} has no signature to make a tool of: {error}") from None
        self._inner = innermost(function)
        parameters = list(self._signature.parameters.values())
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                text = f"*{parameter.name} cannot be given by name; take a list instead"
                raise ConfigError(text, key=parameter.name)
        self._named = {each.name: each for each in parameters if each.kind is not each.VAR_KEYWORD}
        self._takes_any = len(self._named) < len(parameters)
        self._known = frozenset(self._named)
        self._required = frozenset(
            each.name for each in self._named.values() if each.default is each.empty
        )
        # For each parameter the types that pass without a look; not in here: anything passes.
        self._pass: dict[str, frozenset[type]] = {}
        self._adapters: dict[str, TypeAdapter[Any] | None] = {}
        self._hints = {name: self._resolve(each) for name, each in self._named.items()}
        for name in self._named:
            self._prepare(name)

    def by_keyword(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function``, made callable with keywords alone if it is not."""
        kinds = {each.kind for each in self._named.values()}
        if inspect.Parameter.POSITIONAL_ONLY not in kinds:
            return function

        def call(**arguments: Any) -> Any:
            bound = inspect.BoundArguments(self._signature, OrderedDict(arguments))
            bound.apply_defaults()
            return function(*bound.args, **bound.kwargs)

        return call

    def describe(self, name: str, description: str | None, tags: Collection[str]) -> ToolInfo:
        """Return the tool this function is.

        Args:
            name: Name of the tool.
            description: What it does; by default the docstring's first paragraph.
            tags: Labels for scoping.
        """
        summary, notes = _read_docstring(inspect.getdoc(self._inner) or "")
        params = tuple(
            ToolParam(
                each.name,
                self._text(each.annotation) or "Any",
                required=each.default is each.empty,
                default=each.default if _is_plain(each.default) else NO_DEFAULT,
                description=notes.get(each.name, ""),
            )
            for each in self._named.values()
        )
        described = summary if description is None else description.strip()
        returns = self._text(self._signature.return_annotation)
        return ToolInfo(name, described, params, frozenset(tags), returns)

    def check(self, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check arguments and convert what can be converted (``"5"`` for an int, say).

        Args:
            tool: Name of the tool, for messages.
            arguments: Values by parameter.

        Raises:
            ToolCallError: A name is missing or unknown, or a value has the wrong type.
        """
        names = arguments.keys()
        if not (self._required <= names and (self._takes_any or names <= self._known)):
            text = f"tool {tool!r}: {self._explain(arguments)}"
            raise ToolCallError(text, wrong_arguments=True)
        converted: dict[str, Any] = {}
        for name, value in arguments.items():
            if name in self._pass and type(value) not in self._pass[name]:
                converted[name] = self._convert(tool, name, value)
        return {**arguments, **converted} if converted else arguments

    def _explain(self, arguments: Mapping[str, Any]) -> str:
        takes = f"it takes {listed(self._named)}"
        for name in arguments:
            if name not in self._known and not self._takes_any:
                return f"{unknown('argument', name, self._named)}; {takes}"
        missing = (name for name in self._named if name in self._required - arguments.keys())
        return f"argument {listed(missing)} is missing; {takes}"

    def _text(self, annotation: Any) -> str:
        """Return an annotation as source."""
        if annotation is inspect.Parameter.empty:
            return ""
        if isinstance(annotation, str):  # quoted inside a module that has all in quotes: twice
            quote = annotation[:1] if annotation[:1] in {"'", '"'} else ""
            return annotation.removeprefix(quote).removesuffix(quote)
        return inspect.formatannotation(annotation, getattr(self._inner, "__module__", None))

    def _resolve(self, parameter: inspect.Parameter) -> Any:
        """Return what an annotation means, ``Any`` when that cannot be known."""
        if parameter.annotation is parameter.empty:
            return Any
        # One at a time: a name that is only imported for type checkers spoils only its own.
        holder = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
        names = getattr(self._inner, "__globals__", {})
        try:
            return typing.get_type_hints(holder, names, include_extras=True)["it"]
        except Exception:  # noqa: BLE001 - evaluating an annotation may raise anything
            return Any

    def _prepare(self, name: str) -> None:
        """Work out which values of a parameter pass without a look."""
        hint = self._hints[name]
        if hint is Any or hint is object:
            return
        is_union = typing.get_origin(hint) in {typing.Union, types.UnionType}
        members = typing.get_args(hint) if is_union else (hint,)
        simple = {each for each in members if each in _SIMPLE}
        if len(simple) < len(members) and self._adapter(name) is None:
            return
        if self._named[name].default is None:  # `x: int = None` is still written
            simple.add(type(None))
        self._pass[name] = frozenset(simple)

    def _adapter(self, name: str) -> TypeAdapter[Any] | None:
        """Return what converts a parameter's values, None when pydantic knows no way."""
        if name not in self._adapters:
            self._adapters[name] = _make_adapter(self._hints[name])
        return self._adapters[name]

    def _convert(self, tool: str, name: str, value: Any) -> Any:
        from pydantic import ValidationError

        adapter = self._adapter(name)
        if adapter is None:
            return value
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = "".join(f"[{key!r}]" for key in first["loc"])
            expected, got = self._text(self._named[name].annotation), type(value).__name__
            reason = f"{name}{where}: {first['msg']}"[:_MAX_REASON]
            text = f"argument {name!r} must be {expected}, not {got} ({reason})"
            raise ToolCallError(f"tool {tool!r}: {text}", wrong_arguments=True) from None


def _make_adapter(hint: Any) -> TypeAdapter[Any] | None:
    from pydantic import ConfigDict, TypeAdapter

    # With the first, a DataFrame (say) is checked by isinstance; models refuse a configuration.
    for config in (ConfigDict(arbitrary_types_allowed=True), None):
        try:
            return TypeAdapter(hint, config=config)
        except Exception:  # noqa: BLE001, S112 - types may run their own code here
            continue
    return None


def _is_plain(value: Any) -> bool:
    """Whether a default can be shown on the other side as it is."""
    if type(value) in {list, tuple, set, frozenset}:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    return value is None or type(value) in {bool, int, float, str, bytes}


def _read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Return the first paragraph, and what a Google-style ``Args:`` says of each parameter."""
    lines = text.splitlines()
    first = itertools.takewhile(lambda line: line.strip() and not _SECTION.match(line), lines)
    summary = " ".join(line.strip() for line in first)
    start = next((at for at, line in enumerate(lines) if _ARGS.match(line)), len(lines))
    notes: dict[str, str] = {}
    name, level = "", None
    for line in lines[start + 1 :]:
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            break
        level = indent if level is None else level
        entry = _ENTRY.match(line.strip()) if indent == level else None
        if entry:
            name = entry[1]
            notes[name] = entry[2]
        elif name and line.strip():
            notes[name] = f"{notes[name]} {line.strip()}".strip()
    return summary, notes
