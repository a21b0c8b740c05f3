"""The tool as the OpenAI Agents SDK takes it.

Place in the house: a form of ``functiontool``; needs the package ``openai-agents``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import agents

if TYPE_CHECKING:
    from py_code_mode.integrations.functiontool import FunctionTool

__all__ = ["build"]


def build(tool: FunctionTool) -> agents.FunctionTool:
    """Make the tool."""

    async def invoke(_: Any, arguments: str) -> Any:
        answer = await tool.call(arguments)
        return answer.convert(
            lambda text: agents.ToolOutputText(text=text),
            lambda image: agents.ToolOutputImage(image_url=image.data_url),
        )

    return agents.FunctionTool(
        name=tool.name,
        description=tool.description,
        params_json_schema=tool.parameters,
        on_invoke_tool=invoke,
    )
