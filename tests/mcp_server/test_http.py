"""The process over HTTP: one session a client, many clients, who is let in, and how all ends."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from typing import Any

import httpx
import psutil
import pytest
from mcp.client.client import Client

from tests.mcp_server.conftest import COMMAND, Http, connected, environment, listening

CLIENTS = 12


async def value(client: Client, code: str, **arguments: Any) -> Any:
    """The value of a cell that must not fail."""
    result = await client.call_tool("run_code", {"code": code, **arguments})
    assert not result.is_error, result.content
    return result.structured_content["value"]


async def until(condition: Any, seconds: float = 30) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        await asyncio.sleep(0.02)


async def test_many_clients_each_have_a_session(http):
    """Clients at the same time share artifacts and no variables; a session ends with its client."""

    async def work(number: int) -> int:
        async with connected(http, "legacy") as client:
            await value(client, f"x = {number}")
            pid = await value(client, "import os; os.getpid()")
            assert await value(client, "x") == number
            await value(client, f"artifacts.save('n{number}', x)")
            assert psutil.pid_exists(pid)
            return int(pid)

    pids = await asyncio.gather(*map(work, range(CLIENTS)))
    assert len({*pids}) == CLIENTS
    await until(lambda: not any(map(psutil.pid_exists, pids)))
    async with connected(http) as client:
        names = [each.name for each in (await client.list_resources()).resources]
        assert {f"n{number}" for number in range(CLIENTS)} <= {*names}


async def test_a_handle_is_a_session(http):
    """Without connections the first run gives a handle; others are refused, never served blank."""
    async with (
        connected(http) as client,
        connected(http) as other,
        connected(http, "legacy") as old,
    ):
        first = (await client.call_tool("run_code", {"code": "x = 1"})).structured_content
        handle = first["session"]
        assert await value(client, "x", session=handle) == 1
        assert await value(other, "x + 1", session=handle) == 2
        fresh = await other.call_tool("run_code", {"code": "x"})
        assert fresh.structured_content["error"]["name"] == "NameError"
        for refused in (
            await client.call_tool("run_code", {"code": "x", "session": "nope"}),
            await client.call_tool("list_variables", {}),
            await old.call_tool("run_code", {"code": "1", "session": handle}),
        ):
            assert refused.is_error
            assert "session" in refused.content[0].text


async def test_limits(tmp_path, folder):
    """Answers are no longer than allowed; more sessions are refused, and idle ones make room."""
    flags = ("--max-sessions", "1", "--idle-timeout", "2.5", "--max-tokens", "300")
    with listening(folder, *flags) as http:
        async with connected(http) as client:
            long = await client.call_tool("run_code", {"code": "print('word ' * 9999)"})
            assert "characters left out" in long.content[0].text
            assert len(long.content[0].text) < 1_200
            made = long.structured_content["session"]
            full = await client.call_tool("run_code", {"code": "1"})
            assert (full.is_error, "no more are allowed" in full.content[0].text) == (True, True)
            ended = False
            end = time.monotonic() + 30
            while not ended:
                assert time.monotonic() < end
                await asyncio.sleep(0.5)
                ended = not (await client.call_tool("run_code", {"code": "2"})).is_error
            gone = await client.call_tool("run_code", {"code": "1", "session": made})
            assert "there is no session" in gone.content[0].text


async def test_who_is_let_in(folder):
    """With a token only those who show it get in; without one no other machine is listened to."""
    done = subprocess.run(
        [COMMAND, "--transport", "http", "--host", "0.0.0.0", "--port", "0"],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "PY_CODE_MODE_MCP_TOKEN" in done.stderr
    with listening(folder, settings={"PY_CODE_MODE_MCP_TOKEN": "s3cret"}) as http:
        async with httpx.AsyncClient() as plain:
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
                answer = await plain.post(http.url, json={}, headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
            headers = {"Authorization": "Bearer s3cret", "Host": "evil.example"}
            assert (await plain.post(http.url, json={}, headers=headers)).status_code == 421
        proc = subprocess.run(
            [COMMAND, "--transport", "http", "--port", http.url.split(":")[2].split("/")[0]],
            check=False,
            capture_output=True,
            text=True,
            env=environment(),
            timeout=60,
        )
        assert proc.returncode == 1
        assert "cannot listen on 127.0.0.1:" in proc.stderr


CLIENT = """
import asyncio, sys
from mcp.client.client import Client

async def main(url):
    async with Client(url, mode="auto") as client:
        code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(1000)"
        await client.call_tool("run_code", {"code": code, "timeout": 900})

asyncio.run(main(sys.argv[1]))
"""


async def test_a_client_that_is_killed(http):
    """A client killed in mid-cell has its cell broken; the server goes on."""
    pid = http.folder / "pid"
    with subprocess.Popen([sys.executable, "-c", CLIENT, http.url]) as process:
        await until(lambda: pid.is_file() and pid.read_text())
        kernel = psutil.Process(int(pid.read_text()))
        before = kernel.cpu_times().user
        process.kill()
    async with connected(http) as client:
        assert await value(client, "1 + 1") == 2
    # The session stays, for whoever has its handle; its cell does not: the kernel reads again.
    await until(lambda: kernel.status() == psutil.STATUS_SLEEPING and kernel.is_running())
    assert kernel.cpu_times().user - before < 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_server_ends_with_all_it_started(folder, number):
    """Told to end while a cell runs, or killed, it leaves no process, and the client an error."""
    with listening(folder) as http:
        async with httpx.AsyncClient(timeout=60) as plain:
            running = asyncio.create_task(
                _post(plain, http, "open('pid', 'w'); import time; time.sleep(99)")
            )
            await until((folder / "pid").exists)
            children = psutil.Process(http.process.pid).children(recursive=True)
            http.process.send_signal(number)
            assert http.process.wait(60) == (143 if number == signal.SIGTERM else -number)
            (outcome,) = await asyncio.gather(running, return_exceptions=True)
            if number == signal.SIGTERM:
                assert "KeyboardInterrupt" in outcome.text
            else:
                assert isinstance(outcome, httpx.HTTPError)
        await until(lambda: not any(child.is_running() for child in children))


async def _post(plain: httpx.AsyncClient, http: Http, code: str) -> httpx.Response:
    """A call of the newest protocol, by hand."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "run_code", "arguments": {"code": code, "timeout": 90}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "run_code",
    }
    return await plain.post(http.url, json=body, headers=headers)


async def test_all_it_says_is_json_if_that_is_wanted(folder):
    """With ``--json`` each line on stderr is an object; the first tells where the server is."""
    words = [COMMAND, "--transport", "http", "--port", "0", "--json"]
    with subprocess.Popen(
        words, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        told = json.loads(process.stderr.readline())
        assert (await asyncio.to_thread(httpx.get, told["url"])).status_code < 500
        process.terminate()
        assert process.wait(30) == 143
        assert all(json.loads(line) for line in process.stderr)
    wrong = subprocess.run(
        [*words, "--host", "0.0.0.0"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert wrong.returncode == 1
    assert json.loads(wrong.stderr)["level"] == "error"


async def test_what_is_no_message(http):
    """Broken, huge and foreign bodies are refused, and the server goes on."""
    async with httpx.AsyncClient() as plain:
        for body, status in ((b"{", 400), (b"[]", 400), (b" " * 5_000_000, 413)):
            headers = {
                "content-type": "application/json",
                "accept": "application/json, text/event-stream",
            }
            assert (await plain.post(http.url, content=body, headers=headers)).status_code == status
        assert (await plain.get(http.url.replace("/mcp", "/nope"))).status_code == 404
    async with connected(http) as client:
        assert await value(client, "1 + 1") == 2
