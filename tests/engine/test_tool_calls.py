"""Tools called from cells: every way to call, overlap, cancellation, errors."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import psutil
import pytest

from py_code_mode import CLIAdapter, CodeExecutor, ToolRegistry
from py_code_mode.policy import Decision


def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


def half_second(n: int) -> int:
    """Sleep half a second in a thread."""
    time.sleep(0.5)
    return n


async def echo(value: object = None) -> object:
    """Give back what was given."""
    return value


@pytest.fixture
async def executor(make_executor):
    """An executor with three function tools."""
    registry = ToolRegistry()
    for function in (add, half_second, echo):
        registry.add(function)
    return await make_executor(registry=registry)


async def test_every_way_to_call(executor):
    """Attribute, positional, call, acall and map all reach the tool."""
    result = await executor.run(
        "[tools.add(a=1, b=2), tools.add(1, 2), tools.add(5), tools.call('add', {'a': 4}),\n"
        " await tools.add.acall(a=1), await tools.acall('add', {'a': 6}),\n"
        " tools.map('add', [{'a': n} for n in range(5)])]"
    )
    assert result.unwrap() == [3, 3, 6, 5, 2, 7, [1, 2, 3, 4, 5]]
    assert [call.tool for call in result.tool_calls] == ["add"] * 11
    assert all(call.outcome == "ok" for call in result.tool_calls)
    assert result.tool_calls[0].arguments == {"a": 1, "b": 2}


async def test_map_keeps_order_and_puts_errors_in_place(executor):
    """``tools.map`` gives one entry a call, errors included."""
    result = await executor.run(
        "got = tools.map('add', [{'a': 1}, {'wrong': 2}, {'a': 3}])\n"
        "[got[0], type(got[1]).__name__, got[2]]"
    )
    assert result.unwrap() == [2, "ToolCallError", 4]


@pytest.mark.alone
async def test_four_slow_tools_at_once_overlap(executor):
    """Four half-second tools called at once take under a second."""
    await executor.start()
    for code in (
        "await asyncio.gather(*(tools.half_second.acall(n=n) for n in range(4)))",
        "tools.map('half_second', [{'n': n} for n in range(4)])",
    ):
        started = time.monotonic()
        result = await executor.run(f"import asyncio\n{code}")
        assert result.unwrap() == [0, 1, 2, 3]
        assert time.monotonic() - started < 1.0


async def test_fifty_threads_never_mix_up_replies(executor):
    """Calls from fifty threads each get the answer to their own question."""
    result = await executor.run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def ask(n): return [tools.echo(value=[n, i]) for i in range(20)]\n"
        "with ThreadPoolExecutor(50) as pool:\n"
        "    answers = list(pool.map(ask, range(50)))\n"
        "answers == [[[n, i] for i in range(20)] for n in range(50)]"
    )
    assert result.unwrap() is True
    assert len(result.tool_calls) == 1000


async def test_a_thread_may_call_after_its_cell_ended(executor):
    """A thread that outlives its cell still gets its answers."""
    await executor.run(
        "import threading\n"
        "go, answers = threading.Event(), []\n"
        "def later():\n    go.wait(10)\n    answers.append(tools.add(a=20, b=22))\n"
        "thread = threading.Thread(target=later)\nthread.start()"
    )
    result = await executor.run("go.set(); thread.join(10); answers")
    assert result.unwrap() == [42]
    assert result.tool_calls == []


async def test_values_cross_both_ways_exactly(executor):
    """Arguments and results keep their types: bytes, tuples, sets, big ints, arrays."""
    result = await executor.run(
        "import datetime, numpy as np\n"
        "values = [(1, 'x'), {1, 2}, b'\\x00' * 5000, 2**200, float('inf'),\n"
        "          datetime.date(2026, 1, 2), {1: 'a', (2, 3): None}]\n"
        "same = [(type(v), v) == (type(w), w) for v in values for w in [tools.echo(value=v)]]\n"
        "array = np.arange(100_000).reshape(100, 1000)\n"
        "back = tools.echo(value=array)\n"
        "all(same) and back.dtype == array.dtype and (back == array).all()"
    )
    assert bool(result.unwrap()) is True


async def test_a_value_that_cannot_cross_is_refused_by_name(executor):
    """An argument that cannot cross names its type; nothing is sent."""
    result = await executor.run("tools.echo(value=[object()])")
    assert result.error is not None
    assert result.error.name == "ValueNotEncodableError"
    assert "object" in result.error.message
    assert result.tool_calls == []


async def test_tool_errors_can_be_caught(executor):
    """A failing tool raises ToolCallError, an unknown one lists near names."""
    result = await executor.run(
        "try:\n    tools.add(a=1, c=2)\nexcept tools.ToolError as error:\n    first = error\n"
        "from kernel_bootstrap import ToolNotFoundError\n"
        "try:\n    tools.ad(a=1)\nexcept ToolNotFoundError as error:\n    second = error\n"
        "try:\n    tools.call('ecko', {})\nexcept ToolNotFoundError as error:\n    third = error\n"
        "[type(first).__name__, str(first), str(second), second.near, third.near]"
    )
    kind, first, second, near, near_echo = result.unwrap()
    assert kind == "ToolCallError"
    assert "a" in first
    assert "b" in first
    assert "'ad'" in second
    assert near[0] == "add"
    assert near_echo[0] == "echo"


async def test_tracebacks_show_the_agents_code_only(executor):
    """A tool error's traceback has no frames of ours."""
    result = await executor.run("def use():\n    return tools.add(wrong=1)\nuse()")
    assert result.error is not None
    assert "in use()" in result.error.traceback
    assert "kernel_bootstrap" not in result.error.traceback
    assert "futures" not in result.error.traceback


async def test_tools_explain_themselves(executor):
    """Signature, help, ``?``, dir, list, search and describe all know the tool."""
    result = await executor.run(
        "import inspect, pydoc\n"
        "[str(inspect.signature(tools.add)), pydoc.render_doc(tools.add), 'add' in dir(tools),\n"
        " tools.list(), tools.search('add two numbers')[0]['name'], tools.describe('add'),\n"
        " hasattr(tools, 'nope')]"
    )
    signature, help_text, listed, rows, found, described, has_nope = result.unwrap()
    assert signature == "(a: int, b: int = 1) -> int"
    assert "Add two numbers." in help_text
    assert "The first." in help_text
    assert listed
    assert {"name", "description", "params"} == set(rows[0])
    assert found == "add"
    assert "a: int" in described
    assert has_nope is False
    page = await executor.run("tools.add?")
    assert "Add two numbers." in page.text


async def test_tab_completion_knows_tools(executor):
    """IPython's completer offers tool names."""
    result = await executor.run("get_ipython().kernel.do_complete('tools.ad', 8)['matches']")
    assert "add" in result.unwrap()


async def test_tools_added_later_are_seen(make_executor):
    """A tool added to the registry after the session began is there in the next cell."""
    registry = ToolRegistry()
    executor = await make_executor(registry=registry)
    assert (await executor.run("tools.list()")).value == []
    registry.add(add)
    assert (await executor.run("tools.add(a=1)")).value == 2


async def test_a_tool_that_runs_code_on_its_own_session_gets_an_error(make_executor):
    """``executor.run`` inside a tool called by that session is refused, not a deadlock."""
    registry = ToolRegistry()
    executor = await make_executor(registry=registry)
    seen: list[str] = []

    async def recurse() -> object:
        """Run code where the caller waits."""
        try:
            return (await executor.run("1")).value
        except Exception as error:
            seen.append(str(error))
            raise

    def recurse_from_thread() -> object:
        """The same from a thread."""
        return asyncio.run_coroutine_threadsafe(executor.run("1"), loop).result(10)

    async def other() -> object:
        """Run code on another session."""
        return (await (await executor.session("other")).run("6 * 7")).value

    async def around() -> object:
        """Run code on another session that comes back to this one."""
        result = await (await executor.session("other")).run("tools.recurse()")
        return result.error.message if result.error else None

    loop = asyncio.get_running_loop()
    for function in (recurse, recurse_from_thread, other, around):
        registry.add(function)
    for name in ("recurse", "recurse_from_thread"):
        result = await executor.run(f"tools.{name}()", timeout=20)
        assert result.error is not None
        assert "waits for this tool call" in result.error.message
    assert (await executor.run("tools.other()")).unwrap() == 42
    assert "waits for this tool call" in (await executor.run("tools.around()")).unwrap()


async def test_interrupting_kills_the_tools_process_group(make_executor, tmp_path):
    """An interrupt during a CLI tool ends the tool and its children."""
    marker = tmp_path / "pids"
    script = tmp_path / "tree.sh"
    script.write_text(f"#!/bin/sh\nsleep 60 & echo $! >> {marker}\necho $$ >> {marker}\nwait\n")
    script.chmod(0o755)
    registry = ToolRegistry()
    registry.register_adapter(CLIAdapter(name="tree", command=str(script), args=""))
    executor = await make_executor(registry=registry)
    task = asyncio.create_task(executor.run("tools.tree()", timeout=60))
    while not (marker.exists() and len(marker.read_text().split()) == 2):
        await asyncio.sleep(0.01)
    pids = [int(pid) for pid in marker.read_text().split()]
    await executor.interrupt()
    result = await task
    assert result.error.name == "KeyboardInterrupt"
    async with asyncio.timeout(5):
        while any(psutil.pid_exists(pid) for pid in pids):
            await asyncio.sleep(0.01)


async def test_the_nothing_is_lost_trap(make_executor):
    """20,000 requests in one burst all arrive though the host's loop sleeps for five seconds."""
    seen: set[int] = set()

    async def note(n: int) -> None:
        """Remember a number."""
        seen.add(n)

    registry = ToolRegistry()
    registry.add(note)
    executor = await make_executor(registry=registry, default_timeout=100)
    await executor.start()
    task = asyncio.create_task(
        executor.run(
            "futures = [tools._link.request('tools.call', name='note', arguments={'n': n})\n"
            "           for n in range(20_000)]\n"
            "len([f.result() for f in futures])"
        )
    )
    await asyncio.sleep(0.1)
    time.sleep(5)  # the host's loop is asleep: this is the point of the test
    result = await task
    assert result.unwrap() == 20_000
    assert seen == set(range(20_000))


async def test_plain_comm_messages_are_not_lost_either(executor):
    """20,000 messages of a foreign comm in one burst do not cost the idle that ends the run."""
    await executor.start()
    task = asyncio.create_task(
        executor.run(
            "from comm import create_comm\n"
            "c = create_comm(target_name='foreign', data={})\n"
            "for n in range(20_000): c.send({'n': n})\n'sent'",
            timeout=100,
        )
    )
    await asyncio.sleep(0.1)
    time.sleep(5)  # as above
    assert (await task).unwrap() == "sent"


async def test_a_refused_call_is_denied(make_executor):
    """``on_tool_call`` may deny with a reason or change arguments."""

    async def check(action):
        if action.arguments.get("a") == 13:
            return Decision(False, "unlucky")
        if action.arguments.get("a") == 1:
            return Decision(True, arguments={"a": 100, "b": 0})
        return None

    registry = ToolRegistry()
    registry.add(add)
    executor = await make_executor(registry=registry, on_tool_call=check)
    result = await executor.run("tools.add(a=13)")
    assert result.error.name == "ToolDeniedError"
    assert "unlucky" in result.error.message
    assert result.tool_calls[0].outcome == "denied"
    assert (await executor.run("tools.add(a=1)")).unwrap() == 100
    assert (await executor.run("tools.add(a=2)")).unwrap() == 3


async def test_scope_hides_tools(tmp_path):
    """Tools outside ``allowed_tags`` do not exist for the code."""
    for name, tags in (("seen", "[ok]"), ("hidden", "[secret]")):
        Path(tmp_path, f"{name}.yaml").write_text(
            f"name: {name}\ncommand: echo\nargs: '{{text}}'\ndescription: Echo\ntags: {tags}\n"
        )
    async with await CodeExecutor.create(tools=tmp_path, allowed_tags=["ok"]) as executor:
        result = await executor.run("[t['name'] for t in tools.list()], tools.seen(text='x')")
        assert result.unwrap() == (["seen"], "x\n")
        for code in ("tools.hidden(text='x')", "tools.call('hidden', {'text': 'x'})"):
            assert (await executor.run(code)).error.name == "ToolNotFoundError"
        assert (await executor.run("tools.search('hidden')")).value == []


async def test_no_thread_is_left_by_function_tools(make_executor):
    """Closing the executor ends the threads that ran its tools."""
    registry = ToolRegistry()
    registry.add(add)
    before = threading.active_count()
    executor = await make_executor(registry=registry)
    await executor.run("tools.map('add', [{'a': n} for n in range(20)])")
    await executor.aclose()
    async with asyncio.timeout(5):
        while threading.active_count() > before:
            await asyncio.sleep(0.01)
