"""Real servers: `py-code-mode serve` as a process of its own, real clients on loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

PEACE = {"PYTHONWARNINGS": "default", "PYTHONUNBUFFERED": "1"}


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Ask until the answer is yes; return it."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
    return answer


@dataclass
class Server:
    """A server's process.

    Attributes:
        process: It.
        url: Where it listens.
        said: Its stderr so far, line by line.
    """

    process: subprocess.Popen[str]
    url: str = ""
    said: list[str] = field(default_factory=list)
    reader: threading.Thread = field(default_factory=threading.Thread)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0)

    def kernels(self) -> list[psutil.Process]:
        """Everything it has started that runs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def launch(folder: Path, *flags: str, env: dict[str, str] | None = None) -> Server:
    """Start a server in a folder; it is returned when it listens, or has ended."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("PY_CODE_MODE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "py_code_mode", "serve", "--port", "0", "--state", "state", *flags],
        cwd=folder,
        env=own | PEACE | (env or {}),
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process)
    assert process.stderr is not None
    for line in process.stderr:
        server.said.append(line)
        if found := re.search(r"listening on (\S+)", line):
            server.url = found[1]
            break
    server.reader = threading.Thread(target=server.said.extend, args=[process.stderr])
    server.reader.start()
    return server


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    started: list[Server] = []

    def run(*flags: str, **env: str) -> Server:
        server = launch(tmp_path, *flags, env=env)
        started.append(server)
        return server

    yield run
    for server in started:
        close(server)


def close(server: Server) -> None:
    if server.process.poll() is None:
        server.stop()
    server.reader.join(10)
    assert server.process.stderr is not None
    server.process.stderr.close()
    said = "".join(server.said)
    assert not re.search(r"Exception in ASGI|ERROR (py_code_mode|asyncio)", said), said


SETTINGS = """
[server]
tools = "tools"
skills = "skills"
artifacts = "artifacts"
heartbeat_seconds = 0.2
resume_seconds = 1.0
transfer_seconds = 2.0
max_body_bytes = 1000000
max_artifact_bytes = 50000000
[[server.tokens]]
name = "alice"
token = "alice-secret"
[[server.tokens]]
name = "bob"
token = "bob-secret"
tags = ["text"]
max_sessions = 1
[[server.tokens]]
name = "reader"
token = "reader-secret"
scopes = ["artifacts.read", "metrics"]
"""

FILES = {
    "py-code-mode.toml": SETTINGS,
    "tools/shout.yaml": 'name: shout\ncommand: tr\nargs: "a-z A-Z"\nstdin: "{text}"\ntags: [text]\ndescription: Say it loud\n',
    "tools/today.yaml": 'name: today\ncommand: date\nargs: "+%Y"\ntags: [time]\ndescription: Which year it is\n',
    "skills/double.py": '"""Double a number."""\n\n\ndef run(number: int) -> int:\n    return 2 * number\n',
}


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """The server most tests share."""
    folder = tmp_path_factory.mktemp("server")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    server = launch(folder)
    with server.client() as client:
        until(lambda: client.get("/ready").status_code == 200)
    yield server
    close(server)


@pytest.fixture
def alice(server) -> Iterator[httpx.Client]:
    """A client with all rights; its sessions end with the test."""
    with server.client("alice-secret") as client:
        yield client
        for session in client.get("/sessions").json()["sessions"]:
            client.delete(f"/sessions/{session['id']}")


@pytest.fixture
def bob(server) -> Iterator[httpx.Client]:
    """A client that may have one session, and sees tools with the tag `text`."""
    with server.client("bob-secret") as client:
        yield client
        for session in client.get("/sessions").json()["sessions"]:
            client.delete(f"/sessions/{session['id']}")


@pytest.fixture
def session(alice) -> str:
    """The path of a session of alice."""
    made = alice.post("/sessions")
    assert made.status_code == 201, made.text
    return f"/sessions/{made.json()['id']}"


def value(client: httpx.Client, session: str, code: str, **more: Any) -> Any:
    """Run code and return its value, plain JSON."""
    answer = client.post(f"{session}/execute", json={"code": code, **more})
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert result["error"] is None, result["error"]
    return result["value"]["tree"]


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """Read server-sent events: id, type and data."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, text = line.partition(": ")
        if name:
            found[name] = text
        elif not line and "data" in found:
            yield found["id"], found["event"], json.loads(found["data"])
            found = {}


def error_of(answer: httpx.Response, status: int) -> Any:
    """Check that an answer is an error of that status; return what it says."""
    assert answer.status_code == status, answer.text
    return answer.json()["error"]
