"""The command line's own promises, whatever the command."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import py_code_mode
from py_code_mode.cli import main
from py_code_mode.cli.parser import COMMANDS

PYTHON = Path(sys.executable)


def test_it_is_installed_under_its_name():
    """The script py-code-mode and python -m py_code_mode are this function."""
    (point,) = entry_points(group="console_scripts", name="py-code-mode")
    assert point.load() is main
    for command in ([PYTHON.parent / "py-code-mode"], [PYTHON, "-m", "py_code_mode"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout == f"py-code-mode {py_code_mode.__version__}\n"


def test_without_words_it_shows_its_commands(cli):
    """No word, and --help, list every command with what it is for."""
    for words in ((), ("--help",)):
        said = cli(*words)
        assert said.code == 0
        for name, (_module, line) in COMMANDS.items():
            assert name in said.out
            assert line in " ".join(said.out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(cli, name):
    """Each command explains itself."""
    said = cli(name, "--help")
    assert (said.code, said.err) == (0, "")
    assert f"usage: py-code-mode {name}" in said.out


@pytest.mark.parametrize("words", [("nope",), ("skills",), ("skills", "nope"), ("--nope",)])
def test_wrong_words_are_a_usage_error(cli, words):
    """What is no command ends with code 2 and the usage on stderr."""
    said = cli(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("usage: py-code-mode")


def test_the_demo_runs(cli, tmp_path):
    """``demo`` runs its cells, ends with 0, and leaves a notebook in the folder it ran in."""
    said = cli("demo")
    assert (said.code, said.err) == (0, "")
    assert "kernel ready after" in said.out
    assert "called wc: ok" in said.out
    assert (tmp_path / "demo-output" / "demo.ipynb").is_file()


def test_help_loads_nothing_heavy():
    """Help and short commands do not load what takes time."""
    program = (
        "import sys; from py_code_mode.cli import main\n"
        "try: main(['skills', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'sklearn', 'numpy', 'redis', 'pydantic', 'zmq', 'asyncio', 'nbformat'}\n"
        "sys.exit(repr(heavy & {*sys.modules}) if heavy & {*sys.modules} else 0)"
    )
    done = subprocess.run([PYTHON, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_has_enough_is_no_error(tmp_path):
    """A pipe that is closed early ends the command without a traceback."""
    for number in range(3000):
        (tmp_path / f"skill_{number:04}.py").write_text('"""Do."""\ndef run(): pass\n')
    command = [PYTHON, "-m", "py_code_mode", "skills", "list", "--skills", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith(b"skill_0000")
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode in (0, -13)


def test_text_of_agents_cannot_steer_a_terminal(cli, tmp_path):
    """Control characters in names and descriptions are shown, not sent."""
    (tmp_path / "skills").mkdir()
    code = '"""Red \\x1b[31m and\\x07 bell."""\ndef run(): pass\n'
    (tmp_path / "skills" / "x.py").write_text(code)
    (tmp_path / "skills" / os.fsdecode(b"\x1b[2J.py")).write_text(code)
    said = cli("skills", "list")
    assert said.out == "x  Red \\x1b[31m and\\x07 bell.\n"
    assert "\x1b" not in said.err
    assert "identifier" in said.err
