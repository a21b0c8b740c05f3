"""Replay: cells run again, tools answer out of the recording, and what differs is told."""

from __future__ import annotations

import json

import nbformat
import pytest

from py_code_mode import ConfigError, Decision, ToolRegistry
from py_code_mode.replay import replay
from py_code_mode.replay.compare import differences, plain
from py_code_mode.replay.recorded import read_run

CELLS = [
    "import asyncio, numpy as np\nx = tools.weather(city='Oslo')\nprint(x)\nobject()",
    "rows = tools.map('weather', [{'city': c} for c in 'abc'], concurrency=3)\nrows",
    "skills.twice(n=4), artifacts.load('before.json')",
    "_ = artifacts.save('mine', np.arange(3)); _ = skills.create('mine', 'def run(): return 5', 'x')",
    "skills.mine(), artifacts.load('mine')",
    "try:\n    tools.bad(n=1)\nexcept tools.ToolCallError as error:\n    print(error, error.details)",
    "tools.bad(n=2)",
    "tools.wether(city='x')",
    "tools.large(size=3_000), tools.describe('weather')",
    "await asyncio.gather(*(tools.weather.acall(city='z') for _ in range(2)))",
    "try:\n    await asyncio.wait_for(tools.wait.acall(seconds=60), 0.1)\nexcept TimeoutError:\n    print('late')",
    "import os; os._exit(3)",
    "'x' in globals()",
]


@pytest.fixture
async def recorded(executor, tmp_path):
    """A notebook of all kinds of cells."""
    executor.artifact_store.save("before.json", {"n": [1, 2]})
    for code in CELLS:
        await executor.run(code)
    return executor.export_notebook(tmp_path / "run.ipynb")


async def test_a_replay_gives_the_same(recorded, executor):
    """Values, errors, skills, artifacts and lost state come again, and no tool is called."""
    before = (await executor.run("tools.weather(city='count')")).value
    report = await replay(recorded)
    assert [cell.differences for cell in report.cells if not cell.same] == []
    assert (report.same, len(report.cells), report.notes) == (True, len(CELLS), ())
    after = (await executor.run("tools.weather(city='count')")).value
    number = int(before.split()[1])
    assert after == f"count: {number + 1} degrees "
    json.dumps(report.to_dict())


def changed(path, change):
    """The notebook with another content."""
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    other = path.with_name("other.ipynb")
    nbformat.write(notebook, other)
    return other


async def test_what_differs_is_told(make_executor, registry, tmp_path):
    """Outputs, values, errors and calls that are not as recorded are named, each in its cell."""
    executor = await make_executor(registry=registry)
    codes = [
        *("print('a'); 1", "tools.weather(city='Oslo')", "1 / 0", "tools.bad(n=1)"),
        *("tools.weather(city='x')", "6 * 7", "tools.large(size=9)"),
    ]
    for code in codes:
        await executor.run(code)

    def change(notebook):
        cells = notebook.cells
        cells[0].source = "print('b'); 2"
        cells[1].source = "tools.weather(city='Bergen')"
        cells[2].source = "1 / 1"
        cells[3].source = "0"
        cells[4].source += "; tools.weather(city='more')"
        call = cells[6].metadata["py_code_mode"]["tool_calls"][0]
        del call["answer"]
        call["not_recorded"] = "it was large"

    report = await replay(changed(executor.export_notebook(tmp_path / "run.ipynb"), change))
    told = [
        [(each.what, each.recorded, each.replayed) for each in c.differences] for c in report.cells
    ]
    assert told[0] == [("stdout", "a\n", "b\n"), ("value", "1", "2")]
    assert told[1][0] == ("call", "weather(city='Oslo')", "weather(city='Bergen')")
    assert told[2][-1] == ("error", "ZeroDivisionError: division by zero", "")
    assert told[3][0] == ("call", "bad(n=1)", "")
    assert told[4][0] == ("call", "", "weather(city='more')")
    assert told[5] == []
    assert report.cells[6].differences[0].note == "it was large"
    assert not report.same


async def test_a_cell_that_was_stopped_is_stopped_again(make_executor, registry, tmp_path):
    """A cell that ran into its time limit gets as long again, and that is no difference."""
    executor = await make_executor(registry=registry)
    await executor.run("while True: pass", timeout=0.5)
    await executor.run("5")
    report = await replay(executor.export_notebook(tmp_path / "run.ipynb"))
    assert report.same
    assert report.cells[0].seconds < 10


async def test_a_session_that_was_reset_is_reset_again(make_executor, tmp_path):
    """Numbers that begin anew tell that the variables were gone."""
    executor = await make_executor()
    await executor.run("x = 1")
    await executor.run("x")
    await executor.reset()
    await executor.run("'x' in globals()")
    report = await replay(executor.export_notebook(tmp_path / "run.ipynb"))
    assert report.same


async def test_what_was_refused_is_refused_again(make_executor, registry, tmp_path):
    """A replay runs no shell command, and gives no answer, that the session's policy denied."""

    class Deny:
        async def decide(self, action):
            words = str(action.arguments)
            return Decision(allowed="touch" not in words and "secret" not in words, reason="no!")

    executor = await make_executor(registry=registry, policy=Deny())
    there = tmp_path / "made"
    await executor.run(f"!touch {there}")
    await executor.run("!echo fine")
    await executor.run(f"!touch {there} # {'x' * 10_000}")
    await executor.run("tools.weather(city='secret')")
    report = await replay(executor.export_notebook(tmp_path / "run.ipynb"))
    told = [[each.replayed for each in cell.differences] for cell in report.cells]
    assert told[:2] == [[], []]
    assert "it may be one that was refused" in told[2][0]
    assert told[3] == []
    assert not there.exists()


async def test_a_tool_that_ends_the_program_does_so_again(make_executor, tmp_path):
    """A tool's ``SystemExit`` is an answer like any other error."""
    registry = ToolRegistry()

    @registry.tool
    async def leave(code: int) -> int:
        """Leave."""
        raise SystemExit(code)

    executor = await make_executor(registry=registry)
    await executor.run("tools.leave(code=3)")
    report = await replay(executor.export_notebook(tmp_path / "run.ipynb"))
    assert report.same


async def test_cells_of_people_run_too(make_executor, tmp_path):
    """State is right only if all cells run, whoever ran them; cells of other origin are welcome."""
    executor = await make_executor()
    await executor.run("x = 1")
    path = executor.export_notebook(tmp_path / "run.ipynb")

    def change(notebook):
        cell = nbformat.v4.new_code_cell("x += 1\nx")
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "3"})]
        notebook.cells += [nbformat.v4.new_markdown_cell("# Title"), cell]

    report = await replay(changed(path, change))
    assert [cell.number for cell in report.cells] == [1, 3]
    assert report.cells[1].differences[0].replayed == "2"


def broken(change):
    def apply(notebook):
        change(notebook.cells[0].metadata["py_code_mode"], notebook.metadata["py_code_mode"])

    return apply


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cell, run: cell.update(tool_calls=5), "cell 1: field 'tool_calls'"),
        (lambda cell, run: cell["tool_calls"][0].pop("tool"), "cell 1: a tool call lacks"),
        (lambda cell, run: cell["tool_calls"][0].update(arguments={"$": 1}), "cell 1: "),
        (lambda cell, run: cell["tool_calls"][0].update(answer={"base64": ["?"]}), "cell 1: "),
        (lambda cell, run: cell["tool_calls"][0].update(asked={"tree": []}), "cell 1: "),
        (lambda cell, run: run.update(format=2), "format 2"),
        (lambda cell, run: run.update(tools=[{"name": 1}]), "its metadata: "),
        (lambda cell, run: run.update(skills=[{"name": "x"}]), "its metadata: a skill lacks"),
        (
            lambda cell, run: run.update(
                skills=[{"name": "x", "source": "(", "description": "", "documentation": ""}]
            ),
            "syntax error",
        ),
        (lambda cell, run: run.update(artifacts=[{}]), "its metadata: an artifact"),
        (lambda cell, run: run["tools"].append(run["tools"][0]), "its tools: "),
    ],
)
async def test_a_file_is_not_trusted(executor, tmp_path, change, said):
    """What is malformed is refused with the file and the cell, before anything runs."""
    notebook = executor.transcript
    call = {
        "tool": "weather",
        "arguments": {},
        "outcome": "ok",
        "answer": {"value": 1, "base64": []},
    }
    about = {"tool_calls": [call], "seconds": 0.1}
    notebook.cells = [nbformat.v4.new_code_cell("1", metadata={"py_code_mode": about})]
    good, bad = tmp_path / "good.ipynb", tmp_path / "bad.ipynb"
    nbformat.write(notebook, good)
    assert len(read_run(good).cells) == 1
    broken(change)(notebook)
    nbformat.write(notebook, bad)
    with pytest.raises(ConfigError, match=r"bad\.ipynb") as caught:
        await replay(bad)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no notebook: no JSON"),
        ("[]", "nbformat 4"),
        ('{"nbformat": 3}', "nbformat 4"),
        ('{"nbformat": 4, "nbformat_minor": 5}', "no valid notebook"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', "no transcript"),
        ("[" * 100_000, "is no notebook"),
    ],
)
def test_what_is_no_transcript_is_refused(tmp_path, text, said):
    """Any other file is refused with its name."""
    path = tmp_path / "other.ipynb"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"other\.ipynb") as caught:
        read_run(path)
    assert said in str(caught.value)


def test_data_in_the_place_of_text_is_named_by_its_type(tmp_path):
    """What a transcript lacks is told in its own words; what is no text is not printed."""
    path = tmp_path / "odd.ipynb"
    about = {"format": 1, "not_recorded": [{"a": 1}, "text"]}
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(metadata={"py_code_mode": about})))
    assert read_run(path).notes == ("not recorded: a value of type dict", "not recorded: text")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<object object at 0x7f12a4b0c2d0>", "<object object at 0x7f55a4b0aaaa>"),
        ("100%|███| 3/3 [00:01<00:00, 2.99it/s]", "100%|███| 3/3 [00:02<00:00, 1.01it/s]"),
        ("3it [00:01,  2.9it/s]", "3it [00:00, 10.9it/s]"),
        ("Wall time: 1.2 ms", "Wall time: 3 s"),
        ("Cell In[3], line 1", "Cell In[4], line 1"),
        (
            '<div id="a1b2c3d4-0000-1111-2222-333344445555">',
            '<div id="ffffffff-0000-1111-2222-333344445555">',
        ),
    ],
)
def test_what_changes_by_its_nature_is_no_difference(one, other):
    """Addresses, times of progress bars, numbers of cells and drawn ids are put out of sight."""
    assert plain(one) == plain(other)
    outputs = [[{"output_type": "stream", "name": "stderr", "text": each}] for each in (one, other)]
    assert [*differences(*outputs)] == []


def test_other_formats_of_one_text_are_told():
    """Two pictures of the same text differ, and it is said in which format."""
    data = [{"text/plain": "<Figure>", "image/png": each} for each in ("AAAA", "BBBB")]
    outputs = [[{"output_type": "display_data", "data": each, "metadata": {}}] for each in data]
    (found,) = differences(*outputs)
    assert (found.what, found.note) == ("display", "only in image/png")
