"""The README runs as printed: it is the contract with the users.

Blocks are taken from README.md itself. The files it describes are written where it says; blocks
of the host run in the test's own loop, blocks of the agent through an executor. One thing
is changed in what is printed there: the address 10.0.0.1 becomes this machine's own, because
nothing else may be scanned.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from py_code_mode import CodeExecutor, ExecutionResult, FileArtifactStore, ToolRegistry
from tests.conftest import ROOT
from tests.test_docs import Block, close_all, read_blocks, run_block

README = ROOT / "README.md"
BLOCKS = [
    dataclasses.replace(block, code=block.code.replace("10.0.0.1", "127.0.0.1"))
    for block in read_blocks(README)
]

RUN = {
    "Quick Start",
    "Artifacts",
    "CodeExecutor.create()",
    "Explicit Components",
    "Redis Backend (Production)",
    "Tool Syntax",
    "Skill Operations",
}
"""Sections whose Python runs below."""

ELSEWHERE = {
    "Container Isolation": "tests/container/test_as_printed.py",
    "Framework Integration": "tests/integrations/test_as_printed.py",
}
"""Sections whose Python runs in tests of their own."""

PORTS = {22, 80, 443}

nmap = pytest.mark.needs("nmap")


def python_of(section: str) -> Block:
    """The one Python block of a section that is no file."""
    blocks = [block for block in BLOCKS if (block.language, block.section) == ("python", section)]
    (block,) = [block for block in blocks if block.file is None]
    return block


def write_files(folder: Path, section: str, *only: str) -> None:
    """Write the files a section describes: all of them, or ``only`` these."""
    files = [block for block in BLOCKS if block.section == section and block.file is not None]
    chosen = [block for block in files if not only or block.file in only]
    assert len(chosen) == (len(only) or len(files)) > 0
    for block in chosen:
        block.write(folder)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
async def host(folder) -> AsyncIterator[dict[str, Any]]:
    """The namespace of a host program; executors it leaves open are closed."""
    namespace: dict[str, Any] = {}
    yield namespace
    await close_all(namespace.values())


@pytest.fixture
async def executor(folder, host) -> CodeExecutor:
    """What "CodeExecutor.create()" makes, with the tools and the skill of the Quick Start."""
    write_files(folder, "Quick Start")
    host["CodeExecutor"] = CodeExecutor  # the Quick Start has imported it
    await run_block(python_of("CodeExecutor.create()"), host)
    made: CodeExecutor = host["executor"]
    return made


async def run_as_printed(executor: CodeExecutor, section: str) -> ExecutionResult:
    """Run a section's block as the agent; it must not fail."""
    result = await executor.run(python_of(section).code, timeout=60)
    assert result.error is None, result.text
    return result


@nmap
async def test_the_quick_start_runs(folder, host):
    """From files to a printed value: a real scan, a skill that scans three ports, as printed."""
    write_files(folder / "my_agent", "Quick Start")
    printed = await run_block(python_of("Quick Start"), host)
    result = host["result"]
    assert result.error is None, result.text
    assert result.value.keys() == PORTS
    assert {type(is_open) for is_open in result.value.values()} == {bool}
    assert printed == f"{result.value}\n"
    assert [(call.tool, call.outcome) for call in result.tool_calls] == [("nmap", "ok")] * 4
    assert result.tool_calls[0].arguments == {"target": "127.0.0.1", "flags": "-sV"}
    scan = await host["executor"].get_variable("scan")
    assert "Nmap scan report for" in scan
    assert "Service detection performed" in scan  # what the flag asks for


@nmap
async def test_tools_and_skills_are_called_as_the_concepts_say(executor):
    """Both ways to call a tool, ``flags`` left out or not, and both ways to invoke a skill, work."""
    result = await executor.run("""
        one = tools.nmap(target="127.0.0.1")
        two = tools.call("nmap", {"target": "127.0.0.1", "flags": "-p 22"})
        three = skills.invoke("scan_ports", target="127.0.0.1")
        one, two, three, skills.scan_ports(target="127.0.0.1")
    """)
    assert result.error is None, result.text
    one, two, *scans = result.value
    assert "Nmap scan report for" in one
    assert "22/tcp" in two
    assert [scan.keys() for scan in scans] == [PORTS, PORTS]


@pytest.mark.needs("curl")
async def test_the_curl_tool_of_the_quick_start(executor, hello):
    """The second tool file is a working HTTP client."""
    result = await executor.run(f"tools.curl(url={hello!r})")
    assert result.value == "hello from the server"


@pytest.fixture
def hello(monkeypatch) -> Iterator[str]:
    """URL of a page on a loopback port."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello from the server")

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


async def test_create_takes_directories_and_makes_those_that_are_missing(folder, executor):
    """``create`` as printed: tools and skills are there, ``./data/`` is made."""
    assert executor.problems == ()
    assert (folder / "data").is_dir()
    result = await executor.run("""
        [tool["name"] for tool in tools.list()], [skill["name"] for skill in skills.list()]
    """)
    assert result.value == (["curl", "nmap"], ["scan_ports"])


async def test_artifacts_as_printed(folder, host, executor):
    """What one session saves is listed, and another executor over the same directory loads it."""
    data = {"10.1.1.1": [22, 80]}
    await executor.set_variable("data", data)
    result = await run_as_printed(executor, "Artifacts")
    assert [(item["name"], item["description"]) for item in result.value] == [
        ("results.json", "Scan results")
    ]
    assert await executor.get_variable("data") == data
    await executor.aclose()
    async with await CodeExecutor.create(artifacts="./data/") as later:
        assert (await later.run("artifacts.load('results.json')")).value == data


@nmap
@pytest.mark.needs("npx")
async def test_the_mcp_files_load_and_a_server_that_is_not_there_hides_no_other(
    folder, host, monkeypatch
):
    """The CLI tool as printed works; each MCP server that does not start is named as a problem."""
    write_files(folder, "Tool Types")
    (folder / ".npmrc").write_text("offline=true\n")  # what npx would fetch is not for a test
    monkeypatch.setenv("HOME", str(folder))
    host["CodeExecutor"] = CodeExecutor
    await run_block(python_of("CodeExecutor.create()"), host)
    executor = host["executor"]
    assert {Path(p.file).stem: p.reason.split(":")[0] for p in executor.problems} == {
        name: f"MCP server {name!r} did not start" for name in ("brave_search", "weather")
    }
    result = await executor.run("tools.nmap(target='127.0.0.1', flags='-p 22')")
    assert "22/tcp" in result.value


async def test_explicit_components_as_printed(folder, host):
    """An executor of components: its tools, skills and artifacts are those of the directories."""
    write_files(folder, "Quick Start")
    await run_block(python_of("Explicit Components"), host)
    assert isinstance(host["artifacts"], FileArtifactStore)
    assert [skill.name for skill in host["skill_library"].search("port scanning")] == ["scan_ports"]
    result = await host["executor"].run("""
        artifacts.save("seen.json", [tool["name"] for tool in tools.list()])
        skills.get("scan_ports").description
    """)
    assert result.value == "Scan common ports on a target."
    assert host["artifacts"].load("seen.json") == ["curl", "nmap"]


@pytest.mark.needs("redis-server")
async def test_redis_as_printed(folder, host, redis_servers):
    """Skills and artifacts of one program are those of another one on the same Redis server."""
    write_files(folder, "Quick Start")
    server = redis_servers("redis-server")
    server.clear()
    block = python_of("Redis Backend (Production)")
    block = dataclasses.replace(block, code=block.code.replace(":6379", f":{server.port}"))
    await run_block(python_of("Explicit Components"), host)
    programs = []
    for _ in range(2):
        await host["executor"].aclose()
        host["registry"] = await ToolRegistry.from_dir("./tools/")
        await run_block(block, host)
        programs.append({**host})
        result = await host["executor"].run("""
            found = artifacts.load("seen.json") if artifacts.exists("seen.json") else None
            if not found:
                artifacts.save("seen.json", [tool["name"] for tool in tools.list()])
                skills.create("double", "def run(n: int): return 2 * n", "Double a number")
            found, skills.double(n=21)
        """)
        assert result.error is None, result.text
        programs[-1]["seen"] = result.value
    first, second = programs
    assert (first["seen"], second["seen"]) == ((None, 42), (["curl", "nmap"], 42))
    assert [skill.name for skill in second["skill_library"].search("double a number")] == ["double"]
    assert repr(second["store"]) == (
        f"RedisSkillStore(Redis at localhost:{server.port}, prefix='my-agent')"
    )


@nmap
async def test_tool_syntax_as_printed(executor):
    """Both calls run the same command, and the search finds the network scanner."""
    result = await run_as_printed(executor, "Tool Syntax")
    assert "nmap" in [tool["name"] for tool in result.value]
    assert [(call.tool, call.outcome) for call in result.tool_calls] == [("nmap", "ok")] * 2
    assert result.tool_calls[0].arguments == result.tool_calls[1].arguments


@nmap
async def test_skill_operations_as_printed(folder, executor):
    """Skills are invoked, found, listed, read and created; the created one runs and stays."""
    result = await run_as_printed(executor, "Skill Operations")
    source = (folder / "skills" / "scan_ports.py").read_text()
    assert result.stdout == f"{source}\n"
    assert result.value["name"] == "quick_scan"
    assert len(result.tool_calls) == 2 * len(PORTS)
    after = await executor.run("""
        found = skills.search("port scanning", limit=5)
        [skill["name"] for skill in found], skills.quick_scan(target="127.0.0.1")
    """)
    assert after.error is None, after.text
    found, scan = after.value
    assert "scan_ports" in found
    assert "Nmap scan report for" in scan
    assert (folder / "skills" / "quick_scan.py").is_file()


def test_every_python_block_of_the_readme_is_run_or_known_to_wait():
    """A new block needs a test; one whose time has come must not stay among those that wait."""
    sections = {block.section for block in BLOCKS if block.language == "python"}
    assert sections == RUN | {*ELSEWHERE}


@pytest.mark.parametrize(("section", "file"), ELSEWHERE.items())
def test_sections_that_run_elsewhere_do(section, file):
    """A test of another part takes the section's code out of the README."""
    assert f'python_of("{section}")' in (ROOT / file).read_text("utf-8")


def test_the_commands_of_the_readme_exist():
    """Every ``make`` command it names is in the Makefile."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    code = "".join(block.code for block in BLOCKS if block.language == "bash")
    named = set(re.findall(r"^make (\w+)", code, flags=re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
