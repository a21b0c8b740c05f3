"""Many sessions at once in one host process."""

from __future__ import annotations

import asyncio
from time import perf_counter

from benchmarks.bench import Bench
from benchmarks.ours import our_executor
from benchmarks.rows import MS, PER_S, Row, tail_within
from benchmarks.samples import Samples
from py_code_mode import CodeExecutor, Session

__all__ = ["measure"]


def measure(bench: Bench) -> list[Row]:
    """Open 300 sessions, run one cell in each, one after another, and close them all."""
    count = bench.pick(300, 40)
    bench.say(f"  {count} sessions")
    with our_executor(bench) as executor:
        started = perf_counter()
        sessions = bench.run(_open(executor, count))
        opened = count / (perf_counter() - started)
        cells = bench.run(_cells(sessions))
        started = perf_counter()
        bench.run(_close(sessions))
        closed = count / (perf_counter() - started)
    return [
        Row(f"{count} sessions: opened", PER_S, Samples([[opened]])),
        Row(f"{count} sessions: a cell in each", MS, Samples([cells]), target=tail_within(5)),
        Row(f"{count} sessions: closed", PER_S, Samples([[closed]])),
    ]


async def _open(executor: CodeExecutor, count: int) -> list[Session]:
    sessions = [await executor.session() for _ in range(count)]
    # As many at a time as keep two CPUs busy.
    turn = asyncio.Semaphore(4)

    async def start(session: Session) -> None:
        async with turn:
            await session.start()

    await asyncio.gather(*map(start, sessions))
    return sessions


async def _cells(sessions: list[Session]) -> list[float]:
    seconds = []
    for number, session in enumerate(sessions):
        started = perf_counter()
        result = await session.run(f"{number} + 1")
        seconds.append(perf_counter() - started)
        assert result.unwrap() == number + 1
    return seconds


async def _close(sessions: list[Session]) -> None:
    await asyncio.gather(*(session.aclose() for session in sessions))
