"""Too many, too large, too slow: the server says no and goes on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.server.conftest import Server, close, error_of, launch, until, value


def connect(server) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.settimeout(30)
    return connection


def read(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Iterator[Server]:
    """A server with room for two sessions and one run, whose sessions soon end."""
    flags = ("--max-sessions=2", "--max-runs=1", "--idle-seconds=0.5", "--resume-seconds=0.5")
    server = launch(tmp_path_factory.mktemp("small"), *flags)
    yield server
    close(server)


def test_too_many_sessions_and_runs(small):
    """Beyond its limits the server answers 429 and says when to come back."""
    with small.client() as client:
        ids = [client.post("/sessions").json()["id"] for _ in range(2)]
        slow = {"code": "import time\ntime.sleep(30)"}
        with client.stream("POST", f"/sessions/{ids[0]}/stream", json=slow) as running:
            next(running.iter_lines())  # it has begun
            busy = client.post(f"/sessions/{ids[1]}/execute", json={"code": "1"})
            assert error_of(busy, 429)["type"] == "too_many"
            assert int(busy.headers["retry-after"]) >= 1
            until(lambda: client.get(f"/sessions/{ids[1]}").status_code == 410)
            assert client.get(f"/sessions/{ids[0]}").status_code == 200  # in use, so not idle
            assert client.post("/sessions").status_code == 201
            full = client.post("/execute", json={"code": "1"})
            assert error_of(full, 429)["retry_after"] == int(full.headers["retry-after"])
        metrics = client.get("/metrics").text
    assert 'py_code_mode_refused_total{limit="runs"} 1.0' in metrics
    assert 'py_code_mode_refused_total{limit="sessions"} 1.0' in metrics
    assert 'py_code_mode_sessions_ended_total{why="idle"}' in metrics


def test_an_idle_session_is_lost_and_said_to_be(small):
    """An id whose session was culled is answered with that, until its client begins anew."""
    mine = {"X-Session-ID": "mine"}
    with small.client() as client:
        until(lambda: client.get("/sessions").json()["sessions"] == [])
        client.post("/execute", json={"code": "x = 1"}, headers=mine)
        until(lambda: client.get("/sessions").json()["sessions"] == [])
        for _ in range(2):
            lost = error_of(client.post("/execute", json={"code": "x"}, headers=mine), 410)
            assert (lost["type"], lost["reason"]) == ("session_lost", "idle")
        anew = client.post(
            "/execute", json={"code": "'x' in globals()"}, headers=mine | {"X-Session-New": "true"}
        ).json()
        assert (anew["value"], anew["created"]) == (False, True)


def test_a_huge_body_is_refused_in_peace(server, alice, session):
    """100 MB of code are 413, with a length or without, and with a wrong token 401."""
    huge = b'{"code": "' + b"#" * 100_000_000 + b'"}'
    json = {"Content-Type": "application/json"}
    pieces = (huge[n : n + 1_000_000] for n in range(0, len(huge), 1_000_000))
    for content in (huge, pieces):
        answer = alice.post(f"{session}/execute", content=content, headers=json)
        assert error_of(answer, 413)["limit"] == 1_000_000
    with server.client("wrong") as stranger:
        assert error_of(stranger.post("/execute", content=huge, headers=json), 401)
    asked = b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n"
    with connect(server) as connection:
        connection.sendall(
            asked + b"Authorization: Bearer alice-secret\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(12) == b"HTTP/1.1 413"
    assert value(alice, session, "1") == 1


def test_bodies_that_are_none(alice, session):
    """What is no JSON is 400, what has wrong fields 422, and each is told which."""
    for body, status, word in (
        (b"", 415, "application/json"),
        (b"{", 400, "JSON"),
        (b'{"code": "\\ud800"}', 400, "JSON"),
        (b"\xff", 400, "JSON"),
        (b"[" * 100_000, 400, "JSON"),
        (b"[]", 422, "object"),
        (b"{}", 422, "code"),
        (b'{"code": 1}', 422, "code"),
        (b'{"code": "1", "timeout": 0}', 422, "timeout"),
        (b'{"code": "1", "timeout": NaN}', 422, "timeout"),
        (b'{"code": "1", "timeout": 99999999999}', 422, "timeout"),
        (b'{"code": "1", "time": 1}', 422, "time"),
    ):
        headers = {"Content-Type": "application/json"} if body else {}
        answer = alice.post(f"{session}/execute", content=body, headers=headers)
        error = error_of(answer, status)
        assert error["type"] == "bad_request"
        assert word in error["message"]
    assert error_of(alice.get("/tools", params={"serach": "x"}), 422)["type"] == "bad_request"


def test_slow_clients_are_left(server, alice):
    """Who sends headers or a body too slowly is left; who closes half has no cell running."""
    json = b"Content-Type: application/json\r\nAuthorization: Bearer alice-secret\r\n"
    head = b"POST /execute HTTP/1.1\r\nHost: x\r\n" + json
    began = time.monotonic()
    with connect(server) as silent, connect(server) as drip, connect(server) as half:
        drip.sendall(head[:20])
        half.sendall(head + b'Content-Length: 100\r\n\r\n{"code"')
        assert (read(silent), read(drip)) == (b"", b"")
        assert read(half).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 12
    code = b'{"code": "import time; time.sleep(60)", "timeout": 60}'
    with connect(server) as closing:
        closing.sendall(head + b"Content-Length: %d\r\n\r\n" % len(code) + code)
        until(lambda: any(s["state"] == "running" for s in sessions(alice)))
        closing.shutdown(socket.SHUT_WR)
        assert read(closing) == b""
    until(lambda: all(s["state"] == "idle" for s in sessions(alice)))


def sessions(client: httpx.Client) -> list:
    return client.get("/sessions").json()["sessions"]


def test_many_clients_at_once(server, alice):
    """Twenty threads on five sessions get their own results and no error but 429."""
    wrong: list[object] = []

    def work(number: int) -> None:
        with server.client("alice-secret") as client:
            for turn in range(5):
                code = {"code": f"{number} * 1000 + {turn}"}
                headers = {"X-Session-ID": f"load-{number % 5}"}
                answer = client.post("/execute", json=code, headers=headers)
                if answer.status_code == 429:
                    continue
                if answer.status_code != 200 or answer.json()["value"] != number * 1000 + turn:
                    wrong.append(answer.text)

    threads = [threading.Thread(target=work, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(sessions(alice)) == 5
