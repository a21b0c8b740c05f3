"""An AutoGen agent that works by writing Python, with py-code-mode wired in directly.

Usage: MODEL=... python agent.py "your task"

The model is any chat completions endpoint: OPENAI_API_KEY, OPENAI_BASE_URL. The code runs in this
program's own kernel, or on a session server: SESSION_URL, SESSION_TOKEN.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.ui import Console
from autogen_core.models import ModelFamily, ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient

from py_code_mode import CodeExecutor
from py_code_mode.integrations.autogen import RunCodeTool, create_run_code_tool

HERE = Path(__file__).parent
# AutoGen knows OpenAI's models by name; of any other it has to be told what it can do.
CAN = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=False,
    structured_output=False,
    family=ModelFamily.UNKNOWN,
)
RULES = """You solve tasks with the tool run_code. Look at what comes back before you go on, and
answer in plain words when the task is done.
"""


def word_frequencies(text: str, most: int = 10) -> dict[str, int]:
    """Count the words of a text; return the most frequent ones."""
    words = text.lower().split()
    counts = {word: words.count(word) for word in set(words)}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])


async def local_tool(stack: AsyncExitStack) -> tuple[RunCodeTool, str]:
    """Run code here: the program decides what the code has, and what it may do."""
    executor = await stack.enter_async_context(
        await CodeExecutor.create(
            tools=HERE / "tools",
            skills=HERE / "skills",
            artifacts=HERE / "data",
            policy=HERE / "policy.yaml",
        )
    )
    executor.registry.add(word_frequencies)
    # When the agent is done: its cells and what they showed, as a notebook.
    stack.callback(lambda: executor.export_notebook(HERE / "data" / "run.ipynb"))
    return create_run_code_tool(executor, timeout=60.0), executor.system_prompt()


async def remote_tool(stack: AsyncExitStack, url: str) -> tuple[RunCodeTool, str]:
    """Run code on a session server, which has tools of its own."""
    tool = create_run_code_tool(session_url=url, token=os.environ.get("SESSION_TOKEN"))
    return await stack.enter_async_context(tool), ""


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
    async with AsyncExitStack() as stack:
        stack.push_async_callback(model.close)
        if url := os.environ.get("SESSION_URL"):
            run_code, prompt = await remote_tool(stack, url)
        else:
            run_code, prompt = await local_tool(stack)
        agent = AssistantAgent(
            "analyst",
            model,
            tools=[run_code],
            system_message=RULES + prompt,
            model_client_stream=True,
            max_tool_iterations=20,
        )
        await Console(agent.run_stream(task=sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
