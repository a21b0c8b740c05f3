"""``py-code-mode run`` in a real kernel: what is shown, what is written, what the exit code says."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys

import nbformat
import psutil
import pytest

from py_code_mode import ExecutionResult
from tests.bootstrap.fakes import eventually

WC = 'name: wc\nargs: "-w {file}"\ndescription: Count words\n'


@pytest.fixture
def folder(tmp_path):
    """Two cells and a tool."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "wc.yaml").write_text(WC)
    (tmp_path / "one.py").write_text(
        "import sys\nx = 20\nprint('to stdout')\nprint('to stderr', file=sys.stderr)\n"
    )
    (tmp_path / "two.py").write_text("artifacts.save('words', tools.wc(file='one.py'))\nx + 22\n")
    return tmp_path


def test_files_are_cells_of_one_session(cli, folder):
    """Cells share variables, tools and artifacts work, and a notebook keeps what was shown."""
    said = cli(
        *("run", "one.py", "two.py", "-c", "x"),
        *("--tools", "tools", "--artifacts", "data", "--notebook", "all.ipynb"),
    )
    assert (said.code, said.out) == (0, "to stdout\n42\n20\n")
    assert said.err == "to stderr\n"
    notebook = nbformat.read(folder / "all.ipynb", 4)
    assert [cell.source.splitlines()[-1] for cell in notebook.cells] == [
        "print('to stderr', file=sys.stderr)",
        "x + 22",
        "x",
    ]
    assert cli("artifacts", "get", "words", "--artifacts", "data").out.split()[1] == "one.py"


def test_the_project_says_what_is_not_said(cli, folder):
    """Tools, variables and the time limit are those of the project; words go before them."""
    (folder / "py-code-mode.toml").write_text(
        'tools = "tools"\nartifacts = "data"\ntimeout = 0.3\n[kernel]\nenv = {MODE = "demo"}\n'
    )
    code = "import os; tools.wc(file='two.py').split()[1], os.environ['MODE']"
    assert cli("run", "-c", code).out == "('two.py', 'demo')\n"
    assert "ExecutionTimeout" in cli("run", "-c", "import time; time.sleep(30)").err
    assert cli("run", "-c", "import time; time.sleep(0.4)", "--timeout", "0").code == 0
    (folder / "py-code-mode.toml").write_text("tolls = 'x'\n")
    said = cli("run", "-c", "1")
    assert (said.code, "py-code-mode.toml:1: key 'tolls'" in said.err) == (1, True)


def test_the_first_cell_that_fails_is_the_last(cli, monkeypatch):
    """Its traceback is on stderr, the exit code 1, and what follows does not run; stdin is a file."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("print('first')"))
    said = cli("run", "-", "-c", "1 / 0", "-c", "print('never')")
    assert (said.code, said.out) == (1, "first\n")
    assert said.err.rstrip().endswith("ZeroDivisionError: division by zero")


def test_json_is_all_that_is_printed(cli):
    """With ``--json`` stdout is a list of whole results."""
    said = cli("run", "--json", "-c", "print('x')\n{'a': (1, 2)}", "-c", "nope")
    assert said.code == 1
    first, second = map(ExecutionResult.from_dict, said.json)
    assert (first.value, first.stdout) == ({"a": (1, 2)}, "x\n")
    assert "NameError" in second.error


def test_what_cannot_be_run_is_said(cli, folder):
    """No code, a missing file and an endless cell are errors in a sentence."""
    assert "nothing to run" in cli("run").err
    said = cli("run", "nope.py")
    assert (said.code, "nope.py: cannot be read" in said.err) == (1, True)
    said = cli("run", "-c", "while True: pass", "--timeout", "0.3")
    assert (said.code, "ExecutionTimeout" in said.err) == (1, True)


def test_ctrl_c_breaks_the_cell(tmp_path):
    """An interrupt ends with 130, without a traceback of ours, and leaves no process behind."""
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(100)"
    command = [sys.executable, "-m", "py_code_mode", "run", "-c", code]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        eventually(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text(), 60)
        kernel = int((tmp_path / "pid").read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert "py_code_mode" not in process.stderr.read()
    eventually(lambda: not psutil.pid_exists(kernel), 60)


@pytest.mark.parametrize(("settings", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours_but_is_not_steered(tmp_path, settings, coloured):
    """On a terminal SGR passes unless NO_COLOR is set; any other escape sequence is shown."""
    program = (
        "import os, pty, sys\n"
        "from py_code_mode.cli import output\n"
        "def child():\n"
        "    output.stream('\\x1b[31mred\\x1b[0m \\x1b[2Jgone 1\\r2\\n')\n"
        "    output.show_table([('ok', 'x')], styles={'ok': 'green'})\n"
        "pid, fd = pty.fork()\n"
        "if not pid:\n"
        "    child(); sys.stdout.flush(); os._exit(0)\n"
        "data = b''\n"
        "while True:\n"
        "    try: piece = os.read(fd, 1000)\n"
        "    except OSError: break\n"
        "    if not piece: break\n"
        "    data += piece\n"
        "sys.stdout.buffer.write(data)\n"
    )
    env = {"PATH": "/usr/bin:/bin", "TERM": "xterm", **settings}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=env)
    assert b"\\x1b[2Jgone 1\r2" in done.stdout
    assert (b"\x1b[31mred\x1b[0m" in done.stdout) is coloured
    assert (b"\x1b[32mok\x1b[0m" in done.stdout) is coloured
    assert b"red" in done.stdout


def test_the_demo_in_json(cli):
    """``demo --json`` prints one JSON object with each cell's result."""
    said = cli("demo", "--json")
    assert said.code == 0
    results = [ExecutionResult.from_dict(cell["result"]) for cell in said.json["cells"]]
    assert [result.is_ok for result in results] == [True] * 5 + [False]
    assert json.loads(said.out)["notebook"].endswith("demo.ipynb")
