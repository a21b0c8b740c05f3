"""Stack dumps of stuck kernels, made readable: the user's frames only, outermost first."""

from __future__ import annotations

import faulthandler
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode.kernel.stacks import readable_stack
from tests.kernel import stack_samples as samples

TITLE = "Stack when it was stopped (most recent call last):"

SHOWN = {
    "spinning": (
        samples.SPINNING,
        ['File "<cell>", line 5 in <module>', 'File "<cell>", line 4 in spin'],
    ),
    "awaiting": (
        samples.AWAITING,
        [
            'File "<cell>", line 7 in <module>',
            'File "<cell>", line 6 in f',
            'File "/usr/lib/python3.11/json/__init__.py", line 346 in loads',
            'File "/usr/lib/python3.11/json/decoder.py", line 338 in decode',
        ],
    ),
    "in C": (samples.IN_C, ['File "<cell>", line 1 in <module>']),
    "in a skill": (
        samples.IN_A_SKILL,
        ['File "<cell>", line 2 in <module>', 'File "<skill stuck ec281a5b>", line 4 in run'],
    ),
}


@pytest.mark.parametrize(("dump", "shown"), SHOWN.values(), ids=SHOWN.keys())
def test_the_users_frames_are_left(dump, shown):
    """Of a recorded dump the main thread's frames from the cell on are shown, without ours."""
    assert [line.strip() for line in readable_stack(dump).splitlines()] == [TITLE, *shown]


def test_a_wait_for_a_tool_shows_the_call():
    """A cell stuck in a tool call shows the line that called it, and none of our files."""
    shown = readable_stack(samples.IN_A_TOOL)
    assert shown.startswith(
        f'{TITLE}\n  File "<cell>", line 5 in <module>\n  File "<cell>", line 4 in ask\n'
    )
    assert "kernel_bootstrap" not in shown


def test_of_several_dumps_the_last_counts():
    """A file that holds an earlier dump too, or the end of one, gives the newest."""
    cut = samples.AWAITING[len(samples.AWAITING) // 2 :]
    both = f"{cut}\n{samples.SPINNING}"
    assert readable_stack(both) == readable_stack(samples.SPINNING)


def test_a_dump_of_this_interpreter(tmp_path):
    """The running Python's own faulthandler writes what we read, other threads beside it."""
    path = tmp_path / "stack.txt"
    source = "def inner():\n    dump()\n\ndef outer():\n    inner()\n\nouter()\n"
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    with path.open("w") as file:
        code = compile(source, "/tmp/ipykernel_123/456.py", "exec")
        try:
            exec(code, {"dump": lambda: faulthandler.dump_traceback(file, all_threads=True)})
        finally:
            stop.set()
            other.join()
    lines = [line.strip() for line in readable_stack(path.read_text()).splitlines()]
    assert lines[:4] == [
        TITLE,
        'File "<cell>", line 7 in <module>',
        'File "<cell>", line 5 in outer',
        'File "<cell>", line 2 in inner',
    ]


@given(st.text())
def test_anything_is_readable(dump):
    """Whatever stands in the file, there is a text."""
    assert readable_stack(dump).startswith(TITLE)
