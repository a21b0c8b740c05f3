"""Programs of the protocol's own makers: the Inspector's command line, and the conformance suite."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    """It runs code with a skill and a tool over both transports, and lists what there is."""
    where = http if transport == "http" else folder
    result = inspect(where, *RUN)
    assert result["structuredContent"]["value"] == 3
    assert result["content"][0]["text"].split("\n")[0] == "3"
    if transport == "http":
        names = [tool["name"] for tool in inspect(where, "--method", "tools/list")["tools"]]
        assert names[:2] == ["run_code", "list_tools"]
        prompt = inspect(where, *("--method", "prompts/get", "--prompt-name", "code_mode"))
        assert "tools.wc(file: " in prompt["messages"][0]["content"]["text"]
        assert "resourceTemplates" in inspect(where, "--method", "resources/templates/list")


OURS = {
    *("server-initialize", "ping", "completion-complete", "tools-list", "resources-list"),
    *("server-sse-multiple-streams", "prompts-list", "dns-rebinding-protection"),
}
"""Scenarios that ask for nothing of the suite's own."""

RENAMED = {
    *("tools-call-simple-text", "tools-call-image", "tools-call-audio", "tools-call-error"),
    *("tools-call-with-progress", "resources-read-text", "resources-read-binary"),
    "prompts-get-simple",
}
"""Those whose tools, resources and prompts are cells, artifacts and the prompt of our server."""


def conform(url: str, folder: Path, passing: set[str]) -> None:
    """Run the whole suite; what passes and what fails must be as it is written down."""
    expected = yaml.safe_load(EXPECTED.read_text())["server"]
    failing = folder / "expected.yaml"
    failing.write_text(
        yaml.safe_dump({"server": [name for name in expected if name not in passing]})
    )
    words = ("server", "--url", url, "--expected-failures", str(failing))
    done = node("conformance", *words, cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert set(re.findall(r"✓ (\S+):", done.stdout)) >= passing


def test_the_conformance_suite(http, tmp_path):
    """What asks for no fixtures passes, and what asks for them fails as written down, no more."""
    conform(http.url, tmp_path, OURS)


def test_the_conformance_suite_on_cells(tmp_path):
    """With cells under the names it asks for, text, images, sound, errors and progress pass, too."""
    argv = [sys.executable, "-m", "tests.mcp_server.conformance_server"]
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            conform(process.stderr.readline().strip(), tmp_path, OURS | RENAMED)
        finally:
            process.terminate()
