"""Governance seen from real kernels: approvals, budgets, limits, scopes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from py_code_mode import (
    Action,
    Budget,
    CodeExecutor,
    ConfigError,
    Decision,
    Rule,
    Rules,
    ToolLimit,
    ToolRegistry,
)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


class Desk:
    """Somebody who approves: questions wait for an answer."""

    def __init__(self) -> None:
        self.open: dict[Any, asyncio.Future[Any]] = {}
        self.gone: list[Any] = []

    async def __call__(self, action: Action) -> Any:
        key = action.arguments.get("n")
        self.open[key] = asyncio.get_running_loop().create_future()
        try:
            return await self.open[key]
        except asyncio.CancelledError:
            self.gone.append(key)
            raise


class Tools:
    """A registry with some tools, and what they have seen."""

    def __init__(self) -> None:
        self.registry = ToolRegistry()
        self.running = self.most = 0
        self.ran: list[int] = []
        self.go = asyncio.Event()
        self.registry.add(self.note, name="note")
        self.registry.add(self.meet, name="meet")

    async def note(self, n: int = 0) -> int:
        """Remember a number."""
        self.ran.append(n)
        return n

    async def meet(self, n: int = 0) -> int:
        """Wait until all may go on."""
        self.running += 1
        self.most = max(self.most, self.running)
        self.ran.append(n)
        try:
            await self.go.wait()
        finally:
            self.running -= 1
        return n


@pytest.fixture
def tools() -> Tools:
    return Tools()


# --- approvals and time ------------------------------------------------------------------------


async def test_an_approval_may_take_longer_than_the_cell(make_executor, tools):
    """Waiting for an answer does not count toward the cell's timeout, and is on record."""
    desk = Desk()
    executor = await make_executor(registry=tools.registry, on_tool_call=desk)
    await executor.start()
    task = asyncio.create_task(executor.run("tools.note(n=1) + 1", timeout=0.5))
    await until(lambda: 1 in desk.open)
    await asyncio.sleep(1.0)
    assert not task.done()
    desk.open[1].set_result(True)
    result = await task
    assert result.unwrap() == 2
    assert result.seconds > 1.0
    (call,) = result.tool_calls
    assert call.outcome == "ok"
    assert 1.0 < call.waited <= call.seconds


async def test_a_cell_that_has_spent_its_time_is_stopped_after_the_wait(make_executor, tools):
    """After a wait the rest of the time goes on, and a cell that spends it is stopped."""
    desk = Desk()
    executor = await make_executor(registry=tools.registry, on_tool_call=desk)
    await executor.start()
    task = asyncio.create_task(executor.run("tools.note(n=1)\nwhile True: pass", timeout=0.5))
    await until(lambda: 1 in desk.open)
    await asyncio.sleep(0.7)
    assert not task.done()
    desk.open[1].set_result(True)
    result = await task
    assert result.error.name == "ExecutionTimeout"
    assert not result.state_lost
    assert [call.outcome for call in result.tool_calls] == ["ok"]
    assert (await executor.run("1 + 1")).value == 2


async def test_overlapping_waits_count_once(make_executor, tools):
    """Time stands still until the last of several answers has come."""
    desk = Desk()
    executor = await make_executor(registry=tools.registry, on_tool_call=desk)
    await executor.start()
    code = "tools.map('note', [{'n': n} for n in range(3)])"
    task = asyncio.create_task(executor.run(code, timeout=0.5))
    for n in range(3):
        await until(lambda n=n: n in desk.open)
    for n in range(3):
        await asyncio.sleep(0.4)
        assert not task.done()
        desk.open[n].set_result(True)
    assert (await task).unwrap() == [0, 1, 2]


async def test_an_interrupt_works_while_somebody_thinks(make_executor, tools):
    """A cell that waits for an answer can be interrupted; who was asked is told."""
    desk = Desk()
    executor = await make_executor(registry=tools.registry, on_tool_call=desk)
    for code in ("tools.note(n=1)", "await tools.note.acall(n=1)"):
        desk.open.clear()
        desk.gone.clear()
        task = asyncio.create_task(executor.run(code, timeout=60))
        await until(lambda: desk.open)
        await executor.interrupt()
        result = await task
        assert result.error.name == "KeyboardInterrupt"
        assert [call.outcome for call in result.tool_calls] == ["cancelled"]
        assert desk.gone == [1]
        assert tools.ran == []
    assert (await executor.run("1 + 1")).value == 2


async def test_a_kernel_that_dies_takes_its_questions_along(make_executor, tools):
    """When the kernel ends while somebody is asked, the call is cancelled and on record."""
    desk = Desk()
    executor = await make_executor(registry=tools.registry, on_tool_call=desk)
    code = "import os, threading\nthreading.Timer(0.3, os._exit, [3]).start()\ntools.note(n=1)"
    result = await executor.run(code)
    assert result.error.name == "KernelDied"
    assert [call.outcome for call in result.tool_calls] == ["cancelled"]
    assert desk.gone == [1]


async def test_calls_cut_off_by_the_time_limit_are_on_record(make_executor, tools):
    """A call in flight when its cell is stopped, or killed, is on the result as cancelled."""
    executor = await make_executor(registry=tools.registry)
    await executor.start()
    deaf = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "await asyncio.gather(tools.meet.acall(n=1), tools.meet.acall(n=2))"
    )
    for code in ("tools.meet(n=1)", f"import asyncio\n{deaf}"):
        result = await executor.run(code, timeout=0.5)
        assert result.error.name == "ExecutionTimeout"
        assert {call.outcome for call in result.tool_calls} == {"cancelled"}
        assert tools.running == 0
    assert len(result.tool_calls) == 2


async def test_a_call_left_over_does_not_hold_up_the_next_cell(make_executor, tools):
    """A question of a thread that outlived its cell does not stop the next cell's clock."""
    desk = Desk()
    executor = await make_executor(registry=tools.registry, on_tool_call=desk)
    await executor.run(
        "import threading\n"
        "thread = threading.Thread(target=lambda: tools.note(n=1), daemon=True)\nthread.start()"
    )
    await until(lambda: 1 in desk.open)
    result = await executor.run("import time\nwhile True: time.sleep(0.01)", timeout=0.5)
    assert result.error.name == "ExecutionTimeout"
    desk.open[1].set_result(True)


async def test_a_wait_in_an_inner_session_is_the_outer_cells_too(make_executor, tools):
    """A cell that waits for a tool that runs code waits for that code's approvals, too."""
    desk = Desk()

    async def check(action):
        return await desk(action) if action.name == "note" else None

    executor = await make_executor(registry=tools.registry, on_tool_call=check)

    async def inner() -> Any:
        """Run code elsewhere."""
        return (await (await executor.session("inner")).run("tools.note(n=1)")).unwrap()

    tools.registry.add(inner)
    await (await executor.session("inner")).start()
    await executor.start()
    task = asyncio.create_task(executor.run("tools.inner()", timeout=1.0))
    await until(lambda: 1 in desk.open)
    await asyncio.sleep(1.3)
    desk.open[1].set_result(True)
    assert (await task).unwrap() == 1


# --- denials -----------------------------------------------------------------------------------


async def test_the_agent_reads_why(make_executor, tools):
    """The agent's code catches a denial and reads the rule's reason."""
    rules = Rules(
        [
            Rule("deny", tools="note", arguments={"n": "13"}, reason="13 is unlucky"),
            Rule("ask", tools="meet", reason="meetings are dear"),
        ]
    )
    executor = await make_executor(registry=tools.registry, policy=rules)
    result = await executor.run(
        "said = []\n"
        "for call in (lambda: tools.note(n=13), lambda: tools.note([13]), lambda: tools.meet()):\n"
        "    try:\n        call()\n"
        "    except tools.ToolDeniedError as error:\n        said.append(str(error))\n"
        "[*said, tools.note(n=12)]"
    )
    first, second, third, value = result.unwrap()
    assert first == second == "note was not run: 13 is unlucky"
    assert "nobody to ask" in third
    assert "meetings are dear" in third
    assert value == 12
    outcomes = [call.outcome for call in result.tool_calls]
    assert outcomes == ["denied", "denied", "denied", "ok"]
    assert result.tool_calls[0].error == first


async def test_a_failing_policy_is_told_and_allows_nothing(make_executor, tools, caplog):
    """When ``on_tool_call`` fails the agent learns that it failed, and nothing of the host's."""

    async def broken(action):
        raise RuntimeError("the host's own trouble")

    executor = await make_executor(registry=tools.registry, on_tool_call=broken)
    result = await executor.run("tools.note(n=1)")
    assert result.error.name == "ToolDeniedError"
    assert "on_tool_call failed (RuntimeError)" in result.error.message
    assert "trouble" not in result.text
    assert "the host's own trouble" in caplog.text
    assert tools.ran == []


async def test_changed_arguments_are_on_record(make_executor, tools):
    """What ``on_tool_call`` made of the arguments is what runs, and what the record shows."""

    async def change(action):
        return Decision(allowed=True, arguments={"n": action.arguments["n"] + 100})

    executor = await make_executor(registry=tools.registry, on_tool_call=change)
    result = await executor.run("tools.note(n=1)")
    assert result.unwrap() == 101
    assert result.tool_calls[0].arguments == {"n": 101}


async def test_a_file_of_rules_governs_an_executor(tmp_path):
    """``create`` takes the path of a file of rules, and does not go on with a wrong one."""
    Path(tmp_path, "echo.yaml").write_text("name: echo\nargs: '{text}'\ntags: [safe]\n")
    policy = tmp_path / "policy" / "rules.yml"
    policy.parent.mkdir()
    policy.write_text(
        "default: deny\nrules:\n  - effect: allow\n    tags: [safe]\n"
        "    arguments: {text: [a*, '!*z']}\n"
    )
    async with await CodeExecutor.create(tools=tmp_path, policy=policy) as executor:
        assert (await executor.run("tools.echo(text='abc')")).unwrap() == "abc\n"
        assert (await executor.run("tools.echo(text='az')")).error.name == "ToolDeniedError"
        assert (await executor.run("tools.echo(text=['a', 'b'])")).error.name == "ToolDeniedError"
        assert (await executor.run("!echo x")).error.name == "PolicyError"
    policy.write_text("default: maybe\nrules: []\n")
    with pytest.raises(ConfigError, match="default"):
        await CodeExecutor.create(tools=tmp_path, policy=str(policy))


# --- budgets -----------------------------------------------------------------------------------

COUNT = """
done = 0
try:
    for n in range(100):
        tools.note(n=n)
        done += 1
except tools.ToolDeniedError as error:
    said = str(error), error.budget, error.limit
done
"""


async def test_a_runs_budget_begins_anew(make_executor, tools):
    """Each run has its own calls; the one too many is denied with the budget's name."""
    executor = await make_executor(registry=tools.registry, budget=Budget(calls_per_run=3))
    for _ in range(2):
        result = await executor.run(COUNT)
        assert result.unwrap() == 3
        assert [call.outcome for call in result.tool_calls] == ["ok"] * 3 + ["denied"]
    said, which, limit = (await executor.run("said")).unwrap()
    assert (which, limit) == ("calls_per_run", 3)
    assert "run's budget of 3 tool calls is spent" in said


async def test_a_sessions_budget_outlives_its_kernels(make_executor, tools):
    """Neither a reset, nor a kernel's death, nor a rollback gives calls back."""
    executor = await make_executor(registry=tools.registry, budget=Budget(calls_per_session=6))
    point = await executor.checkpoint()
    assert (await executor.run("for n in range(2): tools.note(n=n)")).is_ok
    await executor.reset()
    assert (await executor.run("for n in range(2): tools.note(n=n)")).is_ok
    result = await executor.run("import os; os._exit(1)")
    assert result.error.name == "KernelDied"
    await executor.rollback(point)
    assert (await executor.run(COUNT)).unwrap() == 2
    assert (await executor.run(COUNT)).unwrap() == 0
    other = await executor.session("other")
    assert (await other.run(COUNT)).unwrap() == 6


async def test_a_kernel_cannot_choose_what_it_is_counted_under(make_executor, tools):
    """Calls of a thread that outlives its cell, or of a made-up cell, are counted all the same."""
    executor = await make_executor(registry=tools.registry, budget=Budget(calls_per_run=3))
    await executor.run(
        "import threading\ngo, got = threading.Event(), []\n"
        "def later():\n    go.wait(30)\n"
        "    for n in range(10):\n"
        "        try: got.append(tools.note(n=n))\n"
        "        except tools.ToolDeniedError: pass\n"
        "thread = threading.Thread(target=later)\nthread.start()"
    )
    assert (await executor.run("go.set(); thread.join(); got")).unwrap() == [0, 1, 2]


# --- turns -------------------------------------------------------------------------------------


async def test_calls_overlap_no_more_than_they_may(make_executor, tools):
    """Of calls made at once by two sessions no more run at once than the limit lets through."""
    limits = [ToolLimit("meet", concurrent=3)]
    executor = await make_executor(registry=tools.registry, budget=Budget(tool_limits=limits))
    other = await executor.session("other")
    code = "tools.map('meet', [{'n': n} for n in range(6)], concurrency=6)"
    runs = [asyncio.create_task(each.run(code)) for each in (executor, other)]
    await until(lambda: tools.running == 3)
    assert (await (await executor.session("third")).run("tools.note(n=5)")).unwrap() == 5
    tools.go.set()
    for run in runs:
        assert (await run).unwrap() == list(range(6))
    assert tools.most == 3


async def test_waiting_for_a_turn_costs_no_time(make_executor, tools):
    """A cell whose call waits behind another session's is not stopped for that."""
    limits = [ToolLimit("meet", concurrent=1)]
    executor = await make_executor(registry=tools.registry, budget=Budget(tool_limits=limits))
    other = await executor.session("other")
    await executor.start()
    await other.start()
    first = asyncio.create_task(executor.run("tools.meet(n=1)", timeout=30))
    await until(lambda: tools.running == 1)
    second = asyncio.create_task(other.run("tools.meet(n=2)", timeout=0.5))
    await asyncio.sleep(1.0)
    assert not second.done()
    tools.go.set()
    assert (await first).unwrap() == 1
    result = await second
    assert result.unwrap() == 2
    assert result.tool_calls[0].waited > 0.4


async def test_a_tool_whose_code_calls_tools_does_not_wait_for_itself(make_executor, tools):
    """A call made by code that a tool runs shares the turn of that tool's own call."""
    limits = [ToolLimit("*", concurrent=1)]
    executor = await make_executor(registry=tools.registry, budget=Budget(tool_limits=limits))

    async def inner(n: int) -> Any:
        """Run code elsewhere."""
        return (await (await executor.session("inner")).run(f"tools.note(n={n})")).unwrap()

    tools.registry.add(inner)
    async with asyncio.timeout(30):
        assert (await executor.run("[tools.inner(n=n) for n in (1, 2)]")).unwrap() == [1, 2]


async def test_an_interrupt_frees_the_place_in_the_queue(make_executor, tools):
    """A call that waits for its turn when its cell is interrupted leaves the queue."""
    limits = [ToolLimit("meet", concurrent=1)]
    executor = await make_executor(registry=tools.registry, budget=Budget(tool_limits=limits))
    other = await executor.session("other")
    gates = executor._settings.dispatcher._governor._gates
    first = asyncio.create_task(executor.run("tools.meet(n=1)"))
    await until(lambda: tools.running == 1)
    second = asyncio.create_task(other.run("tools.meet(n=2)"))
    await until(lambda: gates.of("meet")[0].waiting == 1)
    await other.interrupt()
    result = await second
    assert result.error.name == "KeyboardInterrupt"
    assert [call.outcome for call in result.tool_calls] == ["cancelled"]
    assert gates.of("meet")[0].waiting == 0
    tools.go.set()
    assert (await first).unwrap() == 1
    assert tools.ran == [1]


async def test_a_call_that_may_not_wait_is_told_so(make_executor, tools):
    """With ``wait=False`` the agent reads that it was too fast."""
    limits = [ToolLimit("note", per_second=0.01, burst=2, wait=False)]
    executor = await make_executor(registry=tools.registry, budget=Budget(tool_limits=limits))
    result = await executor.run(
        "got = tools.map('note', [{'n': n} for n in range(4)], concurrency=1)\n"
        "[got[:2], *map(str, got[2:])]"
    )
    first, third, fourth = result.unwrap()
    assert first == [0, 1]
    assert third == fourth
    assert "at most 0.01 a second" in third


# --- scopes ------------------------------------------------------------------------------------

HIDDEN = """
from kernel_bootstrap import ToolNotFoundError

def near(ask):
    try:
        return ["found", ask()]
    except ToolNotFoundError as error:
        return ["hidden", list(error.near), str(error)]

by_hand = lambda name: tools._link.call("tools.call", name=name, arguments={})
[
    near(lambda: tools.secret_note()), near(lambda: tools.call("secret-note", {})),
    near(lambda: by_hand("secret-note")), near(lambda: by_hand("secret_note")),
    near(lambda: by_hand("secret-not")), near(lambda: tools.describe("secret-note")),
    near(lambda: tools.describe("secret_note")),
]
"""


async def test_hidden_tools_do_not_exist_for_a_kernel(make_executor, tools):
    """No door of the kernel leads to a tool out of scope, nor tells of it."""
    tools.registry.add(tools.note, name="secret-note", tags=["secret"])
    tools.registry.add(tools.note, name="open-note", tags=["open"])
    executor = await make_executor(registry=tools.registry.scoped_view(["open"]))
    answers = (await executor.run(HIDDEN)).unwrap()
    assert [answer[0] for answer in answers] == ["hidden"] * 7
    assert all("secret-note" not in answer[1] for answer in answers)
    assert tools.ran == []
    result = await executor.run(
        "[[t['name'] for t in tools.list()], [t['name'] for t in tools.search('secret note')],\n"
        " [t['name'] for t in tools._link.call('tools.list')],\n"
        " [t['name'] for t in tools._link.call('tools.search', query='secret note', limit=9)],\n"
        " hasattr(tools, 'secret_note'), 'secret_note' in dir(tools), tools.open_note(n=3)]"
    )
    listed, found, raw, raw_found, has, in_dir, value = result.unwrap()
    assert listed == found == raw == raw_found == ["open-note"]
    assert (has, in_dir, value) == (False, False, 3)
    assert "secret" not in (await executor.run("print(tools, tools.list())")).stdout


async def test_a_tool_added_later_stays_hidden(make_executor, tools):
    """A scope holds for tools that come while a session is on."""
    executor = await make_executor(registry=tools.registry.scoped_view(["open"]))
    assert (await executor.run("tools.list()")).value == []
    tools.registry.add(tools.note, name="late-secret", tags=["secret"])
    tools.registry.add(tools.note, name="late-open", tags=["open"])
    result = await executor.run("[t['name'] for t in tools.list()]")
    assert result.unwrap() == ["late-open"]
    result = await executor.run("tools.call('late-secret', {})")
    assert result.error.name == "ToolNotFoundError"
