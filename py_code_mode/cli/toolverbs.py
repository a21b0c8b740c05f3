"""The work of ``py-code-mode tools``, one function a verb.

Place in the house: inside ``cli``, above the registry of tools. Tools run as they would for an
agent, but without a kernel and without rules: whoever types here may run the commands anyway.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from py_code_mode.cli import loop
from py_code_mode.cli.output import complain, show, show_json, show_table
from py_code_mode.errors import ConfigError
from py_code_mode.prompt import stubs, tool_line
from py_code_mode.stores import is_url, open_tool_store
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.registry import ToolRegistry

__all__ = ["open_registry", "run_verb"]


async def open_registry(where: str) -> ToolRegistry:
    """Open the tools at a path or url; what is wrong is in its ``problems``.

    Raises:
        ConfigError: There is no such folder, or no store takes such a url.
    """
    if is_url(where):
        return await ToolRegistry.from_store(open_tool_store(where), lenient=True)
    _check_folder(where)
    return await ToolRegistry.from_dir(where, lenient=True)


def _check_folder(where: str) -> None:
    if not Path(where).is_dir():
        raise ConfigError("there is no such folder of tools", file=where)


def run_verb(name: str, arguments: argparse.Namespace) -> int:
    """Do what a verb says; return the exit code."""

    async def run() -> int:
        async with await open_registry(arguments.tools) as registry:
            return await _VERBS[name](registry, arguments)

    return loop.run(run())


async def _list(registry: ToolRegistry, arguments: argparse.Namespace) -> int:
    infos = [
        info
        for info in registry.list_tools()
        if arguments.tag is None or arguments.tag in info.tags
    ]
    return _rows(registry, infos, arguments)


async def _search(registry: ToolRegistry, arguments: argparse.Namespace) -> int:
    found = registry.search(" ".join(arguments.query), arguments.limit)
    _rows(registry, [*found], arguments)
    return 0 if found else 1


def _rows(registry: ToolRegistry, infos: list[ToolInfo], arguments: argparse.Namespace) -> int:
    if arguments.json:
        show_json([info.to_dict() for info in infos])
    else:
        lines = (tool_line(info).partition("  # ") for info in infos)
        show_table((call, summary) for call, _, summary in lines)
    _complain(registry)
    return 0


def _complain(registry: ToolRegistry) -> None:
    for problem in registry.problems:
        complain(str(problem))


async def _show(registry: ToolRegistry, arguments: argparse.Namespace) -> int:
    text = stubs(registry, arguments.names)
    if arguments.json:
        infos = [registry.get_tool(name) for name in arguments.names]
        show_json([{"stub": text}, *(info.to_dict() for info in infos if info is not None)])
    else:
        show(text.rstrip("\n"))
    return 0


async def _call(registry: ToolRegistry, arguments: argparse.Namespace) -> int:
    value = await registry.call_tool(registry.resolve(arguments.name), _given(arguments))
    if arguments.json:
        show_json(_plain(value))
    else:
        show(value.rstrip("\n") if isinstance(value, str) else json.dumps(_plain(value), indent=2))
    return 0


def _given(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Return what a tool is called with.

    Raises:
        ConfigError: It is not given in the right form.
    """
    given: dict[str, Any] = {}
    if arguments.arguments is not None:
        given = _json(arguments.arguments)
        if not isinstance(given, dict):
            raise ConfigError("--arguments takes a JSON object, such as '{\"key\": 1}'")
    for word in arguments.given:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r} is no argument: write key=value")
        given[key] = _json(value)
    return given


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(value: Any) -> Any:
    """Return what JSON can say of a value; what it cannot is given as its repr."""
    return json.loads(json.dumps(value, default=repr))


async def _check(registry: ToolRegistry, arguments: argparse.Namespace) -> int:
    infos = registry.list_tools()
    if arguments.json:
        problems = [
            {
                "file": None if problem.file is None else str(problem.file),
                "line": problem.line,
                "key": problem.key,
                "reason": problem.reason,
            }
            for problem in registry.problems
        ]
        show_json({"tools": len(infos), "problems": problems})
    else:
        _complain(registry)
        show(f"{len(infos)} tools, {len(registry.problems)} problems")
    return 1 if registry.problems else 0


_VERBS: dict[str, Callable[[ToolRegistry, argparse.Namespace], Awaitable[int]]] = {
    "list": _list,
    "search": _search,
    "show": _show,
    "call": _call,
    "check": _check,
}
