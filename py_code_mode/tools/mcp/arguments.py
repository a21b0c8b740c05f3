"""An agent's arguments, as the protocol can carry them.

Place in the house: ``tools.mcp``, below the adapter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from py_code_mode.errors import ToolCallError
from py_code_mode.tools.base import ToolInfo

__all__ = ["json_arguments"]


def json_arguments(tool: ToolInfo, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call, without what is None and need not be given.

    Raises:
        ToolCallError: One is no JSON value; the message names it.
    """
    given = _without_none(tool, arguments)
    if (problem := _json_problem(given)) is None:
        return given
    for name, value in given.items():
        if (own := _json_problem(value)) is not None:
            text = f"tool {tool.name!r}: argument {name!r} is no JSON value: {own}"
            raise ToolCallError(text)
    raise ToolCallError(f"tool {tool.name!r}: the arguments are no JSON values: {problem}")


def _without_none(tool: ToolInfo, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None and need not be given, where None is no value of it."""
    if all(value is not None for value in arguments.values()):
        return dict(arguments)
    needless = {
        param.name
        for param in tool.params
        if not param.required and "None" not in param.annotation and param.annotation != "Any"
    }
    return {k: v for k, v in arguments.items() if v is not None or k not in needless}


def _json_problem(value: Any) -> str | None:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return f"{error!s:.200}"
    return None
