"""A complete agent in one file: a model writes Python, py-code-mode runs it, until it is done.

Usage: MODEL=... python agent.py "your task"

It asks an endpoint of OpenAI's kind (OPENAI_API_KEY, OPENAI_BASE_URL), or of Anthropic's kind
if ANTHROPIC_API_KEY or ANTHROPIC_BASE_URL is set.
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

RULES = """\
You solve tasks. Put the code you want to run into one ```python block; what comes back is the
next message. Look at a result before you go on. When the task is done, answer without any code.
"""


class ModelError(Exception):
    """The endpoint did not answer as it should."""


def ask(system: str, messages: list[dict[str, str]]) -> str:
    """Send the conversation to the model; return what it says."""
    env = os.environ
    is_anthropic = bool(env.get("ANTHROPIC_API_KEY") or env.get("ANTHROPIC_BASE_URL"))
    body = {"model": env["MODEL"], "messages": messages}
    if is_anthropic:
        base = env.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com").rstrip("/")
        url, body = f"{base}/v1/messages", {**body, "system": system, "max_tokens": 8_000}
        headers = {"x-api-key": env.get("ANTHROPIC_API_KEY", ""), "anthropic-version": "2023-06-01"}
    else:
        base = env.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
        url = f"{base}/chat/completions"
        body["messages"] = [{"role": "system", "content": system}, *messages]
        key = env.get("OPENAI_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - yours
    try:
        with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310
            said = json.load(response)
        if is_anthropic:
            return "".join(block.get("text", "") for block in said["content"])
        return said["choices"][0]["message"]["content"] or ""
    except urllib.error.HTTPError as error:
        told = error.read(2_000).decode(errors="replace")
        raise ModelError(f"{error.code} {error.reason}: {told}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"no usable answer from {url}: {error!r}") from error


async def solve(executor: CodeExecutor, task: str) -> str:
    """Let the model write code until it answers without any; return the answer."""
    skills = "\n".join(f"- {s.name}: {s.description}" for s in executor.skill_library.list())
    system = f"{RULES}\n{executor.system_prompt()}\nThe skills so far:\n\n{skills}\n"
    messages = [{"role": "user", "content": task}]
    for _ in range(MAX_TURNS):
        answer = await asyncio.to_thread(ask, system, messages)
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
