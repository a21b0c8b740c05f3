"""Real Python functions out of descriptions of tools.

Place in the house: below ``namespaces``. A function with a signature and a docstring is what
``help()``, ``?``, tab completion and ``inspect.signature`` already understand.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from kernel_bootstrap.wire.errors import ToolCallError

__all__ = [
    "SourceText",
    "ToolFunction",
    "build_function",
    "result_of",
    "signature_of",
    "summary_of",
]

ToolFunction = Callable[..., Any]

_SUMMARY = 200
"""Characters of a tool's first line that are shown where one line has to do."""


class SourceText(str):
    """An annotation or default that reads as its source text, without quotes, in a signature."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def signature_of(params: Sequence[Mapping[str, Any]], returns: str) -> inspect.Signature:
    """Build a signature; names that are no identifiers are left to ``**more``."""
    parameters, more, optional_seen = [], False, False
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    for param in params:
        name = param["name"]
        if not name.isidentifier():
            more = True
            continue
        default = param.get("default", inspect.Parameter.empty if param["required"] else None)
        if default is inspect.Parameter.empty and optional_seen:
            kind = inspect.Parameter.KEYWORD_ONLY
        optional_seen = optional_seen or default is not inspect.Parameter.empty
        annotation = SourceText(param["annotation"] or "Any")
        try:
            parameters.append(inspect.Parameter(name, kind, default=default, annotation=annotation))
        except ValueError:  # a keyword such as `class`
            more = True
    if more:
        rest = "more"
        while any(parameter.name == rest for parameter in parameters):
            rest += "_"
        parameters.append(inspect.Parameter(rest, inspect.Parameter.VAR_KEYWORD))
    returned = SourceText(returns) if returns else inspect.Signature.empty
    return inspect.Signature(parameters, return_annotation=returned)


def summary_of(info: Mapping[str, Any]) -> str:
    """Return what a tool does in one line."""
    text = info["description"].strip().partition("\n")[0].strip() or f"Tool {info['name']}."
    return text if len(text) <= _SUMMARY else text[: _SUMMARY - 3].rstrip() + "..."


def result_of(info: Mapping[str, Any]) -> str:
    """Return the paragraph on what a tool gives back, empty where nothing is known."""
    returns, shape = info.get("returns", ""), info.get("shape", "")
    if shape and info.get("observed"):
        return f"Returns (observed in earlier results, not promised):\n    {shape}"
    return "\n    ".join(["Returns:", *filter(None, [returns, shape])]) if returns or shape else ""


def _docstring(info: Mapping[str, Any]) -> str:
    lines = [info["description"] or f"Tool {info['name']}."]
    described = [param for param in info["params"] if param["description"]]
    if described:
        lines += ["", "Args:"]
        lines += [f"    {param['name']}: {param['description']}" for param in described]
    if info.get("shape"):  # else the signature says it all
        lines += ["", result_of(info)]
    return "\n".join(lines)


def build_function(
    info: Mapping[str, Any],
    call: Callable[[str, dict[str, Any]], Any],
    acall: Callable[[str, dict[str, Any]], Awaitable[Any]],
) -> ToolFunction:
    """Make the function an agent calls for one tool.

    Args:
        info: The tool as the catalogue describes it.
        call: Calls a tool by name and blocks.
        acall: The same, awaitable.
    """
    name: str = info["name"]
    signature = signature_of(info["params"], info.get("returns", ""))
    positional = [
        param.name
        for param in signature.parameters.values()
        if param.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]

    def arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if not args:
            return kwargs
        named = dict(zip(positional, args, strict=False))
        doubled = named.keys() & kwargs.keys()
        if len(args) > len(positional) or doubled:
            what = f"{sorted(doubled)} given twice" if doubled else "too many positional arguments"
            raise ToolCallError(f"{name}: {what}; the signature is {name}{signature}")
        return {**named, **kwargs}

    def function(*args: Any, **kwargs: Any) -> Any:
        return call(name, arguments(args, kwargs))

    async def awaitable(*args: Any, **kwargs: Any) -> Any:
        return await acall(name, arguments(args, kwargs))

    made: Any
    for made, suffix in ((function, ""), (awaitable, ".acall")):
        made.__name__ = info["path"].rpartition(".")[2]
        made.__qualname__ = f"tools.{info['path']}{suffix}"
        made.__module__ = "tools"
        made.__doc__ = _docstring(info)
        made.__signature__ = signature
    function.acall = awaitable  # type: ignore[attr-defined]
    return function
