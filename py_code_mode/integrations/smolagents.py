"""The tool as the agents of smolagents take it.

Place in the house: a form of ``functiontool``; needs the package ``smolagents``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import smolagents

from py_code_mode.integrations.fromthread import blocking

if TYPE_CHECKING:
    from py_code_mode.integrations.functiontool import FunctionTool

__all__ = ["build"]


class RunCode(smolagents.Tool):  # type: ignore[misc] # smolagents ships no types
    """Runs code on the event loop it was made on, for an agent in another thread."""

    output_type = "string"

    def __init__(self, tool: FunctionTool, run: Callable[[str], str]) -> None:
        self.name = tool.name
        self.description = tool.description
        code = tool.parameters["properties"]["code"]
        self.inputs = {"code": {"type": "string", "description": code["description"]}}
        self._run = run
        super().__init__()

    def forward(self, code: str) -> str:
        """Run the code and return what the model should read."""
        return self._run(code)


def build(tool: FunctionTool) -> smolagents.Tool:
    """Make the tool.

    Raises:
        ConfigError: No event loop runs here.
    """
    return RunCode(tool, blocking(tool.__call__))
