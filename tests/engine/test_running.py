"""Running code: state, values, order, magics, exits."""

from __future__ import annotations

import asyncio

import pytest

from py_code_mode import (
    CodeExecutor,
    ExecutionError,
    Finished,
    Policy,
    Printed,
    RemoteValue,
    SessionClosed,
)
from py_code_mode.policy import ALLOW, Action, Decision


async def test_state_persists_between_runs(executor):
    """A variable, an import and a function of one run are there in the next."""
    await executor.run("import math\nx = 41\ndef more(n): return n + 1")
    assert (await executor.run("more(x) + math.floor(0.5)")).unwrap() == 42


async def test_two_executors_share_nothing(make_executor):
    """A variable of one executor does not exist in another."""
    one, two = await make_executor(), await make_executor()
    await one.run("x = 1")
    result = await two.run("x")
    assert not result.is_ok
    assert "NameError" in result.error


async def test_sessions_of_one_executor_share_no_variables(executor):
    """Further sessions are isolated namespaces."""
    other = await executor.session("other")
    await executor.run("x = 1")
    assert (await other.run("'x' in dir()")).value is False
    assert {session.name for session in await executor.sessions()} == {"default", "other"}


@pytest.mark.parametrize("code", ["", "   \n\t", "# only a comment", "\n\n", "pass"])
async def test_empty_code_is_fine(executor, code):
    """Code without a statement runs and gives None."""
    result = await executor.run(code)
    assert result.is_ok
    assert result.value is None


async def test_a_semicolon_hides_the_value(executor):
    """``5;`` gives None, as in a notebook."""
    assert (await executor.run("5;")).value is None
    assert (await executor.run("5")).value == 5


async def test_top_level_await(executor):
    """``await`` works at the top level and gives its value."""
    result = await executor.run("import asyncio\nawait asyncio.sleep(0.01, result='slept')")
    assert result.value == "slept"


async def test_magics_and_shell_and_help(executor):
    """Magics, ``!shell``, its captured form and ``?`` work as in IPython."""
    assert "hello" in (await executor.run("!echo hello")).stdout
    assert (await executor.run("out = !printf 'a\\nb'\nlist(out)")).value == ["a", "b"]
    assert (
        await executor.run("%env PY_CODE_MODE_TEST=1\nimport os; os.environ['PY_CODE_MODE_TEST']")
    ).is_ok
    assert "3 + 4" not in (await executor.run("%%python3\nprint(3 + 4)")).stdout
    assert (await executor.run("%%bash\necho from bash")).stdout.strip() == "from bash"
    page = await executor.run("len?")
    assert "Return the number of items in a container" in page.text


async def test_shell_asks_the_policy(make_executor):
    """A policy that refuses a command keeps ``!``, its captured form and ``%%bash`` from running."""

    class NoRemoval(Policy):
        async def decide(self, action: Action) -> Decision:
            refused = action.kind == "shell" and "rm " in action.arguments["command"]
            return Decision(False, "nothing is removed here") if refused else ALLOW

    executor = await make_executor(policy=NoRemoval())
    for code in ("what = 'rm x'\n!{what}", "x = !rm x", "%%bash\nrm x"):
        result = await executor.run(code)
        assert result.error is not None
        assert result.error.name == "PolicyError"
        assert "nothing is removed here" in result.error.message
    assert (await executor.run("!echo fine")).stdout.strip() == "fine"


@pytest.mark.parametrize(
    "code", ["raise SystemExit", "exit()", "quit()", "import sys; sys.exit(3)"]
)
async def test_leaving_ends_neither_host_nor_session(executor, code):
    """Leaving ends the cell with SystemExit; variables are still there."""
    await executor.run("x = 1")
    result = await executor.run(code)
    assert result.error is not None
    assert result.error.name == "SystemExit"
    assert not result.state_lost
    assert (await executor.run("x")).value == 1


async def test_concurrent_runs_each_get_their_own(executor):
    """Runs started at once run in order, each with its own value and output."""
    await executor.start()
    results = await asyncio.gather(
        *(executor.run(f"print('out', {n})\n{n} * 10") for n in range(10)),
    )
    assert [result.value for result in results] == [n * 10 for n in range(10)]
    assert [result.stdout for result in results] == [f"out {n}\n" for n in range(10)]
    assert [result.execution_count for result in results] == list(range(1, 11))


async def test_a_failed_run_does_not_stop_the_queue(executor):
    """Runs queued behind a failing one still run."""
    failing, after = await asyncio.gather(executor.run("1 / 0"), executor.run("1 + 1"))
    assert failing.error is not None
    assert failing.error.name == "ZeroDivisionError"
    assert after.value == 2


async def test_prompts_in_a_string_stay(executor):
    """Examples in a docstring are not taken for a pasted session of Python's, whose prompts go."""
    code = 'text = """\nExamples:\n    >>> run(2)\n    ... 4\n"""\ntext'
    assert (await executor.run(code)).value == "\nExamples:\n    >>> run(2)\n    ... 4\n"
    assert (await executor.run(">>> x = 20\n>>> x + 1")).value == 21


async def test_indented_code_runs_and_keeps_its_lines(executor):
    """Common leading indentation is removed, and tracebacks count lines as they were given."""
    result = await executor.run("\n    x = 1\n    if x:\n        y = 2\n    y / 0\n")
    assert result.error is not None
    assert result.error.name == "ZeroDivisionError"
    assert "line 5" in result.error.traceback


async def test_errors_are_data_without_ansi(executor):
    """An exception is an ErrorInfo with name, message and a clean traceback."""
    result = await executor.run("def f():\n    raise ValueError('bad \\x1b[31mthing')\nf()")
    error = result.error
    assert error is not None
    assert (error.name, error.message) == ("ValueError", "bad thing")
    assert "\x1b" not in error.traceback
    assert "in f()" in error.traceback
    assert "ValueError" in error
    assert result.value is None
    with pytest.raises(ExecutionError, match="bad"):
        result.unwrap()


async def test_syntax_errors_are_data(executor):
    """Code that does not parse is a result with SyntaxError."""
    result = await executor.run("def broken(:")
    assert result.error is not None
    assert result.error.name == "SyntaxError"


async def test_streaming_tells_what_run_folds(executor):
    """``stream`` yields events as they come and ends with the same result as ``run``."""
    code = "print('one')\nimport sys; print('two', file=sys.stderr)\n3"
    events = [event async for event in executor.stream(code)]
    assert isinstance(events[-1], Finished)
    result = events[-1].result
    assert result.value == 3
    printed = [(event.name, event.text) for event in events if isinstance(event, Printed)]
    assert ("stdout", "one\n") in printed
    assert ("stderr", "two\n") in printed


async def test_output_arrives_while_the_code_runs(executor):
    """A print is seen long before its cell ends."""
    started = asyncio.get_running_loop().time()
    async for event in executor.stream("print('early')\nimport time; time.sleep(3)"):
        if isinstance(event, Printed):
            assert asyncio.get_running_loop().time() - started < 2.5
            break
    else:
        pytest.fail("nothing was printed")


async def test_late_output_of_a_thread_stays_with_its_cell(executor):
    """What a thread prints after its cell ended is in no other cell's result."""
    await executor.run(
        "import threading, time\n"
        "go = threading.Event()\n"
        "def late():\n"
        "    go.wait(); print('LATE'); display('LATE'); done.set()\n"
        "done = threading.Event()\n"
        "threading.Thread(target=late).start()"
    )
    result = await executor.run("print('mine'); go.set(); done.wait(); print('after')")
    assert result.stdout == "mine\nafter\n"
    assert "LATE" not in result.text


async def test_late_output_of_a_child_process_stays_with_its_cell(executor):
    """What a child process prints after its cell ended is in no other cell's result."""
    code = "import subprocess; p = subprocess.Popen(['sh', '-c', 'read x; echo LATE'], stdin=-1)"
    await executor.run(code)
    result = await executor.run("p.stdin.write(b'go\\n'); p.stdin.close(); p.wait(); print('mine')")
    assert result.stdout == "mine\n"


async def test_output_of_child_processes_is_complete(executor):
    """Everything a child wrote to its descriptors before the cell ended is in the result."""
    for n in range(20):
        result = await executor.run(f"import os; _ = os.system('echo from child {n}; echo e >&2')")
        assert result.stdout == f"from child {n}\n"
        assert result.stderr == "e\n"


async def test_forked_children_print_and_display(executor):
    """What forked children print and display is in the result, whole and in order, large too."""
    result = await executor.run("""
        import multiprocessing, os, time
        from IPython.display import display, HTML

        def work(n):
            print(f"{n} " + "x" * 200_000)
            display(HTML(f"<b>{n}</b>"))
            print(f"last {n}")

        pool = [multiprocessing.get_context("fork").Process(target=work, args=(n,)) for n in range(4)]
        for each in pool: each.start()
        for each in pool: each.join()
        if not (pid := os.fork()):
            print("by hand", flush=True)
            os._exit(0)
        _ = os.waitpid(pid, 0)
        print("parent")
    """)
    assert result.error is None
    assert result.stdout.count("x" * 200_000) == 4
    for n in range(4):
        assert result.stdout.index(f"{n} xxx") < result.stdout.index(f"last {n}")
    assert result.stdout.endswith("by hand\nparent\n")
    shown = {output.data["text/html"] for output in result.outputs if output.kind == "display"}
    assert shown == {f"<b>{n}</b>" for n in range(4)}


async def test_pinned_names_survive(executor):
    """Overwriting or deleting ``tools`` is undone after the cell."""
    await executor.run("tools = 1; del skills")
    assert (await executor.run("type(tools).__name__, type(skills).__name__")).value == (
        "Tools",
        "Skills",
    )


async def test_variables_can_be_listed_read_and_set(executor):
    """Variables are listed with type and shape, read exactly, and set from outside."""
    await executor.run("x = [1, 2]; _hidden = 1\nimport numpy as np; a = np.zeros((3, 4))")
    rows = {row.name: row for row in await executor.variables()}
    assert set(rows) >= {"x", "a", "np"}
    assert "_hidden" not in rows
    assert "tools" not in rows
    assert (rows["x"].type, rows["x"].length) == ("list", 2)
    assert rows["a"].shape == (3, 4)
    assert await executor.get_variable("x") == [1, 2]
    await executor.set_variable("y", {"k": (1, 2)})
    assert (await executor.run("y['k']")).value == (1, 2)
    remote = await executor.get_variable("np")
    assert isinstance(remote, RemoteValue)
    assert remote.handle == "np"


async def test_new_variables_are_named(executor):
    """A result names what the cell added to the session."""
    assert (await executor.run("p = 1; q = 2; _r = 3")).new_variables == ["p", "q"]
    assert (await executor.run("p = 5")).new_variables == []
    # The order of a namespace is what they are found by: neither of these may disturb it.
    assert (await executor.run("del q; p = 6; r = 7")).new_variables == ["r"]
    assert (await executor.run("p_ = p; del p; p = p_; s = 1")).new_variables == ["p_", "s"]
    assert (await executor.run("del globals()[list(globals())[-2]]; t = 1")).new_variables == ["t"]


async def test_reset_clears_the_session(executor):
    """After a reset variables are gone and the session works."""
    await executor.run("x = 1")
    await executor.reset()
    assert (await executor.run("'x' in dir()")).value is False


async def test_a_closed_session_says_so(make_executor):
    """Running on a closed executor raises SessionClosed; closing twice is fine."""
    executor = await make_executor()
    await executor.run("1")
    await executor.aclose()
    await executor.close()
    with pytest.raises(SessionClosed):
        await executor.run("1")


async def test_context_manager_closes():
    """``async with`` closes the executor."""
    async with await CodeExecutor.create() as executor:
        assert (await executor.run("1 + 1")).value == 2
    with pytest.raises(SessionClosed):
        await executor.run("1")


async def test_forgetting_to_close_warns():
    """An executor that is dropped open gives a ResourceWarning."""
    executor = CodeExecutor()
    with pytest.warns(ResourceWarning, match="not closed"):
        executor.__del__()
    await executor.aclose()


async def test_tools_skills_artifacts_always_exist(executor):
    """The three names exist and work when nothing was given."""
    result = await executor.run("tools.list(), skills.list(), artifacts.list()")
    assert result.value == ([], [], [])


async def test_input_is_refused(executor):
    """Code that asks for input fails at once instead of hanging."""
    result = await executor.run("input('name? ')")
    assert result.error is not None
    assert "StdinNotImplementedError" in result.error


async def test_results_are_json(executor):
    """A result with value, outputs and calls survives to_dict, JSON and from_dict."""
    import json

    from py_code_mode import ExecutionResult

    result = await executor.run(
        "print('x'); display({'text/plain': 'd'}, raw=True)\n(1, b'2', {3})"
    )
    again = ExecutionResult.from_dict(json.loads(json.dumps(result.to_dict())))
    assert again == result
    assert again.value == (1, b"2", {3})
