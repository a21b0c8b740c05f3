"""The transcript: what cells keep of when they ran, what they called, and what was answered."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import nbformat
import pytest

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Request
from py_code_mode import ErrorInfo, ExecutionResult, Output, ToolCall
from py_code_mode.notebook import Notebook
from py_code_mode.recording import Recording
from py_code_mode.secrets import Secrets
from tests.transcripts.conftest import SECRET


def about(cell):
    return cell.metadata["py_code_mode"]


def ours(cell):
    """The output that the host adds."""
    (found,) = [each for each in cell.outputs if "py_code_mode" in each.get("metadata", {})]
    return found.data


async def test_a_cell_keeps_what_it_called_and_was_answered(executor):
    """Time, tool calls with arguments and answers, errors and skills are in the metadata."""
    before = datetime.now(UTC)
    await executor.run("print(tools.weather(city='Oslo'))\nskills.twice(n=3), skills.twice(n=4)")
    await executor.run("tools.bad(n=7)")
    nbformat.validate(executor.transcript)
    first, second = map(about, executor.transcript.cells)
    started = datetime.fromisoformat(first["started"])
    assert before - timedelta(seconds=1) < started < datetime.now(UTC)
    assert 0 < first["seconds"] < 60
    assert (first["origin"], first["skills"]) == ("agent", {"twice": 2})
    (call,) = first["tool_calls"]
    assert (call["tool"], call["arguments"], call["outcome"]) == ("weather", {"city": "Oslo"}, "ok")
    assert call["answer"] == {"value": "Oslo: 21 degrees ", "base64": []}
    assert second["error"]["name"] == "ToolCallError"
    (failed,) = second["tool_calls"]
    assert failed["outcome"] == "error"
    assert failed["error"] in second["error"]["message"]
    assert failed["answer"]["failure"]["kind"] == "ToolCallError"
    shown = ours(executor.transcript.cells[0])
    assert "1 tool call" in shown["text/plain"]
    assert "twice (2 times)" in shown["text/plain"]
    assert shown["text/html"].startswith("<details><summary>")
    assert executor.transcript.metadata.kernelspec.name == "py-code-mode"


async def test_no_secret_is_in_a_transcript(executor, tmp_path):
    """Source, output, arguments, answers and errors show stars where a secret was."""
    await executor.run(f"print('{SECRET}'); tools.weather(city='x', key='{SECRET}')")
    await executor.run(f"tools.weather(city=b'{SECRET}')")
    await executor.run(f"tools.large(size=3, **{{'{SECRET}': 1}})")
    await executor.run(f"raise ValueError({{'k': '{SECRET}'}})")
    await executor.run(
        "import sys\n"
        f"print('{SECRET[:4]}', end='', flush=True); print('-', file=sys.stderr, flush=True)\n"
        f"print('{SECRET[4:]}', flush=True)"
    )
    text = nbformat.writes(executor.transcript)
    assert SECRET not in text
    halves = [each["text"] for each in executor.transcript.cells[-1].outputs]
    assert sorted(halves) == ["\n", "***", "-\n"]
    assert base64.b64encode(SECRET.encode()).decode().rstrip("=")[:-1] not in text
    assert text.count("***") > 5
    page = executor.export_notebook(tmp_path / "run.html").read_text()
    assert SECRET not in page


async def test_answers_are_recorded_within_bounds(make_executor, registry):
    """What is too large, or too much in all, is named and not kept; the calls stay."""
    limits = Limits(recorded_call_bytes=3_000, recorded_bytes=5_000)
    executor = await make_executor(registry=registry, limits=limits)
    await executor.run("for size in (1_000, 5_000, 1_500, 2_200): tools.large(size=size)")
    await executor.run("tools.large(size=10)")
    await executor.run("tools.large(size=1_900)")
    first, second, third = map(about, executor.transcript.cells)
    kept = ["answer" in call for call in first["tool_calls"]]
    assert kept == [True, False, True, False]
    said = [call.get("not_recorded", "") for call in first["tool_calls"]]
    assert "recorded_call_bytes" in said[1]
    assert "recorded_bytes" in said[3]
    assert "answer" in second["tool_calls"][0]
    assert "recorded_bytes" in third["tool_calls"][0]["not_recorded"]
    none = await make_executor(registry=registry, limits=Limits(recorded_bytes=0))
    await none.run("tools.weather(city='x')")
    assert "not_recorded" in about(none.transcript.cells[0])["tool_calls"][0]


async def test_skills_and_artifacts_are_kept_as_they_were_found(executor):
    """What cells found is in the notebook once; what they made themselves is not."""
    executor.artifact_store.save("before.json", {"n": 1})
    await executor.run(
        "artifacts.save('mine.json', artifacts.load('before.json')); artifacts.load('mine.json')"
    )
    await executor.run("skills.create('new', 'def run(): return 1', 'x'); skills.new()")
    await executor.run("skills.create('twice', 'def run(n): return n')")
    await executor.run("skills.new(), skills.twice(n=1), skills.twice(n=2)")
    kept = executor.transcript.metadata["py_code_mode"]
    assert [each["name"] for each in kept["skills"]] == ["twice"]
    assert [each["name"] for each in kept["artifacts"]] == ["before.json"]
    assert {tool["name"] for tool in kept["tools"]} == {"weather", "bad", "large", "wait"}
    branch = await executor.fork()
    await branch.run("skills.twice(n=5)")
    assert len(branch.transcript.metadata["py_code_mode"]["skills"]) == 1


async def test_a_kernel_that_dies_leaves_a_transcript(executor):
    """Calls that nobody waited for any more are there, and say why they have no answer."""
    await executor.run(
        "import threading, os\nthreading.Timer(0.1, os._exit, [1]).start()\ntools.wait(seconds=30)"
    )
    (cell,) = executor.transcript.cells
    (call,) = about(cell)["tool_calls"]
    assert (call["outcome"], about(cell)["state_lost"]) == ("cancelled", True)
    assert "cancelled" in call["not_recorded"]


def test_an_answer_that_was_not_sent_is_not_kept():
    """A kernel that is gone gets no answer, so there is none to record."""
    recording = Recording(Limits())
    recording.ended(ToolCall("t", {}, 0.1, "ok"))
    request = Request(1, "tools.call", {"name": "t", "arguments": {}})
    recording.answered(request, {"value": 1}, b"", [])
    assert "was gone" in recording.asked[0].left_out


def test_who_ran_a_cell_shows():
    """A cell that a person ran says so, in its metadata and to a reader."""
    notebook = Notebook()
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    notebook.add("1", ExecutionResult(execution_count=1), origin="jupyter", started=started)
    notebook.add("2", ExecutionResult(execution_count=2, state_lost=True))
    first, second = notebook.build("s").cells
    assert about(first)["origin"] == "jupyter"
    assert about(first)["started"] == "2026-01-02T03:04:05.000Z"
    assert "run in jupyter, by a person" in ours(first)["text/plain"]
    assert about(second)["state_lost"] is True
    assert "variables are gone" in ours(second)["text/html"]


def test_the_oldest_cells_go():
    """All cells together keep the bound, outputs of any form counted; what went is told."""
    notebook = Notebook()
    notebook.max_bytes = 1000
    for number, data in enumerate(({"text/plain": "x" * 600}, {"application/json": ["x" * 600]})):
        notebook.add(str(number), ExecutionResult(outputs=[Output("display", data)]))
    built = notebook.build("s")
    assert [cell.source for cell in built.cells] == ["1"]
    assert built.metadata["py_code_mode"]["cells_dropped"] == 1
    notebook.add("2", ExecutionResult(outputs=[Output("display", {"text/html": "x" * 1001})]))
    assert notebook.copy().build("s").cells == []


def test_what_is_nested_too_deep_to_be_searched_is_left_out():
    """Metadata of an output as deep as JSON can be read stop no transcript that hides secrets."""
    deep: dict[str, object] = {}
    for _ in range(950):
        deep = {"deeper": deep}
    notebook = Notebook()
    output = Output("display", {"text/plain": "shown"}, {"deep": deep})
    notebook.add("1", ExecutionResult(outputs=[output]))
    (cell,) = notebook.build("s", secrets=Secrets({"A": "a secret"})).cells
    assert cell.outputs[0].data["text/plain"] == "shown"


HOSTILE = "</details></table><script>alert(1)</script>"


def test_nothing_a_kernel_sent_breaks_out_of_what_is_shown():
    """Names, arguments and errors are escaped; a kernel cannot pass its output off as ours."""
    call = ToolCall(HOSTILE, {HOSTILE: HOSTILE}, 0.1, "error", error=HOSTILE)
    output = Output("display", {"text/plain": "x"}, {"py_code_mode": {"about_the_cell": True}})
    error = ErrorInfo(HOSTILE, HOSTILE)
    result = ExecutionResult(outputs=[output], tool_calls=[call], error=error, execution_count=1)
    notebook = Notebook()
    notebook.add("1", result, origin=HOSTILE)
    (cell,) = notebook.build("s").cells
    assert "<script" not in ours(cell)["text/html"]
    assert "&lt;script" in ours(cell)["text/html"]
    assert cell.outputs[0].metadata == {}


def test_secrets_in_pictures_are_chance():
    """Text and JSON are redacted, base64 of a picture is left as it is."""
    secrets = Secrets({"K": "abcd"})
    data = {"image/png": "abcdabcd", "text/html": "<b>abcd</b>", "application/json": ["abcd"]}
    notebook = Notebook()
    notebook.add("1", ExecutionResult(outputs=[Output("display", data)], execution_count=1))
    (cell,) = notebook.build("s", secrets=secrets).cells
    shown = cell.outputs[0].data
    assert shown["image/png"] == "abcdabcd"
    assert shown["text/html"] == "<b>***</b>"
    assert shown["application/json"] == ["***"]


def test_secrets_in_names_are_hidden():
    """Names of tools, skills and formats are texts of others, too."""
    call = ToolCall("t.abcd", {}, 0.1, "ok")
    recording = Recording(Limits())
    recording.ran({"abcd": [1, 0, 0.1]})
    output = Output("display", {"text/abcd": "x"})
    result = ExecutionResult(
        outputs=[output], tool_calls=[call], execution_count=1, recording=recording
    )
    notebook = Notebook()
    notebook.add("1", result)
    built = nbformat.writes(notebook.build("s", secrets=Secrets({"K": "abcd"})))
    assert "abcd" not in built
    assert built.count("***") >= 3


@pytest.mark.parametrize("used", [None, [], {"a": 1}, {"a": []}, {1: [1, 0, 0.1]}, {"a": ["x"]}])
def test_what_a_kernel_says_of_its_skills_is_not_trusted(used):
    """Counts of any other form are left out."""
    recording = Recording(Limits())
    recording.ran(used)
    assert recording.skills == {}
    recording.ran({"a": [2, 0, 0.1]})
    assert recording.skills == {"a": 2}


def test_arguments_that_are_shortened_are_recorded_whole():
    """A record shows the beginning of a long argument; the recording has all of it."""
    recording = Recording(Limits())
    call = ToolCall("t", {"text": "x" * 200 + "..."}, 0.1, "ok")
    recording.ended(call)
    request = Request(1, "tools.call", {"name": "t", "arguments": {"text": "x" * 5_000}})
    recording.answered(request, {"value": 1}, b'{"data": {"value": 1}}', [])
    (asked,) = recording.asked
    assert asked.arguments[0] == {"text": "x" * 5_000}
