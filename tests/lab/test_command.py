"""``py-code-mode lab``: other programs' sessions, from the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import httpx
import pytest

from py_code_mode import live
from py_code_mode.cli import main
from py_code_mode.lab import opening

PROGRAM = """
import asyncio
from py_code_mode import CodeExecutor

async def work():
    async with CodeExecutor() as first, CodeExecutor() as second:
        await first.run("print('from another program')")
        await (await second.session("planner")).run("x = 1")
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(work())
"""


@pytest.fixture
def other_program(lab_home):
    """A program with two executors, each of which has a session."""
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    with program:
        assert program.stdout.readline() == "ready\n"
        yield program
        program.kill()


@pytest.fixture
def lab(capsys):
    """Run the command; return its exit code and what it prints as JSON."""

    def run(*words):
        code = main(["lab", *words, "--json"])
        out = capsys.readouterr()
        return code, json.loads(out.out) if out.out else out.err

    return run


@pytest.mark.timeout(120)
def test_sessions_of_other_programs(other_program, lab):
    """They are listed by name, opened with their cells, and gone with their program."""
    code, listed = lab("--list")
    assert code == 0
    names = [(each["name"], each["pid"]) for each in listed]
    assert names == [("default", other_program.pid), ("planner", other_program.pid)]
    assert "key" not in listed[0]
    ids = [each["id"] for each in listed]
    assert ids == [f"default@{other_program.pid}", f"planner@{other_program.pid}.2"]
    code, (page,) = lab("--session", "default", "--no-browser")
    assert code == 0
    assert page["url"].startswith("http://127.0.0.1:")
    (notebook,) = live.roots()[0].glob("py-code-mode-lab-*/notebooks/*.ipynb")
    assert "from another program" in notebook.read_text()
    other_program.send_signal(signal.SIGKILL)
    other_program.wait()
    assert lab("--list") == (0, [])
    assert lab("--stop") == (0, {"stopped": True})
    assert lab("--stop") == (0, {"stopped": False})


def test_no_such_session(lab_home, lab):
    """A name that no session has is an error that lists those there are."""
    code, said = lab("--session", "planner")
    assert code == 1
    assert "there is no live session 'planner'; there is none at all" in said
    code, said = lab()
    assert code == 1
    assert "no session lives" in said


def test_a_name_that_several_have(lab_home, lab, monkeypatch):
    """It is asked which one is meant."""
    note = {
        "program": "agent.py",
        "executor": 1,
        "since": "2026-01-01T00:00:00+00:00",
        "connection_file": __file__,
        "door": "door",
        "key": "k",
        "name": "default",
    }
    for pid in (1, 2):
        directory = lab_home / f"pcm-{pid}"
        directory.mkdir()
        (directory / live.NOTE).write_text(json.dumps({**note, "pid": pid}))
    monkeypatch.setattr("os.kill", lambda _pid, _signal: None)
    code, said = lab("--session", "default")
    assert code == 1
    assert "say which: default@1, default@2" in said


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": 1}', "\x00"])
def test_notes_that_are_none(lab_home, text):
    """What is not of the form of a note is no session."""
    directory = lab_home / "pcm-x"
    directory.mkdir()
    (directory / live.NOTE).write_text(text)
    assert live.live_sessions() == []


def test_a_server_that_stumbles_is_asked_again():
    """An error of the server, as a session of some program ends meanwhile, is no answer."""
    session = live.LiveSession("a", 1, "p.py", 1, "", "", "", "")
    kernels = [{"id": "k1", "name": "another"}, {"id": "k2", "name": session.id}]
    answers = [httpx.Response(500), httpx.Response(200, json=kernels)]
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    with httpx.Client(transport=transport, base_url="http://lab") as client:
        assert opening._kernel_of(client, session) == "k2"
    assert answers == []
