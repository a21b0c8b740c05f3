"""The examples run, as their users run them: real processes, a scripted model behind real HTTP."""

from __future__ import annotations

import ast
import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from py_code_mode import CodeExecutor
from py_code_mode.container import SessionClient
from tests.conftest import CI, ROOT
from tests.model_server import Call, ModelServer, running_model

EXAMPLES = ROOT / "examples"
MINIMAL, DIRECT, OVER_MCP, AZURE = (
    EXAMPLES / name for name in ("minimal", "autogen-direct", "autogen-mcp", "azure-container-apps")
)
MCP_PYTHON = ROOT / ".venv-autogen-mcp" / "bin" / "python"


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A scripted model on a loopback port."""
    with running_model() as script:
        yield script


@dataclass
class Ended:
    code: int
    out: str
    err: str


async def run_agent(
    example: Path, folder: Path, *args: str, python: str = sys.executable, **environment: str
) -> Ended:
    """Run a copy of an example in ``folder``, on the files of ``folder/work``."""
    copied = shutil.copytree(example, folder / "agent", ignore=shutil.ignore_patterns("data"))
    work = folder / "work"
    work.mkdir()
    (work / "long.txt").write_text("a\nb\nc\n")
    (work / "short.txt").write_text("a\n")
    ours = ("OPENAI_", "ANTHROPIC_", "MODEL", "SESSION_", "MCP_", "PY_CODE_MODE_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    process = await asyncio.create_subprocess_exec(
        python,
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


# --- minimal -----------------------------------------------------------------------------------


async def test_the_agent_works_until_it_answers_without_code(tmp_path, model):
    """It runs what the model writes, in one session, and tells the model what came back."""
    model.turns = [
        'I look first.\n```python\nfound = skills.largest_files(pattern="*.txt")\nfound\n```',
        '```python\nartifacts.save("found.json", found)\nprint(len(found), "files")\n```',
        "The longest is long.txt, with 3 lines.",
    ]
    ended = await run_agent(
        MINIMAL,
        tmp_path,
        "Which file is longest?",
        OPENAI_BASE_URL=f"{model.url}/v1",
        OPENAI_API_KEY="sk-test",
        MODEL="scripted",
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.rstrip().endswith("--- answer\nThe longest is long.txt, with 3 lines.")
    assert "[('./long.txt', 3), ('./short.txt', 1)]" in model.told(1)["content"]
    assert "2 files" in model.told(2)["content"]
    assert (tmp_path / "agent" / "data" / "found.json").is_file()
    asked = model.asked[0]
    body = asked.body
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == "Bearer sk-test"
    assert body["model"] == "scripted"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "tools.wc(files: " in body["messages"][0]["content"]
    assert "- largest_files: " in body["messages"][0]["content"]
    assert body["messages"][1]["content"] == "Which file is longest?"
    roles = [message["role"] for message in model.asked[2].body["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]


async def test_the_agent_speaks_to_endpoints_of_anthropics_kind(tmp_path, model):
    """With a key of Anthropic's it sends messages, and the system prompt apart from them."""
    model.turns = ["```python\n6 * 7\n```", "It is 42."]
    ended = await run_agent(
        MINIMAL,
        tmp_path,
        "Multiply",
        ANTHROPIC_BASE_URL=model.url,
        ANTHROPIC_API_KEY="sk-test",
        MODEL="scripted",
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.rstrip().endswith("--- answer\nIt is 42.")
    assert model.told(1)["content"] == "Result:\n42"
    asked = model.asked[0]
    assert asked.path == "/v1/messages"
    assert {k.lower(): v for k, v in asked.headers.items()}["x-api-key"] == "sk-test"
    assert "tools.wc(files: " in asked.body["system"]
    assert [message["role"] for message in asked.body["messages"]] == ["user"]


async def test_the_agent_tells_the_model_what_went_wrong_and_bounds_what_it_reads(tmp_path, model):
    """A wrong call comes back as an error with the right names, a flood as its head and tail."""
    model.turns = [
        "```python\ntools.wc(fils='long.txt')\n```",
        "```python\nfor n in range(100_000):\n    print(n)\n```",
        "done",
    ]
    ended = await run_agent(
        MINIMAL, tmp_path, "Count", OPENAI_BASE_URL=f"{model.url}/v1", MODEL="scripted"
    )
    assert ended.code == 0
    assert "did you mean 'files'?" in model.told(1)["content"]
    assert "99999" in model.told(2)["content"]
    assert "artifact 'outputs/default/" in model.told(2)["content"]
    assert len(model.told(2)["content"]) < 12_000
    assert "Authorization" not in model.asked[0].headers


async def test_the_agent_reports_a_refusing_endpoint(tmp_path, model):
    """An HTTP error ends it with the endpoint's own words and exit code 1, not a traceback."""
    model.turns = [404]
    ended = await run_agent(
        MINIMAL, tmp_path, "Count", OPENAI_BASE_URL=f"{model.url}/v1", MODEL="none"
    )
    assert ended.code == 1
    assert ended.err.startswith("the model cannot be asked: 404")
    assert "no such model" in ended.err
    assert "Traceback" not in ended.err


async def test_the_agent_says_how_it_is_used(tmp_path):
    """Without a model's name or a task it says what it needs."""
    ended = await run_agent(MINIMAL, tmp_path)
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


# --- AutoGen -----------------------------------------------------------------------------------


WORK = [
    Call("found = skills.preview(pattern='*.txt'); found[0]['lines']"),
    [Call("tools.word_frequencies(text='b a b')"), Call("tools.head(lines=1, file='/etc/passwd')")],
    "The longest is long.txt, with 3 lines.",
]


async def test_autogen_wired_directly(tmp_path, model):
    """The agent runs code in its own program: skills, a function, rules, and a notebook."""
    model.turns = WORK
    ended = await run_agent(
        DIRECT,
        tmp_path,
        "Which file is longest?",
        OPENAI_BASE_URL=f"{model.url}/v1",
        MODEL="scripted",
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.rstrip().endswith("The longest is long.txt, with 3 lines.")
    assert model.told(1)["content"] == "3"
    first, second = model.asked[2].body["messages"][-2:]
    assert first["content"] == "{'b': 2, 'a': 1}"
    assert "read files below the current folder" in second["content"]
    asked = model.asked[0].body
    assert asked["stream"] is True
    assert "tools.word_frequencies(text: " in asked["messages"][0]["content"]
    notebook = nbformat.read(tmp_path / "agent" / "data" / "run.ipynb", as_version=4)
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code"] == [
        WORK[0].code,
        *(call.code for call in WORK[1]),
    ]


async def test_autogen_on_a_session_server(tmp_path, model, session_server):
    """The same agent runs its code on a server, and leaves no session there."""
    model.turns = [Call("x = 41"), Call("x + 1"), "It is 42."]
    ended = await run_agent(
        DIRECT,
        tmp_path,
        "Add",
        OPENAI_BASE_URL=f"{model.url}/v1",
        MODEL="scripted",
        SESSION_URL=session_server,
        SESSION_TOKEN="secret",
    )
    assert (ended.code, ended.err) == (0, "")
    assert model.told(2)["content"] == "42"
    assert not (tmp_path / "agent" / "data").exists()
    async with SessionClient(session_server, "secret") as client:
        assert await client.sessions() == []


async def test_autogen_over_mcp(tmp_path, model):
    """An agent in an environment without py-code-mode starts the MCP server, and uses its tools."""
    if not MCP_PYTHON.exists():
        assert not CI, "make .venv-autogen-mcp/.ready"
        pytest.skip("make .venv-autogen-mcp/.ready makes the interpreter")
    model.turns = [
        Call(name="list_tools", arguments="{}"),
        Call("found = skills.largest_files(pattern='*.txt')"),
        Call("found[0]"),
        "The longest is long.txt, with 3 lines.",
    ]
    ended = await run_agent(
        OVER_MCP,
        tmp_path,
        "Which file is longest?",
        python=str(MCP_PYTHON),
        OPENAI_BASE_URL=f"{model.url}/v1",
        MODEL="scripted",
        MCP_COMMAND=str(Path(sys.executable).parent / "py-code-mode-mcp"),
    )
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert ended.out.rstrip().endswith("The longest is long.txt, with 3 lines.")
    assert "wc" in model.told(1)["content"]
    assert "./long.txt" in model.told(3)["content"]
    names = {tool["function"]["name"] for tool in model.asked[0].body["tools"]}
    assert {"run_code", "list_tools", "search_skills"} <= names


@pytest.mark.parametrize("example", [DIRECT, OVER_MCP], ids=lambda path: path.name)
async def test_tools_and_skills_of_the_examples_load(example):
    """No file of an example is left out."""
    async with await CodeExecutor.create(
        tools=example / "tools", skills=example / "skills"
    ) as executor:
        assert executor.problems == ()
        assert executor.registry.list_tools()
        assert executor.skill_library.list()


def test_every_example_of_the_repository_is_tested_here():
    """A new example needs a test of its own."""
    tested = {MINIMAL, DIRECT, OVER_MCP, AZURE}
    assert {path.parent for path in EXAMPLES.glob("*/README.md")} == tested
