"""An AutoGen agent that works by writing Python, over the Model Context Protocol.

Usage: MODEL=... python agent.py "your task"

The model is any chat completions endpoint: OPENAI_API_KEY, OPENAI_BASE_URL. The code runs in
py-code-mode-mcp, which this starts (MCP_COMMAND says where it is), or in one that is running
already: MCP_URL, MCP_TOKEN.
"""

import asyncio
import os
import sys
from pathlib import Path

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.ui import Console
from autogen_core.models import ModelFamily, ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams, StreamableHttpServerParams

HERE = Path(__file__).parent
# AutoGen knows OpenAI's models by name; of any other it has to be told what it can do.
CAN = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=False,
    structured_output=False,
    family=ModelFamily.UNKNOWN,
)
RULES = """You solve tasks by writing Python, which run_code runs in a session that keeps its
variables. Look at what comes back before you go on, and answer in plain words when it is done."""


def server() -> StdioServerParams | StreamableHttpServerParams:
    """Say which server to use: start one, or go to one."""
    if url := os.environ.get("MCP_URL"):
        token = os.environ.get("MCP_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return StreamableHttpServerParams(url=url, headers=headers, timeout=60)
    return StdioServerParams(
        command=os.environ.get("MCP_COMMAND", "py-code-mode-mcp"),
        args=[
            *("--tools", str(HERE / "tools")),
            *("--skills", str(HERE / "skills")),
            *("--artifacts", str(HERE / "data")),
        ],
        read_timeout_seconds=60,  # longer than a cell may take
    )


async def main() -> int:
    """Solve the task of the command line."""
    if len(sys.argv) != 2 or not os.environ.get("MODEL"):  # noqa: PLR2004 - one argument
        print('usage: MODEL=... python agent.py "your task"', file=sys.stderr)
        return 2
    model = OpenAIChatCompletionClient(
        model=os.environ["MODEL"],
        model_info=CAN,
        api_key=os.environ.get("OPENAI_API_KEY", "none"),
        base_url=os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
    )
    async with McpWorkbench(server()) as workbench:
        agent = AssistantAgent(
            "analyst",
            model,
            workbench=workbench,
            system_message=RULES,
            model_client_stream=True,
            max_tool_iterations=20,
        )
        await Console(agent.run_stream(task=sys.argv[1]))
    await model.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
