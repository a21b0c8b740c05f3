"""From nothing to the first result: with nothing running, a template, a pool, a live session."""

from __future__ import annotations

import contextlib
from time import perf_counter

from benchmarks.bench import Bench
from benchmarks.plain import PlainKernel
from benchmarks.rows import MS, Row, ratio_at_most
from py_code_mode import CodeExecutor, KernelConfig, Session

__all__ = ["measure"]

ARRAY = "import numpy; array = numpy.ones(125_000_000)"
"""One gigabyte, written to."""


def measure(bench: Bench) -> list[Row]:
    """Time the ways to the value of ``1 + 1`` in a new session, and a plain kernel's."""
    with contextlib.ExitStack() as stack:
        warm, pooled, large = (_executor(bench, stack, warm=n) for n in (0, 2, 0))
        bench.run(large.run(ARRAY))
        found = bench.take_turns(
            "session start",
            bench.pick(9, 5),
            {
                "nothing": lambda: [_from_nothing(bench)],
                "template": lambda: [bench.run(_session(warm))],
                "pool": lambda: [bench.run(_from_pool(pooled))],
                "fork": lambda: [bench.run(_fork(large))],
                "peer": lambda: [_peer()],
            },
        )
    beside = "start, wait_for_ready, execute_interactive"
    rows = (
        ("session start, nothing running", "nothing", None),
        ("session start, template warm", "template", ratio_at_most(1 / 10)),
        ("session start, from the pool", "pool", ratio_at_most(1 / 40)),
        ("fork of a session with 1 GB", "fork", ratio_at_most(1 / 8)),
    )
    return [
        Row(what, MS, found[name], found["peer"], beside, target) for what, name, target in rows
    ]


def _executor(bench: Bench, stack: contextlib.ExitStack, *, warm: int) -> CodeExecutor:
    executor = CodeExecutor(kernel=KernelConfig(warm=warm))
    stack.callback(lambda: bench.finish(executor.aclose()))
    bench.run(executor.start())
    return executor


def _from_nothing(bench: Bench) -> float:
    started = perf_counter()
    # An environment of its own, or it would come from the template of the others.
    executor = CodeExecutor(kernel=KernelConfig(env={"BENCHMARK": str(started)}))
    try:
        result = bench.run(executor.run("1 + 1"))
        seconds = perf_counter() - started
        assert result.unwrap() == 2
        return seconds
    finally:
        bench.finish(executor.aclose())


async def _session(executor: CodeExecutor) -> float:
    started = perf_counter()
    session = await executor.session()
    return await _first_result(session, started)


async def _from_pool(executor: CodeExecutor) -> float:
    await executor._settings.pool().filled()
    return await _session(executor)


async def _fork(executor: CodeExecutor) -> float:
    started = perf_counter()
    return await _first_result(await executor.fork(), started)


async def _first_result(session: Session, started: float) -> float:
    result = await session.run("1 + 1")
    seconds = perf_counter() - started
    assert result.unwrap() == 2
    await session.aclose()
    return seconds


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
