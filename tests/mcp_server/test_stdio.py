"""The process over stdio: how soon it answers, what reaches stdout, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from py_code_mode.mcp_server.early import early_answer, is_answer
from tests.bootstrap.fakes import eventually
from tests.conftest import ROOT
from tests.mcp_server.conftest import ARGUMENTS, COMMAND, environment
from tests.test_docs import read_blocks

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"roots": {"listChanged": True}},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
DISCOVER = {"jsonrpc": "2.0", "id": "d", "method": "server/discover", "params": {"_meta": META}}


class Wire:
    """A server at the other end of two pipes, spoken to line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[bytes] = []

    def send(self, *messages: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(json.dumps(each).encode() + b"\n" for each in messages))
        self.process.stdin.flush()

    def read(self, number: Any = None) -> dict[str, Any]:
        """Return the next message, or the answer to a request."""
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline()
            assert line, "the server has gone"
            self.lines.append(line)
            message: dict[str, Any] = json.loads(line)
            if number is None or message.get("id") == number:
                return message

    def call(self, number: int, name: str, **arguments: Any) -> dict[str, Any]:
        params = {"name": name, "arguments": arguments}
        self.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
        result: dict[str, Any] = self.read(number)["result"]
        return result


@contextlib.contextmanager
def started(folder: Path, *argv: str) -> Iterator[Wire]:
    """A server over stdio, without a client of the SDK."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = argv or (COMMAND, *ARGUMENTS)
    with subprocess.Popen(command, cwd=folder, env=environment(), **pipes) as process:
        try:
            yield Wire(process)
        finally:
            process.kill()


@pytest.mark.parametrize("opening", [INITIALIZE, DISCOVER], ids=["initialize", "discover"])
def test_the_first_answer_is_the_sdk_s_own_and_soon(folder, opening):
    """It comes in 0.6 s from the start of the process, once, and says what the SDK would say."""
    line = json.dumps(opening).encode()
    early = early_answer(line)
    assert early is not None
    times: list[float] = []
    answers = []
    while not times or (min(times) >= 0.6 and len(times) < 8):  # a busy machine may be late once
        began = time.monotonic()
        with started(folder) as wire:
            wire.send(opening)
            answers.append(wire.read())
            times.append(time.monotonic() - began)
    assert min(times) < 0.6, times
    assert answers == [json.loads(early[1])] * len(answers)
    plain = (
        "import sys; from py_code_mode.mcp_server import pipes, main\n"
        "pipes.early_answer = lambda line: None\nsys.exit(main(['--tools', './tools']))"
    )
    with started(folder, sys.executable, "-c", plain) as wire:
        wire.send(opening)
        assert wire.read() == answers[0]


def test_the_answer_is_sent_once_and_the_rest_follows(folder):
    """Requests sent with the first message, before anything is loaded, are answered in turn."""
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    with started(folder) as wire:
        wire.send(INITIALIZE, INITIALIZED, ping)
        assert [wire.read()["id"], wire.read()["id"]] == [1, 2]
        assert wire.process.stdin is not None
        wire.process.stdin.write(b"\n{\xff[\n" + b"x" * 1_000_000 + b"\r\n")
        wire.send({**ping, "id": "after what is no message"})
        assert wire.read()["id"] == "after what is no message"
        wire.process.stdin.close()
        assert wire.process.wait(30) == 0
        assert wire.process.stdout is not None
        assert wire.process.stdout.read() == b""


@pytest.mark.parametrize(
    "change",
    [
        {"method": "ping"},
        {"id": None},
        {"id": True},
        {"jsonrpc": "1.0"},
        {"params": []},
        {"params": {**INITIALIZE["params"], "protocolVersion": "1999-01-01"}},
        {"params": {**INITIALIZE["params"], "capabilities": {"roots": 5}}},
        {"params": {**INITIALIZE["params"], "clientInfo": {"name": "x"}}},
    ],
)
def test_what_is_not_plain_is_left_to_the_sdk(change):
    """Nothing but an initialize that is right in every part is answered early."""
    assert early_answer(json.dumps({**INITIALIZE, **change}).encode()) is None
    assert early_answer(b"[" * 100_000) is None
    assert not is_answer('{"id": 1, "method": "x"}', 1)


NOISE = """
import ctypes, os, subprocess, sys, threading
from py_code_mode.mcp_server import main, pipes

class Noisy(pipes.Pipes):
    async def flush(self):  # each time a message was sent
        print("noise: print", flush=True)
        os.write(1, b"noise: descriptor\\n")
        subprocess.run(["echo", "noise: program"])
        libc = ctypes.CDLL(None)
        libc.puts(b"noise: C")
        libc.fflush(None)

pipes.Pipes = Noisy
sys.exit(main(sys.argv[1:]))
"""


def test_nothing_but_the_protocol_reaches_stdout(folder):
    """What the host, its programs, C code, kernels and their children print is elsewhere."""
    with started(folder, sys.executable, "-c", NOISE, *ARGUMENTS) as wire:
        wire.send(INITIALIZE, INITIALIZED)
        wire.read(1)
        code = (
            "import os, subprocess, sys\n"
            "os.write(1, b'noise: kernel\\n'); os.system('echo noise: shell')\n"
            "print('noise', file=sys.__stdout__)\n!echo said\n1"
        )
        result = wire.call(2, "run_code", code=code)
        assert result["structuredContent"]["value"] == 1
        assert "said" in result["structuredContent"]["stdout"]
        assert wire.process.stdin is not None
        wire.process.stdin.close()
        assert wire.process.stdout is not None
        assert wire.process.stderr is not None
        wire.lines += wire.process.stdout.read().splitlines()
        errors = wire.process.stderr.read()
        assert wire.process.wait(30) == 0
    assert [json.loads(line)["jsonrpc"] for line in wire.lines] == ["2.0"] * len(wire.lines)
    for kind in (b"print", b"descriptor", b"program", b"C"):
        assert b"noise: " + kind in errors


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGKILL, -9), (None, 0)],
    ids=["INT", "KILL", "client"],
)
def test_it_ends_with_all_it_started(folder, number, code):
    """A signal, even KILL, or a client that leaves in mid-cell, leaves no process behind."""
    with started(folder) as wire:
        wire.send(INITIALIZE, INITIALIZED)
        result = wire.call(2, "run_code", code="import os; os.getpid()")
        kernel = result["structuredContent"]["value"]
        children = psutil.Process(wire.process.pid).children(recursive=True)
        assert kernel in [child.pid for child in children]
        run = {"name": "run_code", "arguments": {"code": "import time; time.sleep(100)"}}
        wire.send({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": run})
        wire.call(4, "list_skills")
        if number is None:
            assert wire.process.stdin is not None
            assert wire.process.stdout is not None
            wire.process.stdin.close()
            wire.process.stdout.close()
        else:
            os.kill(wire.process.pid, number)
        assert wire.process.wait(30) == code
        eventually(lambda: not any(child.is_running() for child in children), 60)


def test_what_is_wrong_is_told_to_user_and_client(folder):
    """A folder that is a file is named on stderr, to each request that needs it, and by the code."""
    with started(folder, COMMAND, "--tools", "./text") as wire:
        wire.send(INITIALIZE, INITIALIZED, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
        assert wire.read()["result"]["serverInfo"]["name"] == "py-code-mode"
        assert "text: a directory is needed here" in wire.read(2)["error"]["message"]
        assert wire.process.stdin is not None
        assert wire.process.stderr is not None
        wire.process.stdin.close()
        assert b"text: a directory is needed here" in wire.process.stderr.read()
        assert wire.process.wait(30) == 1


def commands_of_the_readme() -> list[list[str]]:
    """Each ``py-code-mode-mcp ...`` the README shows, alone or behind ``claude mcp add ... --``."""
    lines = [line for block in read_blocks(ROOT / "README.md") for line in block.code.splitlines()]
    found = [line.rpartition(" -- ")[2] for line in lines if "py-code-mode-mcp --" in line]
    return [shlex.split(line)[1:] for line in found]


def test_the_commands_of_the_readme(folder):
    """Each of them starts a server that has the four tools the README names, and more."""
    commands = commands_of_the_readme()
    assert len(commands) == 2
    for words in commands:
        with started(folder, COMMAND, *words) as wire:
            wire.send(INITIALIZE, INITIALIZED, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
            names = {tool["name"] for tool in wire.read(2)["result"]["tools"]}
            assert names >= {"run_code", "list_tools", "list_skills", "search_skills"}
