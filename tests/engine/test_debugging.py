"""Looking into code: variables of what failed, what runs now, the post-mortem debugger."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from py_code_mode import KernelError, ToolRegistry

SECRET = "s3cr3t-of-the-tools"


@pytest.fixture
async def executor(make_executor):
    """An executor with a slow tool that knows a secret."""
    registry = ToolRegistry(secrets={"KEY": SECRET})
    registry.add(_slow, name="slow")
    return await make_executor(registry=registry)


async def _slow(x: str) -> str:
    await asyncio.sleep(30)
    return x


def shown(frame):
    """A frame's variables as the previews tell them."""
    return {each.name: each.preview for each in frame.locals}


# --- variables of what failed ------------------------------------------------------------------


async def test_a_failed_frame_has_its_variables(executor):
    """The innermost frame of the user's code: place, line, types, shapes, lengths, previews."""
    code = (
        "import pandas as pd\n"
        "df = pd.DataFrame({'a': [1, 2]})\n"
        "def clean(frame, n):\n"
        "    names = list(range(1000))\n"
        "    return frame['missing'].sum() / n\n"
        "clean(df, 0)"
    )
    error = (await executor.run(code)).error
    assert error.name == "KeyError"
    frame = error.frame
    assert (frame.file, frame.line, frame.function) == ("Cell In[1]", 5, "clean")
    assert frame.code == "return frame['missing'].sum() / n"
    assert frame.where == "clean, line 5 of Cell In[1]"
    variables = {each.name: each for each in error.locals}
    assert list(variables) == ["frame", "n", "names"], "those of the line first"
    assert variables["frame"].type == "pandas.core.frame.DataFrame" or (
        variables["frame"].type == "pandas.DataFrame"
    )
    assert variables["frame"].shape == (2, 1)
    assert variables["names"].length == 1000
    assert variables["names"].preview.startswith("[0, 1, 2,")
    assert len(variables["names"].preview) <= 120
    assert shown(frame)["n"] == "0"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a, b, zero = 1, 2, 0\na / zero", {"a": "1", "zero": "0", "b": "2"}),
        ("xs, k = [1, 0], 3\n[k / x for x in xs]", {"k": "3", "x": "0", "xs": "[1, 0]"}),
        (
            "def f(xs, k):\n    return sum(k / x for x in xs)\nf([0], 3)",
            {"k": "3", "x": "0", "xs": "[0]"},
        ),
        (
            "import asyncio\nasync def f(deep):\n    await asyncio.sleep(0)\n    1 / 0\n"
            "await asyncio.gather(f('down'))",
            {"deep": "'down'"},
        ),
        ("exec('y = 0; 1 / y')", {"y": "0"}),
    ],
    ids=["cell", "list comprehension", "generator", "task", "exec"],
)
async def test_where_code_fails(executor, code, expected):
    """At the top of a cell those variables that it names; in a comprehension its surroundings'."""
    frame = (await executor.run(code)).error.frame
    assert expected.items() <= shown(frame).items()
    assert "asyncio" not in shown(frame)


async def test_code_that_never_ran_has_no_frame(executor):
    """A syntax error is no failed frame, and shows none of an earlier failure."""
    assert (await executor.run("x = 1\nx / 0")).error.frame is not None
    assert (await executor.run("x = (")).error.frame is None
    assert (await executor.run("x")).error is None


async def test_secrets_are_hidden(executor):
    """By name, by key, as credentials, from the environment, and those of the host's tools."""
    code = (
        "import os\n"
        "os.environ['SERVICE_TOKEN'] = 'from-the-environment'\n"
        "def f(password, cfg, header, told, longer, tokens):\n"
        "    raise ValueError\n"
        f"f('hunter22', {{'api_key': 'sk-1', 'n': 1}}, 'Bearer abcdefgh12345', {SECRET!r},\n"
        "  ['x' * 60, 'so from-the-environment it is'], 7)"
    )
    result = await executor.run(code)
    previews = shown(result.error.frame)
    assert previews["password"] == "***"
    assert previews["cfg"] == "{'api_key': '***', 'n': 1}"
    assert previews["header"] == "'Bearer ***'"
    assert previews["told"] == "'***'"
    assert previews["longer"].endswith("'so *** it is']")
    assert previews["tokens"] == "7"
    page = result._repr_mimebundle_()["text/html"]
    assert "Variables in f, line 4 of Cell In[1]" in page
    assert "hunter22" not in page.partition("Variables in")[2]


async def test_a_repr_that_never_ends_is_given_up(executor):
    """Variables show themselves for a second at most; the others are told all the same."""
    code = (
        "class Endless:\n    def __repr__(self):\n        while True: pass\n"
        "endless, after = Endless(), 'told'\n"
        "endless.nothing + after"
    )
    result = await executor.run(code)
    assert result.error.name == "AttributeError"
    assert shown(result.error.frame) == {
        "endless": "<__main__.Endless object>",
        "after": "'told'",
    }
    assert 0.9 < result.seconds < 10


async def test_very_many_variables_are_counted(executor):
    """Of many variables thirty are told, those of the failing line among them."""
    code = "\n".join([*(f"v{number} = {number}" for number in range(100)), "v99 / v0"])
    frame = (await executor.run(code)).error.frame
    assert len(frame.locals) == 30
    assert frame.omitted == 70
    assert {"v0", "v99"} <= shown(frame).keys()


async def test_a_time_limit_tells_where_it_struck(executor):
    """Code that was interrupted shows the variables of the frame it was stuck in."""
    code = "import time\ndef wait(turns):\n    time.sleep(60)\nwait(3)"
    error = (await executor.run(code, timeout=2)).error
    assert error.name == "ExecutionTimeout"
    assert error.frame.where == "wait, line 3 of Cell In[1]"
    assert shown(error.frame) == {"turns": "3"}


async def test_a_model_is_told_the_variables(executor):
    """What a model gets has the failed frame, after the traceback."""
    result = await executor.run("def f(left):\n    return left / 0\nf(41)")
    (part,) = result.for_model()
    assert part.text.endswith("Variables in f, line 2 of Cell In[1]:\n  left: int = 41")


# --- what runs now -----------------------------------------------------------------------------


async def peek_at(executor, code, *, sees):
    """Run code; return what a look shows when it shows what it should."""
    running = asyncio.create_task(executor.run(code))
    try:
        async with asyncio.timeout(30):
            while not sees(seen := await executor.peek()):
                await asyncio.sleep(0.01)
    finally:
        await executor.interrupt()
        await running
    return seen


async def test_peek_at_code_that_runs(executor):
    """Stack, variables and the last output, while the cell goes on."""
    code = (
        "import time\nclass Mine:\n    def __repr__(self): raise SystemExit\n"
        "def work(step, mine):\n    while True:\n        time.sleep(0.01)\n"
        "print('before')\nwork(2, Mine())"
    )
    seen = await peek_at(executor, code, sees=lambda seen: seen.stdout and len(seen.stack) > 1)
    assert seen.running
    assert seen.code == code
    assert [frame.function for frame in seen.stack] == ["<module>", "work"]
    assert shown(seen.stack[1]) == {"step": "2", "mine": "<__main__.Mine object>"}
    assert seen.stdout == "before\n"
    assert 0 < seen.seconds < 60
    assert "at work, line 6 of Cell In[1]: time.sleep(0.01)" in seen.text
    assert type(seen).from_dict(seen.to_dict()) == seen


async def test_peek_at_code_that_awaits(executor):
    """The chain of what is awaited, and the tasks beside it."""
    code = (
        "import asyncio\nasync def inner(n):\n    await asyncio.sleep(60)\n"
        "async def outer():\n    told = 'yes'\n    await inner(7)\n"
        "beside = asyncio.create_task(inner(8), name='beside')\nawait outer()"
    )
    seen = await peek_at(executor, code, sees=lambda seen: len(seen.stack) >= 3)
    functions = [frame.function for frame in seen.stack]
    assert functions[:3] == ["<module>", "outer", "inner"]
    assert shown(seen.stack[1]) == {"told": "'yes'"}
    assert shown(seen.stack[2]) == {"n": "7"}
    (beside,) = seen.others
    assert beside.name == "task beside"
    assert shown(beside.stack[0]) == {"n": "8"}


async def test_peek_at_a_tool_call(executor):
    """Calls in flight are told with their arguments, secrets hidden; so are threads."""
    code = (
        "import threading\n"
        f"def call(): tools.slow(x='{SECRET}')\n"
        "threading.Thread(target=call, name='mine', daemon=True).start()\n"
        "tools.slow(x='5')"
    )
    seen = await peek_at(executor, code, sees=lambda seen: len(seen.calls) == 2)
    assert {call.tool for call in seen.calls} == {"slow"}
    assert {call.outcome for call in seen.calls} == {"running"}
    assert {call.arguments["x"] for call in seen.calls} == {"5", "***"}
    assert seen.stack[-1].code == "tools.slow(x='5')", "frames of the library are left out"
    assert [other.name for other in seen.others] == ["thread mine"]
    assert SECRET not in seen.others[0].stack[-1].code


async def test_peek_at_code_in_c(executor):
    """Where Python cannot answer, the stack is told all the same."""
    running = asyncio.create_task(executor.run("sum(range(10**9))"))
    while not (seen := await executor.peek()).trace:  # it may not have begun
        await asyncio.sleep(0.01)
    assert "line 1 in <module>" in seen.trace
    assert seen.trace in seen.text
    await executor.reset()
    await running


async def test_peek_at_nothing(executor):
    """A session that does nothing says so, before its first cell as well as after it."""
    assert not (await executor.peek()).running
    await executor.run("1")
    seen = await executor.peek()
    assert not seen.running
    assert seen.text == "no cell is running"


# --- the debugger ------------------------------------------------------------------------------


async def test_debug_the_failed_frame(executor):
    """The prompt is at the failed frame; tools are served meanwhile; the session goes on."""
    await executor.run("def f(n):\n    inner = 'seen'\n    return 1 / n\nz = 7\nf(0)")
    typed = iter(["p inner", "up", "p z", "p [t['name'] for t in tools.list()]"])
    told: list[str] = []

    def ask(prompt: str) -> str:
        told.append(prompt)
        line = next(typed, None)
        if line is None:
            raise EOFError
        return line

    await asyncio.wait_for(executor.debug(ask=ask, show=told.append), 60)
    answers = [text.strip() for text in told if "ipdb" not in text]
    assert "'seen'" in answers
    assert "7" in answers
    assert "['slow']" in answers
    assert (await executor.run("z")).value == 7


async def test_a_debugger_that_is_cancelled_is_left(executor):
    """The cells behind it run, though nobody has typed."""
    await executor.run("z = 7\nz / 0")
    asked, typed = threading.Event(), threading.Event()

    def ask(prompt: str) -> str:
        asked.set()
        typed.wait(60)
        return "p 'too late'"

    debugging = asyncio.create_task(executor.debug(ask=ask, show=lambda text: None))
    await asyncio.to_thread(asked.wait, 30)
    behind = asyncio.create_task(executor.run("z"))
    debugging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await debugging
    assert (await asyncio.wait_for(behind, 30)).value == 7
    typed.set()


async def test_there_must_be_something_to_debug(executor):
    """Without a failed cell, or while one runs, it is refused with the reason."""
    with pytest.raises(KernelError, match="has failed"):
        await executor.debug()
    await executor.run("1 / 0")
    running = asyncio.create_task(executor.run("import time; time.sleep(60)"))
    while not (await executor.peek()).stack:
        await asyncio.sleep(0.01)
    with pytest.raises(KernelError, match="a cell is running"):
        await executor.debug()
    await executor.interrupt()
    await running


@pytest.mark.parametrize("code", ["input('? ')", "import pdb; pdb.set_trace()", "%debug"])
async def test_an_agents_cell_waits_for_nobody(executor, code):
    """Code of an agent that asks for input fails at once: nobody would answer."""
    await executor.run("1 / 0")
    began = time.monotonic()
    result = await executor.run(code, timeout=30)
    assert result.error.name == "StdinNotImplementedError"
    assert time.monotonic() - began < 15
