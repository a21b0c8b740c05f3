"""Consoles in a real terminal: ours, and Jupyter's with our kernelspec."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import psutil
from pexpect.fdpexpect import fdspawn

from py_code_mode import ToolRegistry, live
from py_code_mode.cli import main
from tests.bootstrap.fakes import eventually
from tests.kernelspec.conftest import gone

SECONDS = 30

TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


@contextmanager
def terminal(folder: Path, *words: str) -> Iterator[tuple[fdspawn, subprocess.Popen[bytes]]]:
    """Run a program of this interpreter in a terminal of its own."""
    ours, its = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, sys.executable, *words],
        **dict.fromkeys(("stdin", "stdout", "stderr"), its),
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        start_new_session=True,
    )
    os.close(its)
    screen = fdspawn(ours, timeout=SECONDS, encoding="utf-8")
    try:
        yield screen, process
    finally:
        process.kill()
        process.wait(SECONDS)
        os.close(ours)


def prompt(screen: fdspawn, number: int) -> None:
    """Wait until the console asks for a cell."""
    screen.expect(rf"In \[(\x1b\[[\d;]*m)?{number}(\x1b\[[\d;]*m)?\]: ")


def test_our_console(project):
    """A prompt, a tool call, completion, an interrupt, input, and the way out."""
    with terminal(project / "notebooks", "-m", "py_code_mode", "console") as (screen, process):
        screen.expect("tools, skills and artifacts are there")
        prompt(screen, 1)
        screen.send("tools.wc(file='words.txt')\r")
        screen.expect_exact(r"'3 words.txt\n'")
        prompt(screen, 2)
        screen.send("sum(skills.cou\t")
        screen.expect_exact("nt")  # of skills.count: only what is new is drawn
        screen.send("(text='a b') * [21])\r")
        screen.expect_exact("42\r\n")
        prompt(screen, 3)
        screen.send("import os, time; print('pid', os.getpid()); time.sleep(1000)\r")
        screen.expect(r"pid (\d+)")
        kernel = psutil.Process(int(screen.match[1]))
        host = kernel.parent()
        assert host is not None
        screen.send("\x03")
        screen.expect("KeyboardInterrupt")
        prompt(screen, 4)
        screen.send("input('wh' + 'o? ')\r")
        screen.expect_exact("who? ")
        screen.send("Ada\r")
        screen.expect("'Ada'")
        prompt(screen, 5)
        screen.send("exit\r")
        screen.expect(pexpect.EOF)
        assert process.wait(SECONDS) == 0
        eventually(lambda: gone(kernel) and gone(host), 10)


def test_jupyter_console(project, jupyter):
    """``jupyter console --kernel py-code-mode`` has the names, and ``exit`` leaves it."""
    words = ("-m", "jupyter_console", "--kernel", "py-code-mode", "--simple-prompt")
    with terminal(project / "notebooks", *words) as (screen, process):
        screen.expect_exact("In [1]: ")
        screen.send("tools.wc(file='words.txt')\r")
        screen.expect_exact(r"'3 words.txt\n'")
        screen.expect_exact("In [2]: ")
        screen.send("exit\r")
        screen.expect(pexpect.EOF)
        assert process.wait(SECONDS) == 0


async def test_a_console_on_a_session_of_another_program(make_executor, tmp_path):
    """It shares variables and tools with the session, breaks its own cells, and leaves it alone."""

    def double(x: int) -> int:
        return 2 * x

    registry = ToolRegistry()
    registry.add(double)
    executor = await make_executor(registry=registry)
    await executor.run("x = 20")
    (session,) = live.live_sessions()

    def talk() -> None:
        words = ("-m", "py_code_mode", "console", "--session", session.id)
        with terminal(tmp_path, *words) as (screen, process):
            prompt(screen, 1)
            screen.send("tools.double(x=x) + 2\r")
            screen.expect_exact("42\r\n")
            prompt(screen, 3)
            screen.send("import time; print('be' + 'gun'); time.sleep(1000)\r")
            screen.expect_exact("begun")
            screen.send("\x03")
            screen.expect("KeyboardInterrupt")
            screen.send("exit\r")
            screen.expect(pexpect.EOF)
            assert process.wait(SECONDS) == 0

    await asyncio.to_thread(talk)
    assert (await executor.run("x")).value == 20


def test_a_console_without_a_prompt_says_why(project, monkeypatch, capsys):
    """A broken project is said before there is a prompt."""
    monkeypatch.chdir(project)
    (project / "py-code-mode.toml").write_text("tolls = 'x'\n")
    assert main(["console"]) == 1
    assert "did you mean 'tools'" in capsys.readouterr().err
