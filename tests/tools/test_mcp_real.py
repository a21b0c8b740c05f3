"""MCP servers that were not written here; ``make test`` installs them."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from py_code_mode import CodeExecutor, MCPAdapter, Media, ResourceLink, ToolProgressed
from py_code_mode.errors import ToolCallError, ToolTimeoutError
from py_code_mode.tools.reports import Progress, Report, reporting
from tests.conftest import ROOT

EVERYTHING = str(ROOT / ".venv-npm/node_modules/.bin/mcp-server-everything")
FILES = str(ROOT / ".venv-npm/node_modules/.bin/mcp-server-filesystem")
PYTHON_SERVERS = ROOT / ".venv-mcp-servers/bin"
FETCH, GIT, TIME = (str(PYTHON_SERVERS / f"mcp-server-{name}") for name in ("fetch", "git", "time"))

Start = Callable[..., Awaitable[MCPAdapter]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start adapters that are closed after the test."""
    started: list[MCPAdapter] = []

    async def start(name: str, **settings: Any) -> MCPAdapter:
        started.append(MCPAdapter(name, **settings))
        await started[-1].start()
        return started[-1]

    yield start
    for adapter in started:
        await adapter.aclose()


@contextlib.contextmanager
def everything(transport: str, port: int | None = None) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run the server of everything at a port; its address and process."""
    if port is None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "PORT": str(port), "KEY": "hidden!"}
    kind = {"http": "streamableHttp", "sse": "sse"}[transport]
    with subprocess.Popen(
        [EVERYTHING, kind], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.02)
            path = {"http": "mcp", "sse": "sse"}[transport]
            yield f"http://127.0.0.1:{port}/{path}", process
        finally:
            process.kill()


# --- everything ---------------------------------------------------------------------------------

Check = Callable[[Any], object]


def is_picture(value: Any) -> bool:
    return isinstance(value, Media) and value.data.startswith(b"\x89PNG")


CASES: list[tuple[str, dict[str, Any], Check]] = [
    ("echo", {"message": "hi"}, lambda v: v == "Echo: hi"),
    (
        "get-annotated-message",
        {"messageType": "error", "includeImage": True},
        lambda v: v[0] == "Error: Operation failed" and is_picture(v[1]),
    ),
    ("get-annotated-message", {"messageType": "debug"}, lambda v: v.startswith("Debug:")),
    ("get-env", {}, lambda v: v["KEY"] == "***" and "PATH" in v),
    (
        "get-resource-links",
        {"count": 2},
        lambda v: (
            [type(each) for each in v] == [str, ResourceLink, ResourceLink]
            and v[1].uri == "demo://resource/dynamic/blob/1"
        ),
    ),
    (
        "get-resource-reference",
        {"resourceType": "Text", "resourceId": 1},
        lambda v: "Resource 1: This is a plaintext resource" in v[1],
    ),
    (
        "get-resource-reference",
        {"resourceType": "Blob", "resourceId": 2},
        lambda v: isinstance(v[1], Media) and v[1].data.startswith(b"Resource 2: This is a base64"),
    ),
    (
        "get-structured-content",
        {"location": "Chicago"},
        lambda v: v.keys() == {"temperature", "conditions", "humidity"},
    ),
    ("get-sum", {"a": 1, "b": 2.5}, lambda v: v == "The sum of 1 and 2.5 is 3.5."),
    ("get-tiny-image", {}, lambda v: is_picture(v[1]) and "MCP logo" in v[2]),
    (
        "gzip-file-as-resource",
        {"name": "a.gz", "data": "data:text/plain,hello", "outputType": "resource"},
        lambda v: v.mime_type == "application/gzip" and gzip.decompress(v.data) == b"hello",
    ),
    (
        "gzip-file-as-resource",
        {"name": "a.gz", "data": "data:text/plain,hello"},
        lambda v: v == ResourceLink("demo://resource/session/a.gz", "a.gz", "application/gzip"),
    ),
    (
        "simulate-research-query",  # runs only as a task
        {"topic": "tides"},
        lambda v: v.startswith("# Research Report: tides"),
    ),
    ("toggle-simulated-logging", {}, lambda v: v.startswith("Started")),
    ("toggle-simulated-logging", {}, lambda v: v.startswith("Stopped")),
    ("toggle-subscriber-updates", {}, lambda v: v.startswith("Started")),
    ("toggle-subscriber-updates", {}, lambda v: v.startswith("Stopped")),
    (
        "trigger-long-running-operation",
        {"duration": 0.3, "steps": 3},
        lambda v: v == "Long running operation completed. Duration: 0.3 seconds, Steps: 3.",
    ),
]


@pytest.mark.needs("node", EVERYTHING)
@pytest.mark.parametrize("transport", ["stdio", "sse", "http"])
async def test_every_tool_of_the_server_of_everything(transport, start):
    """Each of its tools is called, over each transport, and gives what it should."""
    secret = {"KEY": "hidden!"}
    with contextlib.ExitStack() as stack:
        if transport == "stdio":
            how = {"command": EVERYTHING, "args": ["stdio"], "env": {"KEY": "${KEY}"}}
        else:
            url = stack.enter_context(everything(transport))[0]
            how = {"transport": transport, "url": url, "headers": {"X-Key": "${KEY}"}}
        adapter = await start("all", **how, secrets=secret)
        names = {info.name.removeprefix("all.") for info in adapter.tools()}
        assert names == {name for name, _, _ in CASES}
        for name, arguments, check in CASES:
            reports: list[Report] = []
            with reporting(reports.append):
                value = await adapter.call(f"all.{name}", arguments)
            assert check(value), f"{name}: {value!r}"
        assert [each for each in reports if isinstance(each, Progress)] == [
            Progress(step, 3) for step in (1, 2, 3)
        ]
        for name, arguments in (("get-sum", {"a": "x", "b": 1}), ("echo", {"message": 5})):
            with pytest.raises(ToolCallError, match=r"failed: .*Invalid arguments"):
                await adapter.call(f"all.{name}", arguments)
        await adapter.aclose()


@pytest.mark.needs("node", EVERYTHING)
async def test_the_one_tool_that_runs_only_as_a_task(start):
    """What its server says of the task is told as progress; giving up cancels the task."""
    import mcp_types

    adapter = await start("all", command=EVERYTHING, timeout=2.5)
    reports: list[Report] = []
    with reporting(reports.append), pytest.raises(ToolTimeoutError, match=r"limit of 2.5 s"):
        await adapter.call("all.simulate-research-query", {"topic": "tides"})
    assert reports[0] == Progress(1, None, "Gathering sources...")
    # Asked for now and then: a busy machine may have missed the stage between.
    assert reports[1] in {
        Progress(2, None, "Analyzing content..."),
        Progress(2, None, "Synthesizing findings..."),
    }
    session = adapter._connection._client.session
    listed = await session.send_request(mcp_types.ListTasksRequest(), mcp_types.ListTasksResult)
    assert [task.status for task in listed.tasks] == ["cancelled"]


@pytest.mark.needs("node", EVERYTHING)
@pytest.mark.parametrize("transport", ["sse", "http"])
async def test_a_restarted_server_of_everything(transport, start, eventually):
    """A server that lost its sessions is connected to once more."""
    with everything(transport) as (url, process):
        adapter = await start("all", transport=transport, url=url)
        assert await adapter.call("all.echo", {"message": "one"}) == "Echo: one"
        process.kill()
        process.wait()
        if transport == "sse":  # only there the connection itself can be seen to end
            await eventually(lambda: not adapter._connection.is_alive)
    with everything(transport, int(url.split(":")[2].split("/")[0])):
        assert await adapter.call("all.echo", {"message": "two"}) == "Echo: two"
        await adapter.aclose()


# --- files, git, time, web ----------------------------------------------------------------------


@pytest.mark.needs("node", FILES)
async def test_the_server_of_files(start, tmp_path):
    """Files are written, read, listed and changed in its directory, and nowhere else."""
    tmp_path = tmp_path.resolve()
    adapter = await start("fs", command=FILES, args=[str(tmp_path)])

    async def call(name: str, **arguments: Any) -> Any:
        value = await adapter.call(f"fs.{name}", arguments)
        return value["content"]

    file = tmp_path / "a b.txt"
    await call("write_file", path=str(file), content="one\ntwo\nü\n")
    assert file.read_text() == "one\ntwo\nü\n"
    assert await call("read_text_file", path=str(file), head=1) == "one"
    edits = [{"oldText": "two", "newText": "zwei"}]
    assert "+zwei" in await call("edit_file", path=str(file), edits=edits)
    await call("create_directory", path=str(tmp_path / "sub"))
    assert sorted((await call("list_directory", path=str(tmp_path))).splitlines()) == [
        "[DIR] sub",
        "[FILE] a b.txt",
    ]
    tree = json.loads(await call("directory_tree", path=str(tmp_path)))
    assert {entry["name"] for entry in tree} == {"a b.txt", "sub"}
    await call("move_file", source=str(file), destination=str(tmp_path / "sub" / "b.txt"))
    found = await call("search_files", path=str(tmp_path), pattern="**/*.txt")
    assert found == str(tmp_path / "sub" / "b.txt")
    with pytest.raises(ToolCallError, match="Access denied"):
        await call("read_text_file", path="/etc/passwd")


@pytest.mark.needs("git", GIT)
async def test_the_server_of_git(start, tmp_path):
    """A file is added, committed and found in the log of a real repository."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    who = {
        f"GIT_{role}_{what}": "a@b.example"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    adapter = await start("git", command=GIT, env=who, include=["git_*"])
    (tmp_path / "a.txt").write_text("text\n")

    async def call(name: str, **arguments: Any) -> Any:
        return await adapter.call(f"git.git_{name}", {"repo_path": str(tmp_path), **arguments})

    assert "a.txt" in await call("status")
    await call("add", files=["a.txt"])
    assert "+text" in await call("diff_staged")
    assert "committed" in await call("commit", message="first; $(id)")
    assert "first; $(id)" in await call("log", max_count=1)
    shown = subprocess.run(
        ["git", "-C", str(tmp_path), "log", "--format=%s"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "first; $(id)\n"
    with pytest.raises(ToolCallError, match="git_show"):
        await call("show", revision="nope")


@pytest.mark.needs(TIME)
async def test_the_server_of_time(start):
    """Times come as dicts, and a zone that is none is an error with the server's text."""
    adapter = await start("time", command=TIME)
    now = await adapter.call("time.get_current_time", {"timezone": "Etc/UTC"})
    assert now["timezone"] == "Etc/UTC"
    there = await adapter.call(
        "time.convert_time",
        {"source_timezone": "Etc/UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"},
    )
    assert there["time_difference"] == "+9.0h"
    with pytest.raises(ToolCallError, match="Nowhere"):
        await adapter.call("time.get_current_time", {"timezone": "Nowhere"})


@pytest.fixture
def page() -> Iterator[str]:
    """Address of a page on the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><body><h1>Title</h1><p>plums and pears</p></body></html>")

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.needs(FETCH)
async def test_the_server_of_pages(start, page):
    """A page on a loopback port is fetched by a server that may go there, and by no other."""
    shy = await start("shy", command=FETCH, args=["--ignore-robots-txt"])
    with pytest.raises(ToolCallError, match="not a public address"):
        await shy.call("shy.fetch", {"url": page})
    free = ["--ignore-robots-txt", "--allow-private-ips"]
    adapter = await start("web", command=FETCH, args=free, env={"NO_PROXY": "127.0.0.1"})
    raw = await adapter.call("web.fetch", {"url": page, "raw": True})
    assert "<p>plums and pears</p>" in raw
    with pytest.raises(ToolCallError, match=r"tool 'web.fetch' failed"):
        await adapter.call("web.fetch", {"url": "http://127.0.0.1:9/"})


# --- from a kernel ------------------------------------------------------------------------------


@pytest.mark.needs("node", EVERYTHING, FILES)
async def test_servers_from_a_cell(tmp_path):
    """A cell calls tools of several servers, a picture shows, progress is streamed, secrets are not."""
    tools, files = tmp_path / "tools", tmp_path / "files"
    tools.mkdir()
    files.mkdir()
    (tools / "all.yaml").write_text(
        f"name: all\ntype: mcp\ncommand: {EVERYTHING}\n"
        "env: {KEY: '${TEST_MCP_KEY:-hidden-default}'}\ntags: [demo]\n"
    )
    (tools / "fs.yaml").write_text(
        f"name: fs\ntype: mcp\ncommand: {FILES}\nargs: ['{files}']\ninclude: [write_file]\n"
    )
    (tools / "gone.yaml").write_text("name: gone\ntype: mcp\ncommand: no-such-program\n")
    async with await CodeExecutor.create(tools=str(tools)) as executor:
        assert [problem.reason for problem in executor.problems] == [
            "MCP server 'gone' did not start: 'no-such-program' is not installed, or not on the PATH"
        ]
        result = await executor.run(f"""
            words, picture, _ = tools.all.get_tiny_image()
            picture.save({str(files / "logo.png")!r})
            tools.fs.write_file(path={str(files / "a.txt")!r}, content=tools.all.echo(message="hi"))
            print(type(picture).__name__, picture.mime_type, len(picture.data))
            picture
        """)
        assert result.error is None, result.text
        assert result.stdout == "Media image/png 4033\n"
        assert (files / "logo.png").read_bytes().startswith(b"\x89PNG")
        assert (files / "a.txt").read_text() == "Echo: hi"
        assert is_picture(result.value)
        (shown,) = [output for output in result.outputs if "image/png" in output.data]
        assert shown
        steps = [
            event.progress
            async for event in executor.stream(
                "tools.all.trigger_long_running_operation(duration=0.2, steps=2)"
            )
            if isinstance(event, ToolProgressed)
        ]
        assert steps == [1.0, 2.0]
        mistake = await executor.run("tools.all.get_sum(a=1, c=2)")
        assert "no argument 'c'" in mistake.error.message
