"""From nothing to the first result."""

from __future__ import annotations

from time import perf_counter

from benchmarks.bench import Bench
from benchmarks.plain import PlainKernel
from benchmarks.rows import MS, Row
from py_code_mode import CodeExecutor

__all__ = ["measure"]


def measure(bench: Bench) -> list[Row]:
    """Time an executor's, and a plain kernel's, way to the value of ``1 + 1``."""
    found = bench.take_turns(
        "session start",
        bench.pick(9, 5),
        {"ours": lambda: [_ours(bench)], "peer": lambda: [_peer()]},
    )
    beside = "start, wait_for_ready, execute_interactive"
    return [Row("session start to first result", MS, found["ours"], found["peer"], beside)]


def _ours(bench: Bench) -> float:
    started = perf_counter()
    executor = CodeExecutor()
    try:
        result = bench.run(executor.run("1 + 1"))
        seconds = perf_counter() - started
        assert result.unwrap() == 2
        return seconds
    finally:
        bench.finish(executor.aclose())


def _peer() -> float:
    started = perf_counter()
    kernel = PlainKernel()
    try:
        kernel.start()
        text = kernel.run("1 + 1")
        seconds = perf_counter() - started
        assert text == "2"
        return seconds
    finally:
        kernel.close()
