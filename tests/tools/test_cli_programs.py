"""Real programs as tools, called from a real kernel, by awkward names, too."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from py_code_mode import ToolRegistry
from py_code_mode.errors import ConfigError

GIT = """\
name: git
description: History of a repository
command: git
cwd: repository
env: {GIT_CONFIG_GLOBAL: /dev/null, GIT_CONFIG_NOSYSTEM: "1"}
recipes:
  log:
    description: The last commits, one a line
    args: log --format=%s {n} -- {paths}
    params:
      n: {type: integer, flag: "--max-count={n}", default: 10, description: How many}
      paths: {type: list, items: path}
    parse: lines
  show:
    description: What a commit says
    args: show --no-patch --format=%s|%an {commit} --
    params:
      commit: {type: string, required: true, pattern: "[0-9A-Za-z~^/._][0-9A-Za-z~^/._-]*"}
  commit:
    description: Record a change
    args: commit --quiet --allow-empty {amend} --file=-
    params:
      amend: {type: boolean, flag: --amend}
      message: {type: string, required: true}
    stdin: "{message}"
    env: {GIT_AUTHOR_NAME: A, GIT_AUTHOR_EMAIL: a@example.com,
          GIT_COMMITTER_NAME: A, GIT_COMMITTER_EMAIL: a@example.com}
  diff:
    args: diff --no-color --exit-code --stat {old} {new} --
    params: {old: {pattern: "[A-Za-z0-9~]+"}, new: {pattern: "[A-Za-z0-9~]+"}}
    ok_exit_codes: [0, 1]
"""

JQ = """\
name: jq
description: Query JSON with a jq program
args: "{raw} {args} -c {program}"
params:
  program: {type: string, required: true, description: A jq program such as .a}
  raw: {type: boolean, flag: -r}
stdin: "{data}"
parse: jsonl
"""

CURL = """\
name: curl
description: Fetch a page of the local server
args: "--silent --show-error --fail {method} {headers} {data} -- {url}"
env: {no_proxy: 127.0.0.1}
params:
  url: {type: string, required: true, pattern: "http://127[.]0[.]0[.]1:[0-9]+/.*"}
  method: {enum: [GET, POST, PUT], flag: "--request {method}"}
  headers: {type: list, items: {pattern: "[A-Za-z-]+: .*"}, flag: "--header {headers}"}
  data: {type: boolean, flag: "--data-binary @-"}
  body: {}
stdin: "{body}"
parse: json
timeout: 20
"""

NMAP = """\
name: nmap
args: "-n -Pn --open -oG - {ports} {targets}"
params:
  ports: {type: string, pattern: "[0-9,-]+", flag: "-p {ports}"}
  targets: {type: list, items: {pattern: "127[.]0[.]0[.][0-9]+"}, required: true}
parse: lines
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    return tmp_path / "tools"


@pytest.fixture
def run(folder: Path, make_executor):
    """Run code in a kernel that has the tools of the folder."""

    async def run_code(code: str):
        executor = await make_executor(registry=await ToolRegistry.from_dir(folder))
        return (await executor.run(code)).unwrap()

    return run_code


@pytest.mark.needs("git")
async def test_git(folder: Path, run):
    """Recipes of one command are tools of one group, with signatures, checks and input."""
    (folder / "git.yaml").write_text(GIT)
    subprocess.run(["git", "init", "--quiet", folder / "repository"], check=True)
    value = await run("""
        import inspect
        for number in range(3):
            tools.git.commit(message=f"change {number}; $(id)\\n\\nmore")
        tools.git.commit(amend=True, message="-- last 'one'")
        errors = []
        for wrong in ({"commit": "--output=x"}, {"commit": "a b"}, {"comit": "HEAD"}, {}):
            try:
                tools.git.show(**wrong)
            except tools.ToolCallError as error:
                errors.append(str(error))
        try:
            tools.git.show("nothing-here")
        except tools.ToolCallError as error:
            failed = error.exit_code
        (tools.git.log(n=2), tools.git.log(), tools.git.log(paths=["none"]), tools.git.show("HEAD"),
         tools.git.diff("HEAD~1", "HEAD"), str(inspect.signature(tools.git.log)), errors, failed)
    """)
    last_two, every, none, shown, diff, signature, errors, failed = value
    assert last_two == ["-- last 'one'", "change 1; $(id)"]
    assert every == [*last_two, "change 0; $(id)"]
    assert none == []
    assert shown == "-- last 'one'|A\n"
    assert diff == ""
    assert signature == "(n: int = 10, paths: list[str] | None = None) -> list[str]"
    assert "must match" in errors[0]
    assert "must match" in errors[1]
    assert "did you mean 'commit'" in errors[2]
    assert "argument 'commit' is missing" in errors[3]
    assert failed == 128


@pytest.mark.needs("jq")
async def test_jq(folder: Path, run):
    """Data goes in as input, however large, and comes out as values."""
    (folder / "jq.yaml").write_text(JQ)
    value = await run("""
        people = [{"name": "Ada", "age": 36}, {"name": "Böb", "age": 7}]
        many = tools.jq(".[]", data=list(range(50_000)))
        args = tools.jq("$x", args="--arg x 'a b' --null-input")
        try:
            tools.jq("[[[", data="{}")
        except tools.ToolCallError as error:
            wrong = error.exit_code
        try:
            tools.jq(".name", data={"name": "no JSON"}, raw=True)
        except tools.ToolCallError as error:
            kept = error.stdout
        tools.jq(".[] | select(.age > 10)", data=people), sum(many), args, wrong, kept
    """)
    assert value == ([{"name": "Ada", "age": 36}], sum(range(50_000)), ["a b"], 3, "no JSON\n")


@pytest.fixture
def server() -> Iterator[str]:
    """A server on this machine that tells what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length).decode()
            told = {"method": self.command, "path": self.path, "body": body}
            told["x"] = self.headers.get("X-Test")
            self.send_response(404 if self.path == "/none" else 200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.needs("curl")
async def test_curl(folder: Path, run, server: str):
    """A real request and its answer; no argument reaches another host or a file."""
    (folder / "curl.yaml").write_text(CURL)
    value = await run(f"""
        got = tools.curl("{server}/a?b=c d".replace(" ", "%20"))
        body = "x" * 300_000
        put = tools.curl("{server}/p", method="PUT", headers=["X-Test: a; b"], data=True, body=body)
        errors = []
        for wrong in ({{"url": "file:///etc/passwd"}}, {{"url": "{server}/none"}},
                      {{"url": "{server}/", "method": "DELETE"}},
                      {{"url": "{server}/", "headers": ["-K/etc/passwd"]}}):
            try:
                tools.curl(**wrong)
            except tools.ToolError as error:
                errors.append(str(error))
        got, put["method"], put["x"], put["body"] == body, errors
    """)
    got, method, header, same, errors = value
    assert got == {"method": "GET", "path": "/a?b=c%20d", "body": "", "x": None}
    assert (method, header, same) == ("PUT", "a; b", True)
    assert "must match" in errors[0]
    assert "404" in errors[1]
    assert "one of 'GET', 'POST', 'PUT'" in errors[2]
    assert "must match" in errors[3]


@pytest.mark.needs("nmap")
async def test_nmap(folder: Path, run, server: str):
    """A scan of this machine finds the server's port and takes no other target."""
    (folder / "nmap.yaml").write_text(NMAP)
    port = server.rpartition(":")[2]
    lines, error = await run(f"""
        lines = tools.nmap(["127.0.0.1"], ports="{port}")
        try:
            tools.nmap(targets=["127.0.0.1", "10.0.0.1"])
        except tools.ToolCallError as caught:
            error = str(caught)
        lines, error
    """)
    assert any(f"{port}/open/tcp" in line for line in lines)
    assert "'targets[1]' must match" in error


NAMES = {
    "a-b": "a_b",
    "class": "class_",
    "3d": "_3d",
    "list": "list_",
    "ünïcode": "ünïcode",
    "_x": "_x_",
    "a b!": "a_b_",
    "x.y-z": "x.y_z",
    "日本": "日本",
    "call": "call_",
    "None": "None_",
}
"""Names of tools, and the attributes by which they go."""


async def test_awkward_names(folder: Path, run):
    """Whatever a tool is called, the kernel reaches it by its exact and by its clean name."""
    for name, clean in NAMES.items():
        file = folder / f"{clean}.yaml"
        file.write_text(f'name: "{name}"\ncommand: printf\nargs: "%s {{x}}"\n')
    exact, listed, clean = await run(f"""
        [tools.call(name, {{"x": name}}) for name in {[*NAMES]!r}], {{
            tool["name"] for tool in tools.list()}}, [{
        ", ".join(f"tools.{clean}(x=1)" for clean in NAMES.values())
    }]
    """)
    assert exact == [*NAMES]
    assert listed == {*NAMES}
    assert clean == ["1"] * len(NAMES)


async def test_clashes_are_reported(folder: Path):
    """Two names that would be one attribute are an error that names both files."""
    (folder / "1.yaml").write_text("name: a-b\ncommand: echo\n")
    (folder / "2.yaml").write_text("name: a_b\ncommand: echo\n")
    with pytest.raises(ConfigError) as caught:
        await ToolRegistry.from_dir(folder)
    assert "tool 'a_b' (2.yaml) and tool 'a-b' (1.yaml) would both be tools.a_b" in str(
        caught.value
    )
    async with await ToolRegistry.from_dir(folder, lenient=True) as registry:
        assert [info.name for info in registry.list_tools()] == ["a-b"]
        assert len(registry.problems) == 1
