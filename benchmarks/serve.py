"""Many clients of a session server at once, beside the same cells in sessions of this process.

Both sides are driven by the same code: it takes whatever is a ``Runner``.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from benchmarks.bench import Bench
from benchmarks.rows import MB, MS, PER_S, Row
from benchmarks.samples import Samples, quantile
from py_code_mode import CodeExecutor
from py_code_mode.container import RemoteSession, ServerBusy, SessionClient
from py_code_mode.runner import Runner

__all__ = ["measure"]

ROUNDS = 4
PER_ROUND = 10
TOKEN = "benchmark"  # noqa: S105 - of a server on loopback that lives for a minute
TOOL = "name: succeed\ntype: cli\ncommand: 'true'\nargs: ''\ndescription: Succeed\n"
COUNT = "count = globals().get('count', 0) + 1\ncount"
CELLS: dict[str, tuple[int, Callable[[Any], bool]]] = {
    "1 + 1": (6, lambda value: value == 2),
    "for n in range(100): print(n)\nn": (2, lambda value: value == 99),
    "import numpy\nnumpy.arange(100_000)": (1, lambda value: value.sum() == 4_999_950_000),
    "sum(range(300_000))": (2, lambda value: value == 44_999_850_000),
    "tools.succeed()": (2, lambda value: value is not None),
    "1 / 0": (1, lambda value: value is None),
}
"""Code -> how often it is chosen, and whether a value is right. ``COUNT`` is chosen, too."""


@dataclass(slots=True)
class Load:
    """What a round of mixed cells gave.

    Attributes:
        seconds: Of each cell.
        busy: How often the server took no more.
        took: Seconds of the whole round.
    """

    seconds: list[float]
    busy: int
    took: float


def measure(bench: Bench) -> list[Row]:
    """Run mixed cells of 50 clients in 200 sessions for a minute, there and here; count leaks."""
    clients, each = bench.pick(50, 10), 4
    seconds = bench.pick(60, 8) / ROUNDS
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tools = Path(folder, "tools")
        tools.mkdir()
        (tools / "succeed.yaml").write_text(TOOL)
        with _server(Path(folder)) as (process, url):
            bench.say(f"  {clients} clients, {clients * each} sessions of a server")
            there, kept, leaked = bench.run(_there(process, url, clients, each, seconds))
            alone = bench.run(_alone(url, bench.pick(20, 5)))
        bench.say(f"  {clients * each} sessions of this process")
        here = bench.run(_here(str(tools), clients, each, seconds))
    busy = sum(load.busy for load in there)
    bench.say(f"  {sum(len(load.seconds) for load in there):,} cells, {busy} times HTTP 429")
    what, beside = f"{clients} clients, {clients * each} sessions", "the same in this process"
    rows = [Row("`1 + 1` over HTTP", MS, *alone, beside)]
    for name, of in (
        ("a mixed cell", lambda load: load.seconds),
        ("p99 of each round", lambda load: [quantile(load.seconds, 0.99)]),
    ):
        samples = [Samples([of(load) for load in loads]) for loads in (there, here)]
        rows.append(Row(f"{what}: {name}", MS, *samples, beside))
    rates = [
        Samples([[len(load.seconds) / load.took] for load in loads]) for loads in (there, here)
    ]
    rows.append(Row(f"{what}: cells", PER_S, *rates, beside))
    for name, size in (("after the first", kept), ("more after another", leaked)):
        rows.append(Row(f"{what}: memory the server keeps {name}", MB, Samples([[size]])))
    return rows


# --- the load ----------------------------------------------------------------------------------


async def _round(groups: Sequence[Sequence[Runner]], seconds: float, seed: int) -> Load:
    """Let each group's client run cells in its sessions, one after another, all at once."""
    load = Load([], 0, 0.0)
    started = perf_counter()
    until = started + seconds
    dice = [random.Random(f"{seed} {n}") for n in range(len(groups))]  # noqa: S311 - for chance
    await asyncio.gather(*map(_client, groups, [until] * len(groups), dice, [load] * len(groups)))
    load.took = perf_counter() - started
    return load


async def _client(group: Sequence[Runner], until: float, dice: random.Random, load: Load) -> None:
    counts = [(await runner.run(COUNT)).unwrap() for runner in group]
    codes, weights = [*CELLS, COUNT], [*(weight for weight, _ in CELLS.values()), 2]
    while perf_counter() < until:
        at, (code,) = dice.randrange(len(group)), dice.choices(codes, weights)
        started = perf_counter()
        try:
            result = await group[at].run(code, timeout=60)
        except ServerBusy as error:
            load.busy += 1
            await asyncio.sleep(error.retry_after)
            continue
        load.seconds.append(perf_counter() - started)
        if code == COUNT:
            counts[at] += 1  # of this session and no other
            assert result.unwrap() == counts[at], "a session saw another one's variable"
        else:
            assert CELLS[code][1](result.value), f"{code!r} gave {result.value!r}"


async def _start(sessions: Sequence[Runner]) -> None:
    turn = asyncio.Semaphore(4)

    async def start(session: Runner) -> None:
        async with turn:
            await session.start()

    await asyncio.gather(*map(start, sessions))


async def _alone(url: str, rounds: int) -> list[Samples]:
    """Let one client and one session of this process run the smallest cell, turn by turn."""
    async with SessionClient(url, TOKEN) as client, CodeExecutor() as executor:
        found: list[list[list[float]]] = [[], []]
        for number in range(rounds + 1):
            for at, runner in enumerate((client, executor)):
                part = []
                for _ in range(PER_ROUND):
                    started = perf_counter()
                    await runner.run("1 + 1")
                    part.append(perf_counter() - started)
                if number:  # the first round warms up
                    found[at].append(part)
        return [Samples(part) for part in found]


# --- over HTTP ---------------------------------------------------------------------------------


@contextmanager
def _server(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    settings = {
        "token": TOKEN,
        "tools": str(folder / "tools"),
        "state": str(folder / "state"),
        "max_sessions": "250",
        "max_runs": "60",
        "log_level": "error",
    }
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "py_code_mode", "serve", "--port", "0"],
            stderr=stderr,
            env=os.environ | {f"PY_CODE_MODE_{k.upper()}": v for k, v in settings.items()},
        )
    try:
        deadline = time.monotonic() + 60
        while (match := re.search(r"listening on (http://\S+)", log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)
        yield psutil.Process(process.pid), match[1]
    finally:
        process.terminate()
        process.wait()


async def _there(
    process: psutil.Process, url: str, clients: int, each: int, seconds: float
) -> tuple[list[Load], float, float]:
    """Return the rounds, and the bytes by which each half of them has made the server grow.

    What the first half leaves may be the allocator's, kept to be used again; what the second one
    adds to it would be a leak.
    """
    await _load_server(url, clients, 1, 1.0, 1)  # what comes once comes before
    before, loads = _held(process), []
    memory = [process.memory_info().rss]
    for _ in range(2):
        loads += await _load_server(url, clients, each, seconds, ROUNDS // 2)
        deadline = time.monotonic() + 30
        while any(after > first for after, first in zip(_held(process), before, strict=True)):
            assert time.monotonic() < deadline, f"a leak: {before} became {_held(process)}"
            await asyncio.sleep(0.1)
        memory.append(process.memory_info().rss)
    return loads, max(0, memory[1] - memory[0]), max(0, memory[2] - memory[1])


def _held(process: psutil.Process) -> tuple[int, int, int]:
    """What must be as it was when all sessions have ended: processes, files, threads."""
    return len(process.children(recursive=True)), process.num_fds(), process.num_threads()


async def _load_server(
    url: str, clients: int, each: int, seconds: float, rounds: int
) -> list[Load]:
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(SessionClient(url, TOKEN)) for _ in range(clients)]
        turn = asyncio.Semaphore(4)  # as many at a time as keep two CPUs busy

        async def group(client: SessionClient) -> list[RemoteSession]:
            async with turn:
                return [await client.session() for _ in range(each)]

        groups = await asyncio.gather(*map(group, made))
        return [await _round(groups, seconds, number) for number in range(rounds)]


# --- in this process ---------------------------------------------------------------------------


async def _here(tools: str, clients: int, each: int, seconds: float) -> list[Load]:
    async with await CodeExecutor.create(tools=tools) as executor:
        groups = [[await executor.session() for _ in range(each)] for _ in range(clients)]
        await _start([session for group in groups for session in group])
        return [await _round(groups, seconds, number) for number in range(ROUNDS)]
