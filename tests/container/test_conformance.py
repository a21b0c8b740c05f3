"""One suite for both: what ``CodeExecutor`` does here, ``SessionClient`` does on a server."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections.abc import Awaitable
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import nbformat
import numpy as np
import pytest

from py_code_mode import CodeExecutor, Session
from py_code_mode.container import RemoteSession, SessionClient
from py_code_mode.errors import ExecutionTimeout, KernelError, SessionClosed, ValueNotEncodableError
from py_code_mode.events import (
    Cleared,
    Displayed,
    Failed,
    Finished,
    Printed,
    Started,
    ToolCalled,
    Updated,
)
from py_code_mode.results import RemoteValue
from py_code_mode.runner import Runner, SessionHost


async def settled(value: Any) -> Any:
    """What a verb gives; some that need no waiting here need it over HTTP."""
    return await value if isinstance(value, Awaitable) else value


# --- the same verbs ----------------------------------------------------------------------------


def verbs(protocol: type) -> list[str]:
    return sorted(
        name
        for base in protocol.__mro__
        for name, value in vars(base).items()
        if inspect.isfunction(value) and base.__module__ == Runner.__module__ and name != "__init__"
        if not name.startswith("_no_init") and name != "__subclasshook__"
    )


LOCAL = (CodeExecutor, Session)


@pytest.mark.parametrize(
    ("kind", "protocol"),
    [
        (CodeExecutor, SessionHost),
        (SessionClient, SessionHost),
        (Session, Runner),
        (RemoteSession, Runner),
    ],
    ids=lambda each: each.__name__,
)
def test_the_signatures_are_those_of_the_protocol(kind, protocol):
    """Each class that runs code takes the same arguments with the same defaults."""
    assert issubclass(kind, protocol) or protocol is SessionHost
    for verb in verbs(protocol):
        wanted = inspect.signature(getattr(protocol, verb)).parameters.values()
        found = inspect.signature(getattr(kind, verb)).parameters.values()
        assert [(p.name, p.kind) for p in found] == [(p.name, p.kind) for p in wanted], verb
        # Without code the `stream` of a session at hand listens: what the others need, it may do without.
        free = [
            (p.name, q.default)
            for p, q in zip(wanted, found, strict=True)
            if p.default != q.default
        ]
        assert free == ([("code", None)] if verb == "stream" and kind in LOCAL else []), verb


def test_sessions_have_the_same_verbs():
    """What a session can, a remote one can, except for what needs its kernel at hand."""
    here = {name for name in dir(Session) if not name.startswith("_")}
    there = {name for name in dir(RemoteSession) if not name.startswith("_")}
    assert there - here == {"end", "execute", "id", "info", "of"}
    assert here - there == {
        "become",
        "checkpoint",
        "debug",
        "open_lab",
        "rollback",
        "save_skill_from",
        "try_each",
    }


# --- results -----------------------------------------------------------------------------------

VALUES = """
import math, numpy as np
from decimal import Decimal
{"odd": (1, {2}, frozenset(), 2**100, b"x" * 5000, math.nan, -0.0, 1j, "\\udc80", Decimal("1.50")),
 ("key", 1): np.arange(6, dtype="int16").reshape(2, 3), None: range(3), "deep": [[[[]]]]}
"""


async def test_values_are_exact(runner):
    """Values of every kind come with their types, arrays with their form."""
    value = (await runner.run(VALUES)).unwrap()
    assert [*value] == ["odd", ("key", 1), None, "deep"]
    one, two, three, four, data, nan, zero, *rest = value["odd"]
    assert (one, two, three, four, data) == (1, {2}, frozenset(), 2**100, b"x" * 5000)
    assert math.isnan(nan)
    assert math.copysign(1, zero) == -1
    assert rest == [1j, "\udc80", Decimal("1.50")]
    assert value["key", 1].dtype == np.int16
    assert value["key", 1].tolist() == [[0, 1, 2], [3, 4, 5]]


async def test_what_cannot_cross_stays_there(runner):
    """An object that is no data is described, and its handle reaches it."""
    value = (await runner.run("import re\nre.compile('a+')")).value
    assert isinstance(value, RemoteValue)
    assert (value.type_name, value.repr) == ("re.Pattern", "re.compile('a+')")
    assert (await runner.run(f"{value.handle}.findall('aab')")).value == ["aa"]


SHOWING = """
import sys
from IPython.display import display, HTML
print("out ü")
print("err", file=sys.stderr)
handle = display(HTML("<b>1</b>"), display_id="d")
handle.update(HTML("<b>2</b>"))
display({"application/json": {"a": [1.5]}}, raw=True)
said = tools.echo(text="hi")
skills.double(n=4), said
"""


async def test_a_result_has_all_there_is(runner):
    """Streams, displays, tool calls, names and numbers are in the result."""
    result = await runner.run(SHOWING)
    value, said = result.unwrap()
    assert (value, said.strip()) == (8, "hi")
    assert (result.stdout, result.stderr) == ("out ü\n", "err\n")
    assert [output.kind for output in result.outputs][-1] == "result"
    assert [output.html for output in result.outputs if output.html] == ["<b>2</b>"]
    assert [output.json for output in result.outputs if output.json] == [{"a": [1.5]}]
    assert {"said", "handle"} <= {*result.new_variables}
    (call,) = result.tool_calls
    assert (call.tool, call.arguments, call.outcome) == ("echo", {"text": "hi"}, "ok")
    assert result.execution_count == 1
    assert result.seconds > 0


async def test_a_failure_is_data(runner):
    """Code that raises gives its error and traceback, and the session goes on."""
    result = await runner.run("x = 1\n1 / 0")
    assert not result.is_ok
    assert result.error.name == "ZeroDivisionError"
    assert "----> 2 1 / 0" in result.error.traceback.replace("--> 2", "----> 2").replace(
        "------>", "---->"
    )
    assert (await runner.run("x")).value == 1


async def test_floods_are_cut(runner):
    """Output without end is cut the same way, and the result says where the rest is."""
    result = await runner.run("print('x' * 3_000_000)")
    (cut,) = result.truncated
    assert (cut.what, cut.total) == ("stdout", 3_000_001)
    assert len(result.stdout) < 1_100_000


async def test_events_come_as_they_happen(runner):
    """A stream has the same events in the same order, while the cell runs."""
    code = "import time\nprint('a')\ntime.sleep(0.4)\nfrom IPython.display import clear_output\n"
    code += (
        "h = display(1, display_id=True)\nh.update(2)\ntools.echo(text='x')\nclear_output()\n1/0"
    )
    events, first = [], 0.0
    started = time.monotonic()
    async for event in runner.stream(code):
        events.append(event)
        if isinstance(event, Printed) and not first:
            first = time.monotonic() - started
    kinds = [type(event) for event in events if not isinstance(event, ToolCalled)]
    assert kinds == [Started, Printed, Displayed, Updated, Cleared, Failed, Finished]
    assert any(isinstance(event, ToolCalled) for event in events)
    result = events[-1].result
    assert result.error.name == "ZeroDivisionError"
    assert result.seconds >= 0.4
    assert first < time.monotonic() - started - 0.1  # it slept for 0.4 after that


# --- stopping ----------------------------------------------------------------------------------


async def test_time_limits(runner):
    """A run ends at its own limit, with what it printed, and variables survive."""
    await runner.start()
    result = await runner.run("x = 1\nprint('begun')\nimport time\ntime.sleep(60)", timeout=0.5)
    assert result.error.name == "ExecutionTimeout"
    assert (result.stdout, result.state_lost) == ("begun\n", False)
    with pytest.raises(ExecutionTimeout, match=r"limit of 0\.5 s"):
        result.unwrap()
    assert (await runner.run("x")).value == 1


async def begin(runner: Any, work: str) -> asyncio.Task[Any]:
    """Start a cell that takes long, and wait until it is under way."""
    await runner.start()
    under_way = asyncio.Event()

    async def follow() -> Any:
        async for event in runner.stream(f"print('begun')\n{work}"):
            if isinstance(event, Printed):
                under_way.set()
            if isinstance(event, Finished):
                return event.result
        return None

    task = asyncio.create_task(follow())
    await asyncio.wait_for(under_way.wait(), 20)
    return task


SLEEP = "import time\ntime.sleep(60)\nleft = 1"


async def test_interrupt(runner):
    """An interrupt ends the cell that runs; without one it does nothing."""
    await runner.interrupt()
    running = await begin(runner, SLEEP)
    await runner.interrupt()
    assert (await asyncio.wait_for(running, 10)).error.name == "KeyboardInterrupt"


@pytest.mark.parametrize("how", ["cancel", "leave"])
async def test_whoever_goes_stops_the_code(runner, how):
    """Cancelling a run, or leaving its stream, interrupts the cell; the next one runs at once."""
    if how == "cancel":
        running = await begin(runner, SLEEP)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        async with aclosing(runner.stream(f"print('begun')\n{SLEEP}")) as events:
            async for event in events:
                if isinstance(event, Printed):
                    break
    started = time.monotonic()
    assert (await runner.run("'left' in dir()")).value is False
    assert time.monotonic() - started < 10


async def test_runs_wait_for_each_other(runner):
    """Runs that are started at once happen one after another."""
    await runner.run("seen = []")
    codes = [f"import time; time.sleep(0.05); seen.append({n}); len(seen)" for n in range(4)]
    results = await asyncio.gather(*map(runner.run, codes))
    assert sorted(result.value for result in results) == [1, 2, 3, 4]


async def test_cancelling_a_run_that_waits(runner):
    """A run that has not begun is taken out of the queue; the one that runs goes on."""
    running = await begin(runner, "import time\ntime.sleep(1)\ndone = True\n'end'")
    waiting = asyncio.create_task(runner.run("second = True"))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await asyncio.wait_for(running, 20)).value == "end"
    assert (await runner.run("'second' in dir()")).value is False


async def test_a_kernel_that_dies(runner):
    """The death of a kernel is the result of the cell, and the session has another one after."""
    result = await runner.run("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert (result.error.name, result.state_lost) == ("KernelDied", True)
    assert (await runner.run("1 + 1")).value == 2


async def test_reset(runner):
    """A reset takes all variables away, and ends a cell that runs."""
    running = await begin(runner, SLEEP)
    await runner.reset()
    assert (await asyncio.wait_for(running, 20)).error.name == "KernelDied"
    assert (await runner.run("'time' in dir()")).value is False


async def test_peek(runner):
    """A look at a running cell has its stack, its variables and what it printed."""
    assert not (await runner.peek()).running
    running = await begin(runner, "import time\ndef f(n):\n    time.sleep(60)\nf(3)")
    async with asyncio.timeout(20):
        while not (seen := await runner.peek()).stack or not seen.stdout:
            await asyncio.sleep(0.02)
    assert (seen.running, seen.stdout) == (True, "begun\n")
    assert seen.code.endswith("time.sleep(60)\nf(3)")
    assert [frame.function for frame in seen.stack] == ["<module>", "f"]
    assert [(each.name, each.preview) for each in seen.stack[1].locals] == [("n", "3")]
    await runner.interrupt()
    result = await running
    assert result.error.frame.where == "f, line 4 of Cell In[1]"
    assert result.error.locals == list(seen.stack[1].locals)


# --- variables, sessions -----------------------------------------------------------------------


async def test_variables(runner):
    """Variables are listed, read and written, exactly."""
    await runner.set_variable("rows", [{"n": (1, b"x" * 3000)}])
    assert await runner.get_variable("rows") == [{"n": (1, b"x" * 3000)}]
    await runner.run("import numpy as np\ntable = np.zeros((2, 3))\npattern = __import__('re')")
    found = {variable.name: variable for variable in await runner.variables()}
    assert found["table"].shape == (2, 3)
    assert (found["rows"].type, found["rows"].length) == ("list", 1)
    assert isinstance(await runner.get_variable("pattern"), RemoteValue)


async def test_variables_that_are_none(runner):
    """Unknown names, names that are none, and values that cannot cross raise the same errors."""
    with pytest.raises(KernelError, match="nope"):
        await runner.get_variable("nope")
    with pytest.raises(KernelError, match="identifier"):
        await runner.set_variable("a b", 1)
    with pytest.raises(ValueNotEncodableError, match="module"):
        await runner.set_variable("a", math)


async def test_fork(runner):
    """A branch has the variables, and goes its own way."""
    await runner.run("x = [1]")
    async with aclosing(await runner.fork("branch")) as branch:
        assert isinstance(branch, Runner)
        assert branch.name == "branch"
        await branch.run("x.append(2)")
        assert ((await runner.run("x")).value, (await branch.run("x")).value) == ([1], [1, 2])
        with pytest.raises(KernelError, match="branch"):
            await runner.fork("branch")
    running = await begin(runner, SLEEP)
    with pytest.raises(KernelError, match="running"):
        await runner.fork()
    await runner.interrupt()
    await running


async def test_sessions(runner):
    """Sessions of a name are one session; they share nothing else, and can be closed."""
    one, same, other = (
        await runner.session("one"),
        await runner.session("one"),
        await runner.session(),
    )
    await runner.start()
    await one.run("x = 1")
    assert (await same.run("x")).value == 1
    assert not (await other.run("x")).is_ok
    assert {one.name, other.name} <= {session.name for session in await runner.sessions()}
    await one.aclose()
    assert one.name not in {session.name for session in await runner.sessions()}
    with pytest.raises(SessionClosed):
        await one.run("1")
    await other.aclose()


async def test_the_notebook(runner, tmp_path):
    """The cells that were run are a valid notebook, here and in a file."""
    await runner.run("print('ü')\n6 * 7")
    transcript = runner.transcript
    notebook = await settled(transcript() if callable(transcript) else transcript)
    nbformat.validate(notebook)
    (cell,) = notebook.cells
    assert cell.source == "print('ü')\n6 * 7"
    assert [output.output_type for output in cell.outputs] == ["stream", "execute_result"]
    path = await settled(runner.export_notebook(tmp_path / "new" / "run.ipynb"))
    assert nbformat.read(path, as_version=4).cells[0].source == cell.source


async def test_after_the_end(runner):
    """What was closed says so."""
    await runner.run("1")
    await runner.aclose()
    await runner.close()
    for verb in (runner.run, runner.get_variable):
        with pytest.raises(SessionClosed):
            await verb("x")
