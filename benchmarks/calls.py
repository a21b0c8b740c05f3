"""Tool calls one after another, timed inside the cell that makes them."""

from __future__ import annotations

import subprocess

from benchmarks.bench import Bench, Side
from benchmarks.ours import our_executor, value_of
from benchmarks.plain import PlainKernel, plain_kernel
from benchmarks.rows import MS, Row, ratio_at_most
from benchmarks.samples import TIMES, times
from py_code_mode import CodeExecutor

__all__ = ["measure", "stdin_times"]


def measure(bench: Bench) -> list[Row]:
    """Time calls of tools beside ``input()`` in a plain kernel, and ``true`` beside ``true``."""
    count = bench.pick(50, 25)
    with our_executor(bench) as executor, plain_kernel() as kernel:
        value_of(bench, executor, TIMES)
        kernel.run(TIMES)
        found = bench.take_turns(
            "tool calls",
            bench.pick(30, 6),
            {
                "sync": _calls(bench, executor, "tools.echo(text='x')", count),
                "async": _calls(bench, executor, "tools.async_echo(text='x')", count),
                "cli": _calls(bench, executor, "tools.true()", count // 5),
                "stdin": lambda: stdin_times(kernel, count),
                "host": lambda: times(_true, count // 5),
            },
        )
    stdin, once = "input() in a plain kernel", ratio_at_most(1)
    return [
        Row("function tool, def", MS, found["sync"], found["stdin"], stdin, once),
        Row("function tool, async def", MS, found["async"], found["stdin"], stdin, once),
        Row("CLI tool `true`", MS, found["cli"], found["host"], "subprocess.run(['true']) on host"),
    ]


def stdin_times(kernel: PlainKernel, count: int) -> list[float]:
    """Time bare stdin round trips of a kernel that knows ``TIMES``, in seconds each."""
    found: list[float] = kernel.answer_inputs(f"times(lambda: input('x'), {count})", count)
    return found


def _calls(bench: Bench, executor: CodeExecutor, call: str, count: int) -> Side:
    def turn() -> list[float]:
        found: list[float] = value_of(bench, executor, f"times(lambda: {call}, {count})")
        return found

    return turn


def _true() -> None:
    subprocess.run(["true"], check=True)  # noqa: S607 - as a shell would find it
