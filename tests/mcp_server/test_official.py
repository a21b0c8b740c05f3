"""Programs of the protocol's own makers: the Inspector's command line, and the conformance suite."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CI, ROOT
from tests.mcp_server.conftest import ARGUMENTS, COMMAND, Http

BIN = ROOT / ".venv-mcp-clients/node_modules/.bin"
EXPECTED = Path(__file__).parent / "conformance.yaml"

if not (BIN / "mcp-inspector").exists() and not CI:
    pytest.skip("npm's MCP clients are not installed (make test)", allow_module_level=True)


def node(program: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of npm with the Node it wants."""
    return subprocess.run(
        [BIN / program, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=100,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(cwd)},
    )


def inspect(where: Http | Path, *words: str) -> Any:
    """Ask a server something, as a user of the Inspector does."""
    if isinstance(where, Http):
        target: tuple[str, ...] = (where.url, "--transport", "http")
        folder = where.folder
    else:
        target, folder = (COMMAND, *ARGUMENTS), where
    done = node("mcp-inspector", "--cli", *target, *words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


RUN = (
    *("--method", "tools/call", "--tool-name", "run_code"),
    *("--tool-arg", "code=skills.count_words(file='text')"),
)


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_the_inspector(transport, folder, http):
    """It lists the tools and runs code with a skill and a tool, over both transports."""
    where = http if transport == "http" else folder
    result = inspect(where, *RUN)
    assert result["structuredContent"]["value"] == 3
    assert result["content"][0]["text"].split("\n")[0] == "3"
    names = [tool["name"] for tool in inspect(where, "--method", "tools/list")["tools"]]
    assert names[:2] == ["run_code", "list_tools"]
    if transport == "http":
        prompt = inspect(where, *("--method", "prompts/get", "--prompt-name", "code_mode"))
        assert "tools.wc(file: " in prompt["messages"][0]["content"]["text"]
        assert "resourceTemplates" in inspect(where, "--method", "resources/templates/list")


def test_the_conformance_suite(http, tmp_path):
    """What asks for no fixtures passes, and what asks for them fails as written down, no more."""
    words = ("server", "--url", http.url, "--expected-failures", str(EXPECTED))
    done = node("conformance", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    passed = set(re.findall(r"✓ (\S+):", done.stdout))
    assert passed >= {
        *("server-initialize", "ping", "completion-complete", "tools-list"),
        *("server-sse-multiple-streams", "resources-list", "prompts-list"),
        "dns-rebinding-protection",
    }
