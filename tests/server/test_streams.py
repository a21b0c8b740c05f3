"""Runs as server-sent events: typed, alive, and there to come back to."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace

import pytest

from py_code_mode import ExecutionResult, Finished, Printed, Started
from py_code_mode.events import event_from_dict
from tests.server.conftest import error_of, events, until, value

COUNT = {"code": "import time\nfor i in range(30):\n    print(i, flush=True); time.sleep(0.05)\ni"}


def test_a_stream_has_the_events_of_a_session(alice, session):
    """What a stream tells are the events of `Session.stream`, numbered, the result the last."""
    code = "print('a')\ndisplay('b')\ntools.today()\n1/0"
    with alice.stream("POST", f"{session}/stream", json={"code": code}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = [*events(answer.iter_lines())]
        run = answer.headers["x-run-id"]
    assert [key for key, _, _ in told] == [f"{run}.{n + 1}" for n in range(len(told))]
    assert all(data["type"] == kind for _, kind, data in told)
    started, printed, displayed, *_, failed, finished = (event_from_dict(d) for _, _, d in told)
    assert (started, printed) == (Started(1), Printed("stdout", "a\n"))
    assert (displayed.output.text, failed.error.name) == ("'b'", "ZeroDivisionError")
    assert "tool_called" in [kind for _, kind, _ in told]
    assert isinstance(finished, Finished)
    # Where it failed is known when all is over.
    assert replace(finished.result.error, frame=None) == failed.error
    assert finished.result.error.frame.where == "line 4 of Cell In[1]"


def test_a_silent_run_gives_signs_of_life(alice, session):
    """While nothing happens, comments show that the server is there."""
    slow = {"code": "import time\ntime.sleep(0.9)"}
    with alice.stream("POST", f"{session}/stream", json=slow) as answer:
        lines = [*answer.iter_lines()]
    assert lines.count(": ping") >= 2
    assert "event: finished" in lines


def test_a_dropped_stream_is_taken_up_again(alice, session):
    """The run goes on while its reader is away, who then gets what was missed, once."""
    with alice.stream("POST", f"{session}/stream", json=COUNT) as answer:
        reader = events(answer.iter_lines())
        first = [next(reader) for _ in range(4)]
    last = first[-1][0]
    with alice.stream("GET", f"{session}/stream", headers={"Last-Event-ID": last}) as answer:
        rest = [*events(answer.iter_lines())]
    numbers = [int(key.rpartition(".")[2]) for key, _, _ in [*first, *rest]]
    assert numbers == [*range(1, len(numbers) + 1)]
    printed = "".join(data["text"] for _, kind, data in [*first, *rest] if kind == "printed")
    assert printed == "".join(f"{n}\n" for n in range(30))
    assert ExecutionResult.from_dict(rest[-1][2]["result"]).value == 29
    run = last.partition(".")[0]
    for headers in ({"Last-Event-ID": f"{run}.0"}, {}):  # it has ended, and is kept for a while
        with alice.stream("GET", f"{session}/stream", headers=headers) as answer:
            assert len([*events(answer.iter_lines())]) == len(numbers)


def test_a_run_that_nobody_reads_is_interrupted(alice, session):
    """A reader that does not come back in time finds that the run is gone, and was broken."""
    with alice.stream(
        "POST", f"{session}/stream", json=COUNT | {"code": "x = 0\nwhile True: x += 1"}
    ):
        pass
    until(lambda: alice.get(session).json()["state"] == "idle")
    gone = alice.get(f"{session}/stream", headers={"Last-Event-ID": "0123456789abcdef.1"})
    assert error_of(gone, 410)["type"] == "stream_gone"
    assert error_of(alice.get(f"{session}/stream"), 410)["type"] == "stream_gone"
    assert value(alice, session, "x > 0") is True


@pytest.mark.parametrize("last", ["0", "a.b", "..", "x" * 500, "0.-1"])
def test_an_event_id_that_is_none_is_of_no_stream(alice, session, last):
    """Whatever stands in `Last-Event-ID`, the answer is that there is no such run."""
    answer = alice.get(f"{session}/stream", headers={"Last-Event-ID": last})
    assert error_of(answer, 410)["type"] == "stream_gone"


def test_a_client_that_is_killed_costs_nothing(server, alice, session):
    """A reader whose machine resets the connection is forgotten, and its run in time ended."""
    body = b'{"code": "while True: print(1)"}'
    head = (
        f"POST {session}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice-secret\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + body)
        assert b"event: printed" in until(lambda: connection.recv(65536, socket.MSG_PEEK)) or True
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: alice.get(session).json()["state"] == "idle")
    assert "py_code_mode_streams 0.0" in until(
        lambda: "streams 0.0" in (text := alice.get("/metrics").text) and text
    )


def test_a_reader_that_reads_nothing_stops_nothing(server, alice, session):
    """A client that takes nothing misses events, and is left; the run and its result are whole."""
    code = "for i in range(15): display({'text/html': 'x' * 1_000_000}, raw=True)\ni"
    body = f'{{"code": "{code}"}}'.replace("\n", "\\n").encode()
    head = (
        f"POST {session}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice-secret\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(head.encode() + body)
        until(lambda: alice.get(session).json()["execution_count"] == 1)
        with alice.stream("GET", f"{session}/stream") as answer:
            *_, (_, kind, data) = events(answer.iter_lines())
        until(lambda: any("took nothing" in line for line in server.said))
    assert kind == "finished"
    assert data["result"]["value"]["tree"] == 14


def test_a_failure_of_the_machinery_is_an_event(alice, session):
    """A session that is deleted while it streams ends the stream with a result or an error."""
    with alice.stream("POST", f"{session}/stream", json=COUNT) as answer:
        reader = events(answer.iter_lines())
        next(reader)
        assert alice.delete(session).status_code == 204
        *_, (_, kind, data) = reader
    assert kind in {"finished", "error"}
    if kind == "finished":
        assert data["result"]["error"]["name"] == "KernelDied"
