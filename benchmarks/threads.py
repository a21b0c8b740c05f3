"""Tool calls from many threads of one cell at once."""

from __future__ import annotations

from benchmarks.bench import Bench, Side
from benchmarks.calls import stdin_times
from benchmarks.ours import our_executor, value_of
from benchmarks.plain import PlainKernel, plain_kernel
from benchmarks.rows import PER_S, Row, at_least
from benchmarks.samples import TIMES
from py_code_mode import CodeExecutor

__all__ = ["measure"]

THREADS = 16

RATE = f"""\
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import perf_counter
def rate(call, count):
    ready = Barrier({THREADS} + 1)
    def work():
        ready.wait()
        for _ in range(count):
            call()
    with ThreadPoolExecutor({THREADS}) as pool:
        parts = [pool.submit(work) for _ in range({THREADS})]
        ready.wait()
        started = perf_counter()
        for part in parts:
            part.result()
        return {THREADS} * count / (perf_counter() - started)
"""


def measure(bench: Bench) -> list[Row]:
    """Count calls a second; a plain kernel can only ask one thing after another."""
    count = bench.pick(40, 20)
    with our_executor(bench) as executor, plain_kernel() as kernel:
        value_of(bench, executor, RATE)
        kernel.run(TIMES)
        found = bench.take_turns(
            f"{THREADS} threads",
            bench.pick(12, 3),
            {
                "sync": _rate(bench, executor, "tools.echo(text='x')", count),
                "async": _rate(bench, executor, "tools.async_echo(text='x')", count),
                "stdin": lambda: [_stdin_rate(kernel, 2 * count)],
            },
        )
    enough = at_least(3_000, PER_S)
    beside = "input() one after another"
    return [
        Row(f"{THREADS} threads, def", PER_S, found["sync"], found["stdin"], beside, enough),
        Row(f"{THREADS} threads, async def", PER_S, found["async"], found["stdin"], beside, enough),
    ]


def _rate(bench: Bench, executor: CodeExecutor, call: str, count: int) -> Side:
    return lambda: [value_of(bench, executor, f"rate(lambda: {call}, {count})")]


def _stdin_rate(kernel: PlainKernel, count: int) -> float:
    return count / sum(stdin_times(kernel, count))
