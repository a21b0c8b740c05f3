"""Runs and tool calls as spans, in the real SDK; and nothing at all without it."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from py_code_mode import Budget, Rule, Rules, ToolRegistry
from tests.conftest import ROOT

EXPORTER = InMemorySpanExporter()


@pytest.fixture(scope="module")
def tracer() -> trace.Tracer:
    """The tracer of a program that sends its spans to memory; a process has one provider."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("program")


@pytest.fixture
def spans(tracer):
    """The spans that have ended during the test."""
    EXPORTER.clear()
    yield EXPORTER.get_finished_spans
    EXPORTER.clear()


def named(spans: Any, name: str) -> list[ReadableSpan]:
    return [span for span in spans() if span.name == name]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return {key.removeprefix("py_code_mode."): value for key, value in span.attributes.items()}


@pytest.fixture
async def executor(make_executor):
    """An executor with tools that work, fail, and look where they are."""
    registry = ToolRegistry()

    @registry.add
    async def text(size: int, password: str = "") -> str:
        """Give some text."""
        return "x" * size

    @registry.add
    def inside() -> int:
        """Make a span, in a thread."""
        with trace.get_tracer("program").start_as_current_span("work"):
            return trace.get_current_span().get_span_context().trace_id

    @registry.add
    async def fail(password: str) -> None:
        """Fail, and blab."""
        raise ValueError(f"wrong password {password}")

    @registry.add
    async def forever() -> None:
        """Wait."""
        await asyncio.sleep(3600)

    @registry.add
    async def nested() -> int:
        """Run code elsewhere."""
        return (await (await made.session("inner")).run("tools.text(size=2)")).unwrap()

    made = await make_executor(
        registry=registry,
        policy=Rules([Rule("deny", tools="text", arguments={"size": 13})]),
        budget=Budget(calls_per_run=5),
    )
    return made


async def test_calls_are_spans_under_the_runs(executor, spans, tracer):
    """Each call is a span under its run's, which is under the caller's."""
    with tracer.start_as_current_span("agent") as agent:
        result = await executor.run("[len(tools.text(size=n)) for n in (1, 2)]")
    assert result.unwrap() == [1, 2]
    (run,) = named(spans, "py_code_mode.run")
    assert run.parent.span_id == agent.get_span_context().span_id
    assert attributes(run) == {
        "session": "default",
        "execution_count": result.execution_count,
        "ok": True,
    }
    calls = named(spans, "py_code_mode.tool")
    assert [call.parent.span_id for call in calls] == [run.context.span_id] * 2
    for call, record in zip(calls, result.tool_calls, strict=True):
        known = attributes(call)
        assert known == {
            "session": "default",
            "tool": "text",
            "outcome": "ok",
            "bytes": record.bytes,
            "seconds": record.seconds,
            "waited": record.waited,
        }
        assert call.status.is_unset


async def test_a_tools_own_spans_are_under_its_call(executor, spans):
    """What a function does in its thread is under the span of the call."""
    await executor.run("tools.inside()")
    (call,) = named(spans, "py_code_mode.tool")
    (work,) = named(spans, "work")
    assert work.parent.span_id == call.context.span_id
    assert work.context.trace_id == call.context.trace_id


async def test_an_inner_run_is_under_the_call_that_made_it(executor, spans):
    """Code that a tool runs in another session stands below that tool's span."""
    assert (await executor.run("tools.nested()")).unwrap() == "xx"
    tree = {span.context.span_id: span for span in spans()}
    (text,) = [s for s in spans() if s.attributes.get("py_code_mode.tool") == "text"]
    path = [text]
    while path[-1].parent is not None:
        path.append(tree[path[-1].parent.span_id])
    assert [span.name.removeprefix("py_code_mode.") for span in path] == [
        *("tool", "run", "tool", "run"),
    ]
    assert attributes(path[1])["session"] == "inner"


async def test_what_went_wrong_is_in_the_span_but_no_secret(executor, spans):
    """Failed, denied, over budget and unknown: each is a span, without arguments or messages."""
    code = (
        "for name, arguments in [('fail', {'password': 'hunter2'}),\n"
        "    ('text', {'size': 13, 'password': 'hunter2'}), ('nope', {})] + [('text', {'size': 1})] * 3:\n"
        "    try: tools.call(name, arguments)\n"
        "    except tools.ToolError: pass\n"
        "raise KeyError('hunter2')"
    )
    result = await executor.run(code)
    assert len(result.tool_calls) == 6
    told = [
        (attributes(call)["tool"], attributes(call)["outcome"], attributes(call).get("error.type"))
        for call in named(spans, "py_code_mode.tool")
    ]
    assert told == [
        ("fail", "error", "ToolCallError"),
        ("text", "denied", "ToolDeniedError"),
        ("nope", "error", "ToolNotFoundError"),
        ("text", "ok", None),
        ("text", "ok", None),
        ("text", "denied", "ToolDeniedError"),
    ]
    (run,) = named(spans, "py_code_mode.run")
    assert attributes(run)["ok"] is False
    assert attributes(run)["error.type"] == "KeyError"
    assert not run.status.is_ok
    assert not run.status.is_unset
    assert "hunter2" not in "".join(span.to_json() for span in spans())


async def test_a_call_cut_off_is_a_span(executor, spans):
    """A call that the cell's time limit cancels ends its span, under the run's."""
    await executor.start()
    result = await executor.run("tools.forever()", timeout=0.5)
    assert result.error.name == "ExecutionTimeout"
    (run,) = named(spans, "py_code_mode.run")
    (call,) = named(spans, "py_code_mode.tool")
    assert call.parent.span_id == run.context.span_id
    assert attributes(call)["outcome"] == "cancelled"
    assert attributes(run)["error.type"] == "ExecutionTimeout"


async def test_tools_run_in_the_context_of_whoever_runs_the_code(make_executor):
    """A tool sees the context variables of the program that called ``run``."""
    who = contextvars.ContextVar("who", default="nobody")
    registry = ToolRegistry()

    @registry.add
    def ask() -> str:
        """Who runs this?"""
        return who.get()

    executor = await make_executor(registry=registry)
    assert (await executor.run("tools.ask()")).unwrap() == "nobody"

    async def run_as(name: str) -> str:
        who.set(name)
        session = await executor.session(name)
        return (await session.run("tools.ask()")).unwrap()

    names = ["ada", "bob"]
    assert await asyncio.gather(*(asyncio.create_task(run_as(n)) for n in names)) == names


PROGRAM = """
import asyncio, sys
{before}
from py_code_mode import CodeExecutor, ToolRegistry

async def main():
    registry = ToolRegistry()

    @registry.add
    def add(a: int) -> int:
        return a + 1

    async with CodeExecutor(registry) as executor:
        print((await executor.run("tools.add(a=41)")).unwrap())

asyncio.run(main())
print(any(name.startswith("opentelemetry") for name in sys.modules))
"""

ABSENT = """
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""


@pytest.mark.parametrize("before", ["", ABSENT], ids=["installed", "absent"])
def test_nothing_is_loaded_for_programs_that_do_not_trace(before):
    """A program that does not trace runs the same, and never loads OpenTelemetry."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.split() == ["42", "False"], done.stderr
