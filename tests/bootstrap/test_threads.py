"""Threads inherit the context of whoever starts them; tried in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from tests.conftest import ROOT

PRELUDE = """
import asyncio, contextvars, json, threading
from concurrent.futures import ThreadPoolExecutor
from kernel_bootstrap.threads import inherit_context
inherit_context()
var = contextvars.ContextVar("var", default="none")
seen = []
note = lambda: seen.append(var.get())
"""

PROGRAMS = {
    "a thread": (
        """
        var.set("starter")
        thread = threading.Thread(target=note)
        var.set("changed before the start counts")
        thread.start(); thread.join()
        """,
        ["changed before the start counts"],
    ),
    "arguments and results": (
        """
        thread = threading.Thread(target=lambda a, b: seen.append([a, b]), args=(1,), kwargs={"b": 2})
        thread.start(); thread.join()
        """,
        [[1, 2]],
    ),
    "a subclass with run": (
        """
        class Own(threading.Thread):
            def run(self): note(); seen.append(self.name)
        var.set("starter")
        thread = Own(name="own"); thread.start(); thread.join()
        """,
        ["starter", "own"],
    ),
    "a subclass with start": (
        """
        class Own(threading.Thread):
            def start(self): var.set("in start"); super().start()
        thread = Own(target=note); thread.start(); thread.join()
        """,
        ["in start"],
    ),
    "a timer": (
        """
        var.set("starter")
        timer = threading.Timer(0, note); timer.start(); timer.join()
        """,
        ["starter"],
    ),
    "what a thread sets stays its own": (
        """
        var.set("starter")
        thread = threading.Thread(target=var.set, args=("thread",)); thread.start(); thread.join()
        note()
        """,
        ["starter"],
    ),
    "threads of threads": (
        """
        def outer():
            var.set("outer")
            inner = threading.Thread(target=note); inner.start(); inner.join()
        var.set("starter")
        thread = threading.Thread(target=outer); thread.start(); thread.join()
        """,
        ["outer"],
    ),
    "each task of a pool": (
        """
        with ThreadPoolExecutor(1) as pool:
            for name in ("first", "second"):
                var.set(name)
                pool.submit(note).result()
            var.set("mapped")
            list(pool.map(lambda n: seen.append([n, var.get()]), range(2)))
            var.set("later")
            seen.append(pool.submit(lambda a, *, b: [a, b, var.get()], 1, b=2).result())
        """,
        ["first", "second", [0, "mapped"], [1, "mapped"], [1, 2, "later"]],
    ),
    "to_thread and run_in_executor": (
        """
        async def main():
            var.set("task")
            await asyncio.to_thread(note)
            await asyncio.get_running_loop().run_in_executor(None, note)
        asyncio.run(main())
        """,
        ["task", "task"],
    ),
    "errors of a pool pass": (
        """
        with ThreadPoolExecutor(1) as pool:
            seen.append(type(pool.submit(lambda: 1 / 0).exception()).__name__)
        """,
        ["ZeroDivisionError"],
    ),
    "a thread started twice": (
        """
        thread = threading.Thread(target=note); thread.start(); thread.join()
        try: thread.start()
        except RuntimeError as error: seen.append(str(error))
        """,
        ["none", "threads can only be started once"],
    ),
}


def python(source: str) -> str:
    """Run a program in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", source],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        cwd=ROOT,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(("program", "expected"), PROGRAMS.values(), ids=PROGRAMS.keys())
def test_threads_inherit_context(program, expected):
    """However a thread is made, it sees the context of whoever started it, and keeps its own."""
    source = PRELUDE + textwrap.dedent(program) + "\nprint(json.dumps(seen))\n"
    assert json.loads(python(source)) == expected


def test_importing_changes_nothing():
    """Threads are left alone until ``inherit_context`` is called."""
    source = (
        "import threading, concurrent.futures as f\n"
        "before = threading.Thread.start, f.ThreadPoolExecutor.submit\n"
        "import kernel_bootstrap.threads\n"
        "assert (threading.Thread.start, f.ThreadPoolExecutor.submit) == before\n"
    )
    python(source)
