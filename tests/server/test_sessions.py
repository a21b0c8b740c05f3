"""Sessions over HTTP: each its own kernel, each its owner's own."""

from __future__ import annotations

from datetime import datetime

import nbformat
import pytest

from py_code_mode import ExecutionResult
from py_code_mode.results import value_from_dict, value_to_dict
from tests.server.conftest import error_of, until, value


def test_a_session_lives_from_post_to_delete(alice):
    """A session is made, listed, shown, and gone when it was deleted."""
    made = alice.post("/sessions", json={"name": "mine"})
    session = made.json()
    assert made.status_code == 201
    assert made.headers["location"] == f"/sessions/{session['id']}"
    assert (session["name"], session["state"], session["execution_count"]) == ("mine", "idle", 0)
    used, expires = (datetime.fromisoformat(session[key]) for key in ("last_used", "expires"))
    assert (expires - used).total_seconds() == pytest.approx(1800, abs=1)
    assert alice.get("/sessions").json() == {"sessions": [session]}
    assert alice.get(made.headers["location"]).json() == session
    assert alice.post("/sessions", json={"name": "mine"}).json() == session
    assert alice.delete(made.headers["location"]).status_code == 204
    gone = error_of(alice.get(made.headers["location"]), 404)
    assert gone["type"] == "session_not_found"


def test_a_result_is_whole(alice, session):
    """What comes back is an execution result, exactly, with variables that stay."""
    code = "import decimal\nprint('hello')\nx = {1: decimal.Decimal('0.1'), 'n': float('nan')}\nx"
    answer = alice.post(f"{session}/execute", json={"code": code})
    result = ExecutionResult.from_dict(answer.json())
    assert result.value[1].as_tuple().exponent == -1
    assert (result.stdout, result.execution_count) == ("hello\n", 1)
    assert value(alice, session, "len(x)") == 2
    assert alice.get(session).json()["execution_count"] == 2


def test_code_that_fails_is_data(alice, session):
    """An error of the code, and one of its time limit, is a result and no error of HTTP."""
    failed = alice.post(f"{session}/execute", json={"code": "1/0"})
    assert (failed.status_code, failed.json()["error"]["name"]) == (200, "ZeroDivisionError")
    slow = alice.post(
        f"{session}/execute", json={"code": "import time; time.sleep(9)", "timeout": 0.2}
    )
    assert (slow.status_code, slow.json()["error"]["name"]) == (200, "ExecutionTimeout")


def test_variables_go_both_ways(alice, session):
    """Variables are listed, read and set, as exactly as values of runs."""
    packed = {"value": value_to_dict({"when": b"now", 2: (3, 4)})}
    assert alice.put(f"{session}/variables/box", json=packed).status_code == 204
    assert value(alice, session, "box['when'] == b'now' and type(box[2]).__name__") == "tuple"
    got = alice.get(f"{session}/variables/box").json()["value"]
    assert value_from_dict(got) == {"when": b"now", 2: (3, 4)}
    (listed,) = alice.get(f"{session}/variables").json()["variables"]
    assert (listed["name"], listed["type"]) == ("box", "dict")
    assert error_of(alice.get(f"{session}/variables/nope"), 409)["type"] == "kernel_error"
    assert error_of(alice.put(f"{session}/variables/a-b", json=packed), 422)
    for bad in ({"tree": {"$": "nope"}, "base64": []}, {"tree": {"$": "bytes"}, "base64": []}):
        assert error_of(alice.put(f"{session}/variables/box", json={"value": bad}), 400)


def test_fork_reset_and_notebook(alice, session):
    """A branch has the variables, a reset has none, the notebook has the cells."""
    value(alice, session, "x = 1\nx")
    forked = alice.post(f"{session}/fork", json={"name": "branch"})
    branch = f"/sessions/{forked.json()['id']}"
    assert forked.status_code == 201
    assert value(alice, branch, "x += 1\nx") == 2
    assert value(alice, session, "x") == 1
    taken = error_of(alice.post(f"{session}/fork", json={"name": "branch"}), 409)
    assert taken["type"] == "kernel_error"
    assert alice.post(f"{session}/reset").status_code == 204
    assert alice.post(f"{session}/start").status_code == 204
    assert value(alice, session, "'x' in globals()") is False
    answer = alice.get(f"{session}/notebook")
    assert answer.headers["content-type"] == "application/x-ipynb+json"
    notebook = nbformat.reads(answer.text, as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == ["x = 1\nx", "x", "'x' in globals()"]


def test_the_simple_form(alice):
    """`POST /execute` runs in the session the client names, and answers in plain JSON."""
    mine = {"X-Session-ID": "agent-7.a"}
    code = "print('hi')\nx = {'s': {3}, 'f': 0.5, 't': (1, None), 'big': 2**64}\nx"
    answer = alice.post("/execute", json={"code": code}, headers=mine).json()
    assert answer.pop("execution_time_ms") > 0
    assert answer == {
        "value": {"s": "{3}", "f": 0.5, "t": [1, None], "big": 2**64},
        "stdout": "hi\n",
        "error": None,
        "session_id": "agent-7.a",
        "created": True,
    }
    again = alice.post("/execute", json={"code": "x['f'] / 0"}, headers=mine).json()
    assert "ZeroDivisionError" in again["error"]
    assert (again["value"], again["created"]) == (None, False)
    other = alice.post("/execute", json={"code": "'x' in globals()"}).json()
    assert (other["value"], other["created"]) == (False, True)
    assert value(alice, f"/sessions/{other['session_id']}", "1") == 1
    for bad in ("../etc", ".hidden", "a b", "x" * 129, "a/b"):
        answer = alice.post("/execute", json={"code": "1"}, headers={"X-Session-ID": bad})
        assert error_of(answer, 422)["type"] == "bad_request"


def test_what_cannot_be_json_is_its_repr(alice):
    """Whatever the value is, the simple form has an answer."""
    for code, shown in (
        ("float('inf')", "inf"),
        ("object", "<class 'object'>"),
        ("10**3000", hex(10**3000)),
        ("{1: 2}", "{1: 2}"),
        ("'\\ud800'", "\ud800"),
    ):
        answer = alice.post("/execute", json={"code": code}, headers={"X-Session-ID": "odd"})
        assert answer.json()["value"] == shown


def test_another_token_s_session_is_not_there(alice, bob, session):
    """A session's id is no use with another token, and one id under two tokens is two sessions."""
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/interrupt"),
        ("POST", "/fork"),
        ("GET", "/variables"),
        ("GET", "/notebook"),
        ("GET", "/stream"),
    ):
        theirs = error_of(bob.request(method, session + path), 404)
        nobodys = error_of(bob.request(method, session[:-1] + "x" + path), 404)
        assert theirs["type"] == nobodys["type"] == "session_not_found"
    assert error_of(bob.post(f"{session}/execute", json={"code": "1"}), 404)
    mine = {"X-Session-ID": "same"}
    for client, word in ((alice, "a"), (bob, "b")):
        assert client.post("/execute", json={"code": f"w={word!r}"}, headers=mine).json()["created"]
    for client, word in ((alice, "a"), (bob, "b")):
        assert client.post("/execute", json={"code": "w"}, headers=mine).json()["value"] == word
    assert error_of(bob.post("/sessions"), 429)["type"] == "too_many"


def test_tools_are_those_in_the_token_s_scope(alice, bob):
    """A token's tags decide which tools are listed, and which exist for its code."""
    assert [t["name"] for t in alice.get("/tools").json()["tools"]] == ["shout", "today"]
    assert [t["name"] for t in bob.get("/tools").json()["tools"]] == ["shout"]
    (found,) = alice.get("/tools", params={"search": "year"}).json()["tools"]
    assert found["name"] == "today"
    code = "sorted(t['name'] for t in tools.list())"
    mine = {"X-Session-ID": "scoped"}
    assert bob.post("/execute", json={"code": code}, headers=mine).json()["value"] == ["shout"]
    denied = bob.post("/execute", json={"code": "tools.today()"}, headers=mine).json()
    assert "ToolNotFoundError" in denied["error"]
    assert alice.get("/skills").json()["skills"][0]["name"] == "double"
    (skill,) = alice.get("/skills/search", params={"q": "double", "limit": 1}).json()["skills"]
    assert skill["description"] == "Double a number."
    saved = bob.post("/execute", json={"code": "artifacts.save('by.txt', 'b')"}, headers=mine)
    assert saved.json()["error"] is None
    (info,) = alice.get("/artifacts", params={"prefix": "by"}).json()["artifacts"]
    assert (info["author"], info["session"]) == ("bob", "bob:scoped")


def test_a_run_is_interrupted(server, alice, session):
    """A cell can be broken from elsewhere, and a session that runs one does not fork."""
    stuck = {"code": "import time\nwhile True: time.sleep(0.01)"}
    with alice.stream("POST", f"{session}/stream", json=stuck) as answer:
        lines = answer.iter_lines()
        until(lambda: next(lines).startswith("id: "))
        assert alice.get(session).json()["state"] == "running"
        assert alice.get(session).json()["expires"] is None
        assert error_of(alice.post(f"{session}/fork"), 409)["type"] == "session_busy"
        assert alice.post(f"{session}/interrupt").status_code == 204
        assert "KeyboardInterrupt" in "".join(lines)
    until(lambda: alice.get(session).json()["state"] == "idle")


def test_a_client_that_goes_away_interrupts_its_cell(alice, session, server):
    """When nobody waits for an answer any more, the cell is interrupted."""
    import httpx

    code = "import time\nfor i in range(1000): time.sleep(0.02)"
    with pytest.raises(httpx.ReadTimeout):
        alice.post(f"{session}/execute", json={"code": code}, timeout=0.3)
    until(lambda: alice.get(session).json()["state"] == "idle")
    assert value(alice, session, "i < 900") is True
