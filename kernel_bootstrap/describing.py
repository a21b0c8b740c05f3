"""What a tool is, in words an agent reads: one line, a call, or all of it.

Place in the house: below ``namespaces``, above ``functions``; pure text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernel_bootstrap.functions import result_of, signature_of, summary_of
from kernel_bootstrap.wire.errors import ToolCallError

__all__ = ["DETAILS", "describe", "describe_group"]

DETAILS = ("brief", "signature", "full")
"""How much ``tools.describe`` tells."""

_LINES = 50
"""Tools of a group that are listed, a line each."""


def describe(info: Mapping[str, Any], detail: str) -> str:
    """Describe one tool.

    Args:
        info: The tool as the catalogue has it.
        detail: ``"brief"``: its path and what it does in one line. ``"signature"``: how it is
            called, and that line. ``"full"``: everything that is known.

    Raises:
        ToolCallError: ``detail`` is none of these.
    """
    if detail not in DETAILS:
        raise ToolCallError(
            f"detail must be one of {', '.join(map(repr, DETAILS))}, not {detail!r}"
        )
    path, summary = f"tools.{info['path']}", summary_of(info)
    if detail == "brief":
        return f"{path}: {summary}"
    call = path + str(signature_of(info["params"], info.get("returns", "")))
    if detail == "signature":
        observed = info.get("shape") if info.get("observed") else ""
        return f"{call}{f'  # observed result: {observed}' if observed else ''}\n{summary}"
    parts = [call, info["description"] or summary]
    if info["params"]:
        parts.append("\n".join(["Args:", *map(_param, info["params"])]))
    parts += filter(None, [result_of(info)])
    if info.get("tags"):
        parts.append(f"Tags: {', '.join(info['tags'])}")
    if info["name"] != info["path"]:
        parts.append(f"Exact name: {info['name']}")
    return "\n\n".join(parts)


def _param(param: Mapping[str, Any]) -> str:
    kind = param["annotation"] or "Any"
    if "default" in param:
        kind += f", default {param['default']!r}"
    elif not param["required"]:
        kind += ", optional"
    said = f": {param['description']}" if param["description"] else ""
    return f"    {param['name']} ({kind}){said}"


def describe_group(path: str, tools: Mapping[str, Mapping[str, Any]]) -> str:
    """Describe what is below an attribute of ``tools``: a line for each tool."""
    lines = [describe(info, "brief") for info in list(tools.values())[:_LINES]]
    if len(tools) > _LINES:
        lines.append(f"... and {len(tools) - _LINES} more; tools.search(query) finds them")
    return "\n".join(
        [f"tools.{path} has {len(tools)} tool{'' if len(tools) == 1 else 's'}:", "", *lines]
    )
