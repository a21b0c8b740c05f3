"""The examples run, as their users run them: real processes, a scripted model behind real HTTP."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

MINIMAL = ROOT / "examples" / "minimal"


@dataclass
class ScriptedModel:
    """An endpoint that answers as a chat completions API does, from a list of replies.

    Attributes:
        replies: What the model says, one a request; an int is an HTTP status to fail with.
        asked: Path, headers and body of each request.
    """

    replies: list[str | int] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((path, headers, body))
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        if isinstance(reply, int):
            return reply, {"error": {"message": "no such model", "type": "invalid_request_error"}}
        message = {"role": "assistant", "content": reply}
        return 200, {
            "id": f"chatcmpl-{len(self.asked)}",
            "object": "chat.completion",
            "created": 1700000000,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }

    def told(self, request: int) -> str:
        """The newest message of one request: what the model was told."""
        return self.asked[request][2]["messages"][-1]["content"]


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """A scripted model on a loopback port."""
    script = ScriptedModel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = script.answer(self.path, dict(self.headers), body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Ended:
    code: int
    out: str
    err: str


async def run_agent(folder: Path, *args: str, **environment: str) -> Ended:
    """Run a copy of the example in ``folder``, on the files of ``folder/work``."""
    copied = shutil.copytree(MINIMAL, folder / "agent", ignore=shutil.ignore_patterns("data"))
    work = folder / "work"
    work.mkdir()
    (work / "long.txt").write_text("a\nb\nc\n")
    (work / "short.txt").write_text("a\n")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "MODEL"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(copied / "agent.py"),
        *args,
        cwd=work,
        env={**inherited, "NO_PROXY": "127.0.0.1", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def test_the_agent_works_until_it_answers_without_code(tmp_path, model):
    """It runs what the model writes, in one session, and tells the model what came back."""
    model.replies = [
        'I look first.\n```python\nfound = skills.largest_files(pattern="*.txt")\nfound\n```',
        '```python\nartifacts.save("found.json", found)\nprint(len(found), "files")\n```',
        "The longest is long.txt, with 3 lines.",
    ]
    ended = await run_agent(
        tmp_path,
        "Which file is longest?",
        OPENAI_BASE_URL=model.url,
        OPENAI_API_KEY="sk-test",
        MODEL="scripted",
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.rstrip().endswith("--- answer\nThe longest is long.txt, with 3 lines.")
    assert "[('./long.txt', 3), ('./short.txt', 1)]" in model.told(1)
    assert "2 files" in model.told(2)
    assert (tmp_path / "agent" / "data" / "found.json").is_file()
    path, headers, body = model.asked[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer sk-test"
    assert body["model"] == "scripted"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "- wc: " in body["messages"][0]["content"]
    assert "- largest_files: " in body["messages"][0]["content"]
    assert body["messages"][1]["content"] == "Which file is longest?"
    roles = [message["role"] for message in model.asked[2][2]["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]


async def test_the_agent_tells_the_model_what_went_wrong_and_bounds_what_it_reads(tmp_path, model):
    """A wrong call comes back as an error with the right names, a flood as its head and tail."""
    model.replies = [
        "```python\ntools.wc(fils='long.txt')\n```",
        "```python\nfor n in range(100_000):\n    print(n)\n```",
        "done",
    ]
    ended = await run_agent(tmp_path, "Count", OPENAI_BASE_URL=model.url, MODEL="scripted")
    assert ended.code == 0
    assert "did you mean 'files'?" in model.told(1)
    assert "99999" in model.told(2)
    assert "artifact 'outputs/default/" in model.told(2)
    assert len(model.told(2)) < 12_000
    assert "Authorization" not in model.asked[0][1]


async def test_the_agent_reports_a_refusing_endpoint(tmp_path, model):
    """An HTTP error ends it with the endpoint's own words and exit code 1, not a traceback."""
    model.replies = [404]
    ended = await run_agent(tmp_path, "Count", OPENAI_BASE_URL=model.url, MODEL="none")
    assert ended.code == 1
    assert ended.err.startswith("the model cannot be asked: 404")
    assert "no such model" in ended.err
    assert "Traceback" not in ended.err


async def test_the_agent_says_how_it_is_used(tmp_path):
    """Without a model's name or a task it says what it needs."""
    ended = await run_agent(tmp_path)
    assert ended.code == 2
    assert ended.err.startswith("usage: MODEL=")


def test_the_agent_is_as_small_as_the_readme_says():
    """About 100 lines, and no framework: the standard library and py_code_mode."""
    source = (MINIMAL / "agent.py").read_text()
    assert len(source.splitlines()) <= 110
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"py_code_mode"}


def test_every_example_of_the_repository_is_tested_here():
    """A new example needs a test of its own."""
    assert {path.parent for path in MINIMAL.parent.glob("*/README.md")} == {MINIMAL}
