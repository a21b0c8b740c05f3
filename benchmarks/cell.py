"""The round trip of the smallest cell that has a result."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.ours import our_executor, timed_run
from benchmarks.plain import plain_kernel
from benchmarks.rows import MS, Row, both, ratio_at_most, tail_within
from benchmarks.samples import times
from py_code_mode import CodeExecutor

__all__ = ["measure"]

PER_ROUND = 10


def measure(bench: Bench) -> list[Row]:
    """Time ``1 + 1`` in sessions that are up."""
    with our_executor(bench) as executor, plain_kernel() as kernel:
        found = bench.take_turns(
            "1 + 1",
            bench.pick(60, 10),
            {
                "ours": lambda: bench.run(_ours(executor)),
                "peer": lambda: times(lambda: kernel.run("1 + 1"), PER_ROUND),
            },
        )
    target = both(ratio_at_most(1 / 3), tail_within(3))
    return [Row("1 + 1", MS, found["ours"], found["peer"], "execute_interactive", target)]


async def _ours(executor: CodeExecutor) -> list[float]:
    return [(await timed_run(executor, "1 + 1"))[0] for _ in range(PER_ROUND)]
