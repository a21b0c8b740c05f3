"""MCP servers as tools: what is offered, how calls go, and what becomes of bad servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import psutil
import pytest

from py_code_mode import CodeExecutor, MCPAdapter, Media, ToolRegistry
from py_code_mode.errors import (
    ConfigError,
    ToolCallError,
    ToolError,
    ToolNotFoundError,
    ToolTimeoutError,
)
from py_code_mode.tools.base import StartingAdapter
from py_code_mode.tools.reports import Log, Progress, Report, reporting
from tests.conftest import ROOT
from tests.tools.mcp_servers import listening, odd, proof

Start = Callable[[MCPAdapter], Awaitable[MCPAdapter]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start adapters that are closed after the test."""
    started: list[MCPAdapter] = []

    async def start(adapter: MCPAdapter) -> MCPAdapter:
        started.append(adapter)
        await adapter.start()
        return adapter

    yield start
    for adapter in started:
        await adapter.aclose()


def odd_servers() -> list[int]:
    """The odd servers that are running now as children of this process."""
    found = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # also when it is a zombie
            if "odd_server" in str(each.cmdline()):
                found.append(each.pid)
    return found


@pytest.fixture(scope="module", params=["http", "sse"])
def web(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Transport and address of a server that listens on the loopback interface."""
    with listening(request.param) as (url, _):
        yield {"transport": request.param, "url": url}


# --- what is offered ----------------------------------------------------------------------------


async def test_schemas_become_signatures(start):
    """Types, defaults, descriptions and return annotations come from the server's schemas."""
    adapter = await start(proof(tags=["weather"]))
    assert isinstance(adapter, StartingAdapter)
    tools = {info.name: info for info in adapter.tools()}
    forecast = tools["proof.forecast"]
    assert forecast.description.splitlines()[0] == "Temperatures of the next days."
    assert forecast.tags == {"weather"}
    assert [(param.name, param.annotation, param.required) for param in forecast.params] == [
        ("city", "str", True),
        ("days", "int", False),
        ("unit", "Literal['c', 'f']", False),
        ("near", "str | None", False),
    ]
    assert [param.default for param in forecast.params[1:]] == [1, "c", None]
    assert forecast.output_schema["properties"].keys() == {"city", "degrees"}
    assert [tools[f"proof.{name}"].returns for name in ("forecast", "numbers", "echo")] == [
        "dict[str, Any]",
        "list[int]",
        "str",
    ]


async def test_five_hundred_tools(start):
    """All pages of a long list are asked for."""
    adapter = await start(odd("fine", 500))
    names = [info.name for info in adapter.tools()]
    assert len(names) == len(set(names)) == 511
    assert await adapter.call("odd.tool_499", {}) == "tool_499"


async def test_include_and_exclude(start):
    """Patterns choose tools by the names their server gives them; one that fits none is told of."""
    adapter = odd("fine", 20, include=["tool_1*", "pid", "nope*"], exclude=["tool_1[0-8]"])
    await start(adapter)
    assert [info.name for info in adapter.tools()] == ["odd.pid", "odd.tool_1", "odd.tool_19"]
    assert await adapter.start() == ["MCP server 'odd' has no tool that matches include 'nope*'"]


async def test_odd_names():
    """Every name that can be used is reachable, exact and clean; the others are told of."""
    async with ToolRegistry() as registry:
        told = await registry.connect(odd("names"))
        names = [info.name.removeprefix("odd.") for info in registry.list_tools()]
        assert names == ["a-b", "class", "3d", "list", "ünïcode", "dot.ted"]
        clean = ["a_b", "class_", "_3d", "list", "ünïcode", "dot.ted"]
        for exact, attribute in zip(names, clean, strict=True):
            assert await registry.call_tool(f"odd.{exact}", {}) == exact
            assert await registry.call_tool(f"odd.{attribute}", {}) == exact
        assert len(told) == 4
        assert "'a_b'" in told[0]
        assert "would both be tools.odd.a_b" in told[0]


async def test_changed_tools_are_taken_note_of(start, eventually):
    """After a server has said that its tools changed, the adapter offers and calls the new ones."""
    adapter = await start(odd())
    await adapter.call("odd.more", {})
    await eventually(lambda: "odd.extra" in [info.name for info in adapter.tools()])
    assert await adapter.call("odd.extra", {}) == "extra"


async def test_changed_tools_reach_sessions(eventually):
    """A tool that a server got while it ran is there in the next cell of an open session."""
    async with ToolRegistry() as registry, CodeExecutor(registry) as executor:
        await registry.connect(odd())
        assert (await executor.run("tools.odd.more()")).value == "more"
        await eventually(lambda: registry.get_tool("odd.extra"))
        assert (await executor.run("tools.odd.extra()")).value == "extra"
        assert registry.get_tool("odd.more") is not None


# --- calls --------------------------------------------------------------------------------------


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody traces, whatever other tests have set up for this process."""
    monkeypatch.setattr("py_code_mode.tracing.is_on", lambda: False)


@pytest.mark.parametrize("make", [proof, odd], ids=["newest", "older"])
async def test_piped_calls_are_what_the_sdk_sends(start, make, untraced):
    """A call over a pipe is written here; its message is the one the SDK would have written."""
    adapter = await start(make())
    connection, lines = adapter._connection, []
    write = connection._process._child.write

    def keep(data: bytes) -> bool:
        lines.append(json.loads(data))
        return write(data)

    connection._process._child.write = keep
    name, arguments = ("echo", {"x": "ü"}) if make is proof else ("arguments", {"x": "ü"})
    ours = await adapter.call(f"{'proof' if make is proof else 'odd'}.{name}", arguments)
    theirs = await connection._client.call_tool(name, arguments)
    assert ours == theirs.structured_content.get("result", theirs.structured_content)
    mine, sdks = lines
    assert isinstance(mine.pop("id"), int)
    assert isinstance(sdks.pop("id"), int)
    sdks["params"].get("_meta", {}).pop("traceparent", None)
    mine["params"].setdefault("_meta", {})
    sdks["params"].setdefault("_meta", {})
    assert mine == sdks


async def test_calls_that_are_traced(start, monkeypatch: pytest.MonkeyPatch):
    """With tracing on a call goes the SDK's way, which makes spans, and gives the same."""
    adapter = await start(proof())
    monkeypatch.setattr("py_code_mode.tracing.is_on", lambda: True)
    monkeypatch.setattr(adapter._connection, "_piped", None)
    assert await adapter.call("proof.echo", {"x": "a"}) == "a\n"
    with pytest.raises(ToolCallError, match="gone wrong"):
        await adapter.call("proof.fail", {})


async def test_a_server_that_wants_something_first(start, untraced):
    """A server that answers with a request of its own is an error that says so."""
    adapter = await start(odd())
    wanting = {"resultType": "input_required", "inputRequests": {}}
    with pytest.raises(ToolCallError, match=r"'answer' of MCP server 'odd': it asks the client"):
        await adapter.call("odd.answer", {"result": wanting})


async def test_structured_results(start):
    """Structured content is the value; what the SDK has wrapped around it is taken off."""
    adapter = await start(proof())
    answer = await adapter.call("proof.forecast", {"city": "Oslo", "days": 2, "near": None})
    assert answer == {"city": "Oslo", "degrees": [3.5, 4.5]}
    assert await adapter.call("proof.numbers", {}) == [1, 2, 3]
    assert await adapter.call("proof.echo", {"x": '{"a": 1}'}) == '{"a": 1}\n'
    picture = await adapter.call("proof.picture", {})
    assert isinstance(picture, Media)
    assert picture.data.startswith(b"\x89PNG")
    with pytest.raises(ToolCallError, match=r"^tool 'proof.fail' failed: .*gone wrong$"):
        await adapter.call("proof.fail", {})


async def test_arguments_are_checked_before_they_are_sent(start):
    """Wrong names and values that are no JSON are errors that say what would be right."""
    adapter = await start(proof())
    with pytest.raises(ToolCallError, match=r"no argument 'town'.*it takes 'city', 'days'"):
        await adapter.call("proof.forecast", {"town": "Oslo"})
    with pytest.raises(ToolCallError, match="argument 'city' is missing"):
        await adapter.call("proof.forecast", {})
    for value in (b"bytes", {1, 2}, float("nan"), "\udcff", object()):
        with pytest.raises(ToolCallError, match="argument 'city' is no JSON value"):
            await adapter.call("proof.forecast", {"city": value})
    with pytest.raises(ToolCallError, match="days"):
        await adapter.call("proof.forecast", {"city": "Oslo", "days": "many"})
    with pytest.raises(ToolNotFoundError, match=r"did you mean 'proof.forecast'"):
        await adapter.call("proof.forecasts", {})


async def test_fifty_calls_overlap(start):
    """Fifty calls of half a second through one server take little more than one."""
    adapter = await start(proof())
    begin = time.monotonic()
    answers = await asyncio.gather(*(adapter.call("proof.pause", {}) for _ in range(50)))
    assert answers == ["done"] * 50
    assert time.monotonic() - begin < 5


async def test_a_result_of_twenty_megabytes(start):
    """A large result arrives whole."""
    adapter = await start(odd())
    assert await adapter.call("odd.big", {"size": 20_000_000}) == "x" * 20_000_000


async def test_progress_and_log_messages_reach_the_caller(start):
    """What a server tells while it works on a call goes where that call's reports go."""
    adapter = await start(proof())
    reports: list[Report] = []
    with reporting(reports.append):
        assert await adapter.call("proof.work", {"steps": 2}) == "worked"
    assert reports == [
        Progress(1, 2, "step 1"),
        Progress(2, 2, "step 2"),
        Log("warning", "worker: nearly done"),
    ]


async def test_log_messages_of_nobodys_call_are_logged(start, caplog):
    """A line that is no single call's goes to the host's log, without secrets."""
    adapter = await start(odd(env={"KEY": "${KEY}"}, secrets={"KEY": "hidden!"}))
    assert await adapter.call("odd.log", {}) == "logged"
    (record,) = [each for each in caplog.records if "a line" in each.message]
    assert record.levelno == logging.ERROR
    assert "'odd'" in record.message
    assert '"key": "***"' in record.message


async def test_the_servers_errors_are_logged(start, caplog, eventually):
    """What a server prints on its standard error is in the log, without secrets."""
    caplog.set_level(logging.INFO)
    await start(odd(env={"KEY": "${KEY}"}, secrets={"KEY": "hidden!"}))
    await eventually(lambda: "server starts, key ***" in caplog.text)
    assert "hidden!" not in caplog.text


async def test_a_cancelled_call_is_cancelled_at_the_server(start, eventually):
    """Cancelling a call, and its time limit, tell the server to stop."""
    adapter = await start(odd(timeout=0.3))
    with pytest.raises(ToolTimeoutError, match=r"'odd' took longer than its limit of 0.3 s"):
        await adapter.call("odd.silent", {})
    task = asyncio.create_task(adapter.call("odd.silent", {}))
    await adapter.call("odd.pid", {})  # by then the other call is under way
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    cancelled = await adapter.call("odd.cancelled", {})
    assert len(cancelled) == 2


async def test_an_error_of_the_protocol_is_a_tools_error(start):
    """A server that refuses a call gives its reason."""
    adapter = await start(odd())
    with pytest.raises(ToolCallError, match="'odd': not like this"):
        await adapter.call("odd.refuse", {})


# --- bad servers --------------------------------------------------------------------------------


async def test_killed_between_calls(start, is_running, eventually):
    """A server that died between two calls is started again for the second, once."""
    adapter = await start(odd())
    first = int(await adapter.call("odd.pid", {}))
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: not is_running(first))
    answers = await asyncio.gather(*(adapter.call("odd.pid", {}) for _ in range(5)))
    assert len(set(answers)) == 1
    assert int(answers[0]) != first


async def test_killed_and_not_coming_back(tmp_path, is_running, eventually):
    """A server that died and does not start again is a clear error that names it."""
    file = tmp_path / "server.py"
    file.write_bytes((ROOT / "tests/tools/servers/odd_server.py").read_bytes())
    adapter = MCPAdapter("frail", command=sys.executable, args=[str(file)])
    await adapter.start()
    pid = int(await adapter.call("frail.pid", {}))
    file.write_text("raise SystemExit('out of order')")
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not is_running(pid))
    for _ in range(2):
        with pytest.raises(ToolCallError, match=r"(?s)'frail' had ended.*out of order"):
            await adapter.call("frail.pid", {})
    await adapter.aclose()


async def test_killed_in_a_call(start):
    """A server that dies in a call ends the call at once, and says so; the next call works."""
    adapter = await start(odd())
    waiting = asyncio.create_task(adapter.call("odd.silent", {}))
    await adapter.call("odd.pid", {})  # by then the other call is under way
    begin = time.monotonic()
    with pytest.raises(ToolCallError, match=r"'odd' ended while its tool 'die' ran: exit code 3"):
        await adapter.call("odd.die", {})
    with pytest.raises(ToolCallError, match=r"(?s)'silent' ran.*the end is near"):
        await waiting
    assert time.monotonic() - begin < 10  # its own limit is sixty
    assert int(await adapter.call("odd.pid", {}))


async def test_hanging_at_start():
    """A server that never answers is an error within its limit, and is gone."""
    adapter = odd("hang", start_timeout=0.5)
    begin = time.monotonic()
    with pytest.raises(ToolError, match=r"'odd' did not answer within 0.5 s"):
        await adapter.start()
    assert time.monotonic() - begin < 10
    assert not odd_servers()
    await adapter.aclose()


async def test_giving_up_a_start(eventually):
    """Whoever gives up waiting for a server leaves no process behind."""
    adapter = odd("hang")
    starting = asyncio.create_task(adapter.start())
    await eventually(odd_servers)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not odd_servers()
    await adapter.aclose()


async def test_not_starting():
    """A server that ends, or is not there, is an error with what it said, without secrets."""
    adapter = odd("exit", env={"KEY": "${KEY}"}, secrets={"KEY": "hidden!"})
    with pytest.raises(ToolError, match=r"(?s)'odd' did not start: exit code 1.*no way, \*\*\*"):
        await adapter.start()
    adapter = MCPAdapter("none", command="no-such-program")
    with pytest.raises(ToolError, match="'none' did not start: 'no-such-program' is not installed"):
        await adapter.start()
    adapter = MCPAdapter("none", transport="http", url="http://127.0.0.1:9/mcp")
    with pytest.raises(ToolError, match="'none' did not start: ConnectError"):
        await adapter.start()
    with listening("http") as (url, _):
        for transport in ("http", "sse"):
            adapter = MCPAdapter("none", transport=transport, url=f"{url}/nowhere")
            with pytest.raises(ToolError, match=r"'none' did not start: .*(404|Not Found)"):
                await adapter.start()


async def test_junk_on_stdout(start):
    """What a server prints beside its messages is no matter."""
    adapter = await start(odd("junk", 200))
    assert len(adapter.tools()) == 211
    assert await adapter.call("odd.pid", {})


@pytest.mark.parametrize(
    "result",
    [
        None,
        5,
        "text",
        [],
        {},
        {"content": None},
        {"content": [{"type": "unheard-of"}]},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "image", "data": 5, "mimeType": "image/png"}]},
        {"content": [], "structuredContent": "text", "isError": "maybe"},
    ],
    ids=json.dumps,
)
async def test_answers_that_are_none(start, result):
    """An answer that does not follow the protocol is a tool's error, and the server stays."""
    adapter = await start(odd(timeout=5))
    with pytest.raises(ToolCallError, match=r"its answer|did not return structured"):
        await adapter.call("odd.answer", {"result": result})
    assert await adapter.call("odd.pid", {})


async def test_the_whole_group_ends_with_the_adapter(is_running, eventually):
    """A server, what it has started, and one that hears no signal: all are gone after closing."""
    adapter = odd("stubborn")
    await adapter.start()
    pids = [int(await adapter.call(f"odd.{name}", {})) for name in ("pid", "child")]
    assert all(map(is_running, pids))
    await adapter.aclose()
    await adapter.aclose()
    await eventually(lambda: not any(map(is_running, pids)))
    with pytest.raises(ToolCallError, match="'odd' is closed"):
        await adapter.call("odd.pid", {})


async def test_the_whole_group_ends_with_a_killed_host(is_running, eventually):
    """A host that is killed leaves neither the server nor what it has started behind."""
    program = (
        "import asyncio, sys\n"
        "from tests.tools.mcp_servers import odd\n"
        "async def main():\n"
        "    adapter = odd('stubborn')\n"
        "    await adapter.start()\n"
        "    print(await adapter.call('odd.pid', {}), await adapter.call('odd.child', {}), flush=True)\n"
        "    await asyncio.sleep(100)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as host:
        pids = [int(word) for word in (await asyncio.to_thread(host.stdout.readline)).split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        host.kill()
    await eventually(lambda: not any(map(is_running, pids)))


async def test_closing_ends_calls():
    """A call that runs when its adapter is closed ends with a tool's error."""
    adapter = odd()
    await adapter.start()
    waiting = asyncio.create_task(adapter.call("odd.silent", {}))
    await adapter.call("odd.pid", {})  # by then the other call is under way
    await adapter.aclose()
    with pytest.raises(ToolCallError, match="'odd' ended while"):
        await waiting


async def test_the_environment_of_a_server(start, monkeypatch):
    """A server sees the few variables every program needs and those its file gives it."""
    monkeypatch.setenv("HOST_SECRET", "not for servers")
    adapter = await start(proof(env={"MODE": "test"}))
    seen = await adapter.call("proof.environment", {})
    assert seen["MODE"] == "test"
    assert seen.keys() >= {"PATH"}
    assert seen.keys() <= {
        *("HOME", "LC_CTYPE", "LOGNAME", "MODE", "PATH", "SHELL", "TERM", "USER"),
    }


# --- over the network ---------------------------------------------------------------------------


async def test_servers_over_http(web, start):
    """Over streamable HTTP and over SSE the same calls give the same answers and reports."""
    adapter = await start(MCPAdapter("net", **web))
    assert await adapter.call("net.numbers", {}) == [1, 2, 3]
    reports: list[Report] = []
    with reporting(reports.append):
        assert await adapter.call("net.work", {"steps": 1}) == "worked"
    assert reports == [Progress(1, 1, "step 1"), Log("warning", "worker: nearly done")]
    waits = [adapter.call("net.pause", {}) for _ in range(10)]
    begin = time.monotonic()
    assert await asyncio.gather(*waits) == ["done"] * 10
    assert time.monotonic() - begin < 4.5  # one after the other they take five
    with pytest.raises(ToolCallError, match="gone wrong"):
        await adapter.call("net.fail", {})


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_restarted_server_over_http(transport, start):
    """A server that was killed and came back is used again; one that did not is named."""
    with listening(transport) as (url, process):
        adapter = await start(MCPAdapter("net", transport=transport, url=url))
        waiting = asyncio.create_task(adapter.call("net.pause", {}))
        await adapter.call("net.numbers", {})  # by then the other call is under way
        process.kill()
        process.wait()
        with pytest.raises(ToolCallError, match="'net' ended while its tool 'pause' ran"):
            await waiting
    with pytest.raises(
        ToolCallError, match=r"'net' had ended and, started again, did not start: Conn"
    ):
        await adapter.call("net.numbers", {})
    with listening(transport, int(url.split(":")[2].split("/")[0])):
        assert await adapter.call("net.numbers", {}) == [1, 2, 3]


async def test_secrets_of_addresses_are_in_no_log(start, caplog):
    """Neither the SDK nor its HTTP client logs what stands for a secret in url and headers."""
    caplog.set_level(logging.DEBUG)
    with listening("http") as (url, _):
        adapter = MCPAdapter(
            "net",
            transport="http",
            url=f"{url}?key=${{KEY}}",
            headers={"Authorization": "Bearer ${TOKEN}"},
            secrets={"KEY": "hidden!", "TOKEN": "unseen!"},
        )
        await start(adapter)
        assert await adapter.call("net.echo", {"x": "hidden! unseen!"}) == "*** ***\n"
    assert "?key=***" in caplog.text
    assert "hidden!" not in caplog.text
    assert "unseen!" not in caplog.text


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "command"),
        ({"command": "a", "url": "http://a"}, "url"),
        ({"transport": "http"}, "url"),
        ({"transport": "sse", "url": "ftp://a"}, "url"),
        ({"transport": "http", "url": "http://a", "command": "a"}, "command"),
        ({"transport": "pigeon", "command": "a"}, "transport"),
        ({"command": "a", "timeout": 0}, "timeout"),
        ({"command": "a", "start_timeout": -1}, "start_timeout"),
        ({"command": "a", "parse": "yaml"}, "parse"),
        ({"command": "a", "env": {"A": "${NOPE_NOT_SET}"}, "secrets": {}}, "env.A"),
    ],
)
def test_settings_are_checked(settings, key):
    """A setting that cannot be is refused, and named."""
    with pytest.raises(ConfigError) as caught:
        MCPAdapter("server", **settings)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("command: a\nargs: -y\n", 4, "args", "must be a list, not text; put [ ] around it"),
        ("command: a\nenv: {PORT: 80}\n", 4, "env.PORT", "put quotes around it"),
        ("command: a\nheader: {}\n", 4, "header", "did you mean 'headers'"),
        ("transport: tcp\n", 3, "transport", "must be 'stdio', 'sse' or 'http'"),
        ("timeout: 0\ncommand: a\n", 3, "timeout", "greater than 0"),
        ("url: http://a\n", 3, "url", "goes with transport 'sse' or 'http'"),
        ("command: a\nenv:\n  A: ${NOPE_NOT_SET}\n", 5, "env.A", "NOPE_NOT_SET"),
        ("command: a\nparse: json\n", 4, "parse", "'auto' or 'text'"),
    ],
)
async def test_mistakes_in_files(tmp_path, text, line, key, message):
    """A mistake in the file of a server is an error that names file, line and key."""
    file = tmp_path / "a.yaml"
    file.write_text(f"name: a\ntype: mcp\n{text}")
    with pytest.raises(ConfigError) as caught:
        await ToolRegistry.from_dir(tmp_path)
    assert (caught.value.file, caught.value.line, caught.value.key) == (file, line, key)
    assert message in caught.value.message


async def test_files_of_servers(tmp_path):
    """Paths are relative to the file; secrets are filled in, and hidden in what comes back."""
    (tmp_path / "server.py").write_bytes((ROOT / "tests/tools/servers/sdk_server.py").read_bytes())
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "a.yaml").write_text(
        "name: a\ntype: mcp\ncommand: ./python\nargs: ['${FILE:-server.py}']\ncwd: .\n"
        "env: {KEY: '${KEY}', OLD: $$5}\ninclude: [env*, echo]\ntags: [web]\n"
    )
    registry = await ToolRegistry.from_dir(tmp_path, secrets={"KEY": "hidden!"})
    assert registry.problems == ()
    assert [(info.name, info.tags) for info in registry.list_tools()] == [
        ("a.echo", {"web"}),
        ("a.environment", {"web"}),
    ]
    seen = await registry.call_tool("a.environment", {})
    assert (seen["KEY"], seen["OLD"]) == ("***", "$5")
    await registry.aclose()


async def test_an_interrupted_cell_is_cancelled_at_the_server(make_executor, eventually):
    """A cell that runs out of time tells the server to stop what it called."""
    registry = ToolRegistry()
    await registry.connect(odd())
    executor = await make_executor(registry=registry)
    result = await executor.run("tools.odd.silent()", timeout=1)
    assert result.error.name == "ExecutionTimeout"
    assert [call.outcome for call in result.tool_calls] == ["cancelled"]
    assert len(await registry.call_tool("odd.cancelled", {})) == 1


def test_without_the_package_the_file_is_reported(tmp_path):
    """A missing SDK is an error of the file that needs it, with the command that helps."""
    (tmp_path / "a.yaml").write_text("name: a\ntype: mcp\ncommand: a\n")
    program = (
        "import asyncio, sys; sys.modules['mcp'] = None\n"
        "from py_code_mode import ToolRegistry\n"
        f"asyncio.run(ToolRegistry.from_dir({str(tmp_path)!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert "a.yaml:2: key 'type'" in done.stderr
    assert "pip install py-code-mode[mcp]" in done.stderr
