"""Which tools cells need: those that they name, and those that they called.

Place in the house: inside ``promote``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from py_code_mode.promote.picking import Cell
from py_code_mode.toolcalls import ToolSource
from py_code_mode.tools.names import clean_name

__all__ = ["needed_tools"]

_CALLERS = frozenset({"call", "acall", "map", "amap"})


def needed_tools(cells: Sequence[Cell], tools: ToolSource) -> list[str]:
    """Return the tools that cells need, by the names under which a docstring can list them.

    A name that is no tool of the session is left out: the code may ask whether there is one.
    """
    named = (name for cell in cells for name in _named(cell.tree))
    known = (tools.get_tool(name) for name in named)
    called = [
        call.tool
        for cell in cells
        for call in cell.entry.result.tool_calls
        if call.outcome == "ok" or tools.get_tool(call.tool) is not None
    ]
    names = [info.name for info in known if info is not None]
    return list(dict.fromkeys(map(clean_name, [*names, *called])))


def _named(tree: ast.AST) -> Iterator[str]:
    """Yield what may be names of tools: ``tools.a.b`` and ``tools.call("a.b", ...)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            path = _path(node)
            if path is not None:
                yield path.removesuffix(".acall")
        elif isinstance(node, ast.Call) and node.args:
            path = _path(node.func)
            first = node.args[0]
            if path in _CALLERS and isinstance(first, ast.Constant) and type(first.value) is str:
                yield first.value


def _path(node: ast.AST) -> str | None:
    """Return what follows ``tools.``; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed(parts)) if isinstance(node, ast.Name) and node.id == "tools" else None
