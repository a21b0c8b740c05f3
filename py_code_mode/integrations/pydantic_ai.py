"""The tool as Pydantic AI's agents take it.

Place in the house: a form of ``functiontool``; needs the package ``pydantic-ai-slim``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_ai import BinaryContent, Tool, ToolReturn

if TYPE_CHECKING:
    from py_code_mode.integrations.functiontool import FunctionTool

__all__ = ["build"]


def build(tool: FunctionTool) -> Tool[Any]:
    """Make the tool."""

    async def run_code(**arguments: Any) -> ToolReturn[Any]:
        answer = await tool.call(arguments)
        shown = answer.convert(
            str, lambda image: BinaryContent(image.data, media_type=image.mime_type)
        )
        return ToolReturn(return_value=shown, metadata=answer.result)

    return Tool.from_schema(run_code, tool.name, tool.description, tool.parameters)
