"""Kernels that are killed, servers that are killed, servers that are stopped."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading

import httpx
import psutil

from tests.server.conftest import error_of, events, until, value

SLOW = "import time\nopen('began', 'w').close()\nfor _ in range({tenths}): time.sleep(0.1)\n'done'"


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_kernel_that_is_killed(alice, session):
    """A killed kernel is said to be dead, its session says what is lost, and goes on."""
    pid = value(alice, session, "import os\nx = 1\nos.getpid()")
    with alice.stream(
        "POST", f"{session}/stream", json={"code": "print(1)\nwhile True: pass"}
    ) as answer:
        reader = events(answer.iter_lines())
        until(lambda: next(reader)[1] == "printed")
        os.kill(pid, signal.SIGKILL)
        *_, (_, kind, data) = reader
    assert (kind, data["result"]["error"]["name"]) == ("finished", "KernelDied")
    assert data["result"]["state_lost"] is True
    assert value(alice, session, "'x' in globals()") is False
    os.kill(value(alice, session, "import os; os.getpid()"), signal.SIGKILL)
    dead = until(lambda: (a := alice.get(f"{session}/variables")).status_code != 200 and a)
    assert error_of(dead, 502)["type"] == "kernel_died"
    told = alice.post(f"{session}/execute", json={"code": "1"}).json()
    assert (told["error"]["name"], told["state_lost"]) == ("KernelDied", True)
    assert value(alice, session, "1") == 1


def test_a_server_that_is_killed_and_started_anew(start):
    """Kernels end with their server; its sessions are said to be lost, never blank."""
    server = start()
    mine = {"X-Session-ID": "agent"}
    with server.client() as client:
        made = client.post("/sessions").json()["id"]
        pid = client.post("/execute", json={"code": "import os; os.getpid()"}, headers=mine).json()
    started = server.kernels()
    server.stop(signal.SIGKILL)
    until(lambda: ended(pid["value"]) and all(ended(each.pid) for each in started))
    with start().client() as client:
        for lost in (
            client.get(f"/sessions/{made}"),
            client.post(f"/sessions/{made}/execute", json={"code": "1"}),
            client.post("/execute", json={"code": "1"}, headers=mine),
            client.post("/execute", json={"code": "1"}, headers=mine),
            client.get("/sessions/agent"),
        ):
            error = error_of(lost, 410)
            assert (error["type"], error["reason"]) == ("session_lost", "restarted")
        assert error_of(client.get("/sessions/other"), 404)["type"] == "session_not_found"
        other = client.post("/execute", json={"code": "1"}, headers={"X-Session-ID": "other"})
        assert other.json()["created"] is True
        assert client.delete("/sessions/agent").status_code == 204
        anew = client.post("/execute", json={"code": "1"}, headers=mine).json()
        assert (anew["value"], anew["created"]) == (1, True)


def test_a_server_that_is_stopped_lets_cells_end(start, tmp_path):
    """SIGTERM lets a cell end and its answer go out, refuses new work, and leaves no process."""
    server = start("--cwd", str(tmp_path))
    answers = []
    with server.client() as client, server.client() as other:
        session = f"/sessions/{client.post('/sessions').json()['id']}"
        other.get("/sessions")
        work = {"code": SLOW.format(tenths=10)}
        thread = threading.Thread(
            target=lambda: answers.append(client.post(f"{session}/execute", json=work))
        )
        thread.start()
        until((tmp_path / "began").exists)
        started = server.kernels()
        assert started
        assert server.stop() == 0
        thread.join()
    assert answers[0].json()["value"]["tree"] == "done"
    assert all(ended(each.pid) for each in started)


def test_a_server_that_is_stopped_interrupts_long_cells(start, tmp_path):
    """A cell that takes longer than the server waits is interrupted, its stream ends whole."""
    server = start("--cwd", str(tmp_path), "--shutdown-seconds", "0.2")
    with server.client() as client:
        session = f"/sessions/{client.post('/sessions').json()['id']}"
        work = {"code": SLOW.format(tenths=600), "timeout": 60}
        with client.stream("POST", f"{session}/stream", json=work) as answer:
            until((tmp_path / "began").exists)
            started = server.kernels()
            server.process.send_signal(signal.SIGTERM)
            *_, (_, kind, data) = events(answer.iter_lines())
    assert (kind, data["result"]["error"]["name"]) == ("finished", "KeyboardInterrupt")
    assert server.process.wait(20) == 0
    assert all(ended(each.pid) for each in started)


def test_all_it_says_is_json_if_that_is_wanted(tmp_path):
    """One line on stdout tells a program where it listens; every line on stderr is JSON, too."""
    process = subprocess.Popen(
        [sys.executable, "-m", "py_code_mode", "serve", "--port=0", "--state=s", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert httpx.get(told["url"] + "/health").status_code == 200
    assert told["pid"] == process.pid
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    lines = [json.loads(line) for line in err.splitlines()]
    assert (process.returncode, out) == (0, "")
    assert [line["url"] for line in lines if "url" in line] == [told["url"]]
    assert [line["token"] for line in lines if "token" in line] == [False]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)


def test_the_limit_of_open_files_is_raised(start, tmp_path):
    """A server started with the usual limit of 1,024 files has enough for all its sessions."""
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, former[1]))
    try:
        server = start("--max-sessions", "100", "--port", "0")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)
    assert psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_NOFILE)[0] >= 2112


def test_a_kernel_that_does_not_come_up(start, tmp_path):
    """A server without kernels says so when asked whether it is ready, and to who needs one."""
    server = start("--python", "/bin/false")
    with server.client() as client:
        assert error_of(client.post("/sessions"), 502)["type"] == "kernel_start"
        assert error_of(client.post("/execute", json={"code": "1"}), 502)["type"] == "kernel_start"
        ready = until(lambda: (a := client.get("/ready")).status_code == 503 and a)
        assert ready.json()["reasons"] == ["no kernel can be started"]
        assert client.get("/health").json()["status"] == "ok"
        assert client.get("/sessions").json() == {"sessions": []}
