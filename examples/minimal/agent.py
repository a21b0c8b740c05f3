"""A complete agent in one file: a model writes Python, py-code-mode runs it, until it is done.

Usage: python agent.py "your task"

It talks to any chat completions endpoint of the OpenAI kind. Environment variables:
OPENAI_BASE_URL (default https://api.openai.com/v1), OPENAI_API_KEY, MODEL.
"""

import asyncio
import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

from py_code_mode import CodeExecutor, Limits

HERE = Path(__file__).parent
MAX_TURNS = 20
# What the model gets to read of one result; all of it is kept as an artifact.
LIMITS = Limits(stream_chars=10_000, text_chars=10_000)
CODE = re.compile(r"^```(?:python|py)\s*\n(.*?)^```", re.MULTILINE | re.DOTALL)

SYSTEM = """\
You solve tasks by writing Python. Put code into one ```python block; it runs in an IPython
session that keeps its variables, and you get back what it printed and its last expression.
Three names are there without an import:
- tools: call tools.name(argument=...). Failures raise tools.ToolError.
- skills: tested recipes; skills.search("what for") finds them, skills.name(...) runs one,
  skills.create(name, code, description) keeps a new one (code with a def run(...)).
- artifacts: artifacts.save(name, data) and artifacts.load(name) keep data for later.
Look at a result before you go on. When the task is done, answer without any code.

Tools:
{tools}

Skills:
{skills}
"""


class ModelError(Exception):
    """The endpoint did not answer as it should."""


def ask(messages: list[dict[str, str]]) -> str:
    """Send the conversation to the model; return what it says."""
    base = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
    body = {"model": os.environ["MODEL"], "messages": messages}
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("OPENAI_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(  # noqa: S310 - the URL is the user's own
        f"{base}/chat/completions", json.dumps(body).encode(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310
            return json.load(response)["choices"][0]["message"]["content"] or ""
    except urllib.error.HTTPError as error:
        said = error.read(2_000).decode(errors="replace")
        raise ModelError(f"{error.code} {error.reason}: {said}") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(f"no usable answer from {base}: {error!r}") from error


async def solve(executor: CodeExecutor, task: str) -> str:
    """Let the model write code until it answers without any; return the answer."""
    tools = "\n".join(f"- {t.name}: {t.description}" for t in executor.registry.list_tools())
    skills = "\n".join(f"- {s.name}: {s.description}" for s in executor.skill_library.list())
    messages = [
        {"role": "system", "content": SYSTEM.format(tools=tools, skills=skills)},
        {"role": "user", "content": task},
    ]
    for _ in range(MAX_TURNS):
        answer = await asyncio.to_thread(ask, messages)
        code = "\n".join(CODE.findall(answer))
        if not code:
            return answer
        print(f"--- code\n{code}", flush=True)
        result = await executor.run(code)
        said = result.text or "(it ran, and showed nothing)"
        print(f"--- result\n{said}", flush=True)
        messages += [
            {"role": "assistant", "content": answer},
            {"role": "user", "content": f"Result:\n{said}"},
        ]
    raise ModelError(f"no answer after {MAX_TURNS} turns")


async def main() -> int:
    """Solve the task of the command line."""
    if len(sys.argv) != 2 or not os.environ.get("MODEL"):  # noqa: PLR2004 - one argument
        print('usage: MODEL=... python agent.py "your task"', file=sys.stderr)
        return 2
    async with await CodeExecutor.create(
        tools=HERE / "tools", skills=HERE / "skills", artifacts=HERE / "data", limits=LIMITS
    ) as executor:
        try:
            print(f"--- answer\n{await solve(executor, sys.argv[1])}")
        except ModelError as error:
            print(f"the model cannot be asked: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
