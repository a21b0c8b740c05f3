"""The tool as LangChain's and LangGraph's agents take it.

Place in the house: a form of ``functiontool``; needs the package ``langchain-core``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.tools import StructuredTool

from py_code_mode.results import ExecutionResult

if TYPE_CHECKING:
    from py_code_mode.integrations.functiontool import Answer, FunctionTool

__all__ = ["build"]


def build(tool: FunctionTool) -> StructuredTool:
    """Make the tool; it is called with ``ainvoke``."""

    async def run_code(**arguments: Any) -> tuple[Any, ExecutionResult | None]:
        answer = await tool.call(arguments)
        return _content(answer), answer.result

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.parameters,
        coroutine=run_code,
        response_format="content_and_artifact",
    )


def _content(answer: Answer) -> Any:
    """Text, or the content blocks that LangChain turns into those of each model."""
    return answer.convert(
        lambda text: {"type": "text", "text": text},
        lambda image: {"type": "image_url", "image_url": {"url": image.data_url}},
    )
