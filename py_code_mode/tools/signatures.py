"""What a Python function says about itself: its tool's parameters, and how a call is checked.

Place in the house: ``tools``; used by the function adapter. Everything that can be known when
a function is added is worked out then; checking a call that needs no conversion costs a
dictionary lookup for each argument. Only other calls load pydantic.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import ConfigError, ToolCallError
from py_code_mode.tools.base import NO_DEFAULT, ToolInfo, ToolParam
from py_code_mode.tools.docstrings import read_docstring
from py_code_mode.tools.models import (
    LazySchema,
    as_field,
    is_plain,
    make_adapter,
    plain_default,
    shapes,
    source_of,
)
from py_code_mode.tools.names import listed, unknown

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["Signature", "innermost"]

_SIMPLE = (str, int, float, bool, bytes, list, tuple, dict, set, frozenset, type(None))
"""Types whose values, when of exactly that type, nobody needs to look at."""

_MAX_REASON = 300


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
        self._fields = {
            each.name: field
            for each in self._named.values()
            if (field := as_field(each.default)) is not None
        }
        self._required = frozenset(filter(self._must_be_given, self._named))
        # For each parameter the types that pass without a look; not in here: anything passes.
        self._pass: dict[str, frozenset[type]] = {}
        self._adapters: dict[str, TypeAdapter[Any] | None] = {}
        self._hints = {name: self._hint(each) for name, each in self._named.items()}
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
        summary, notes = read_docstring(inspect.getdoc(self._inner) or "")
        params = tuple(self._param(each, notes.get(each, "")) for each in self._named)
        described = summary if description is None else description.strip()
        returns, result = self._returns()
        if shape := shapes(result):
            described = f"{described}\n\nReturns {shape}".strip()
        schema = None if result in {Any, type(None)} else LazySchema(result, "serialization")
        return ToolInfo(name, described, params, frozenset(tags), returns, schema)

    def _param(self, name: str, note: str) -> ToolParam:
        parameter, hint = self._named[name], self._hints[name]
        said = [*getattr(hint, "__metadata__", ())]
        texts = (
            getattr(each, "description", None) or getattr(each, "documentation", None)
            for each in said
        )
        note = note or next((text for text in texts if isinstance(text, str)), "")
        field = self._fields.get(name)
        default = parameter.default if field is None else field.field.default
        default = plain_default(default)
        required = name in self._required
        return ToolParam(
            name,
            self._text(parameter.annotation, hint) or "Any",
            required=required,
            default=default if is_plain(default) and not required else NO_DEFAULT,
            description=" ".join(filter(None, (note, shapes(hint)))),
            schema=None if hint is Any else LazySchema(hint, "validation"),
        )

    def _must_be_given(self, name: str) -> bool:
        field = self._fields.get(name)
        default = self._named[name].default
        return default is inspect.Parameter.empty if field is None else field.required

    def _returns(self) -> tuple[str, Any]:
        """Return the annotation of what a call gives, as source and as type."""
        annotation = self._signature.return_annotation
        hint = self._resolve(annotation)
        text = self._text(annotation, hint)
        if not (
            inspect.isgeneratorfunction(self._inner) or inspect.isasyncgenfunction(self._inner)
        ):
            return text, hint
        items = [each for each in typing.get_args(hint) if each is not Any]
        if len(items) == 3 and items[2] is not type(None):  # noqa: PLR2004 - yields, takes, returns
            return self._text(items[2], items[2]), items[2]
        if not items:
            return "list[Any]", list[Any]
        return f"list[{self._text(items[0], items[0])}]", list[items[0]]  # type: ignore[valid-type]

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
        converted: dict[str, Any] = {
            name: field.value() for name, field in self._fields.items() if name not in names
        }
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

    def _text(self, annotation: Any, hint: Any) -> str:
        """Return an annotation as source, without what is only said to validators."""
        if annotation is inspect.Parameter.empty:
            return ""
        bare = _without_extras(hint)
        if bare != hint:
            annotation = bare
        if isinstance(annotation, str):  # quoted inside a module that has all in quotes: twice
            quote = annotation[:1] if annotation[:1] in {"'", '"'} else ""
            return annotation.removeprefix(quote).removesuffix(quote)
        return source_of(annotation, getattr(self._inner, "__module__", None))

    def _hint(self, parameter: inspect.Parameter) -> Any:
        hint = self._resolve(parameter.annotation)
        field = self._fields.get(parameter.name)
        return hint if field is None else typing.Annotated[hint, field.field]

    def _resolve(self, annotation: Any) -> Any:
        """Return what an annotation means, ``Any`` when that cannot be known."""
        if annotation is inspect.Parameter.empty:
            return Any
        # One at a time: a name that is only imported for type checkers spoils only its own.
        holder = types.SimpleNamespace(__annotations__={"it": annotation})
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
        if self._named[name].default is None:  # `x: int = None` is still written
            simple.add(type(None))
        self._pass[name] = frozenset(simple)

    def _adapter(self, name: str) -> TypeAdapter[Any] | None:
        """Return what converts a parameter's values, None when pydantic knows no way."""
        if name not in self._adapters:
            self._adapters[name] = make_adapter(self._hints[name])
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
            expected = self._text(self._named[name].annotation, self._hints[name])
            got = type(value).__name__
            reason = f"{name}{where}: {first['msg']}"[:_MAX_REASON]
            text = f"argument {name!r} must be {expected}, not {got} ({reason})"
            raise ToolCallError(f"tool {tool!r}: {text}", wrong_arguments=True) from None


def _without_extras(hint: Any) -> Any:
    """Return a type without ``Annotated`` in it."""
    holder = types.SimpleNamespace(__annotations__={"it": hint})
    try:
        return typing.get_type_hints(holder)["it"]
    except Exception:  # noqa: BLE001 - types may run their own code
        return hint
