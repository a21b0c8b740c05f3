"""Artifacts of 100 MB and a thousand skills in a Redis server on this machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.bench import Bench
from benchmarks.ours import our_executor, timed_run, value_of
from benchmarks.rows import MB_PER_S, MS, Row, S, at_least, at_most
from py_code_mode import CodeExecutor, RedisArtifactStore, RedisSkillStore, create_skill_library
from py_code_mode.skills import parse_skill

__all__ = ["measure"]

SIZE = 100_000_000
SKILLS = 1_000

SET_UP = f"import os; x = os.urandom({SIZE})"
SAVE = "artifacts.save('x.bin', x);"
LOAD = "y = artifacts.load('x.bin')"

SOURCE = '''\
"""Compute indicator {number} of a table.

Reads the table, keeps the rows that count, and takes the mean.
"""


def run(path: str, column: str = "value_{number}", at_least: float = 0.0) -> float:
    """Compute it.

    Args:
        path: Where the table is.
        column: The column that is looked at.
        at_least: Smaller values do not count.
    """
    rows = artifacts.load(path)
    kept = [row[column] for row in rows if row[column] >= at_least]
    return sum(kept) / max(1, len(kept))
'''


def measure(bench: Bench) -> list[Row]:
    """Count bytes a second between a cell and Redis, and time the first look at many skills."""
    program = shutil.which("redis-server")
    if program is None:
        bench.say("  redis-server is not installed: nothing is measured")
        return []
    with _server(program) as url:
        return [*_measure_artifacts(bench, url), *_measure_skills(bench, url)]


@contextmanager
def _server(program: str) -> Iterator[str]:
    """Run a server that keeps everything in memory, on a Unix socket."""
    import redis

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        socket = Path(folder, "socket")
        command = [
            program,
            "--port",
            "0",
            "--unixsocket",
            str(socket),
            "--save",
            "",
            "--dir",
            folder,
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not socket.exists():
                assert time.monotonic() < deadline, "redis-server does not start"
                time.sleep(0.01)
            url = f"unix://{socket}"
            with redis.Redis.from_url(url) as client:
                assert client.ping()
            yield url
        finally:
            process.terminate()
            process.wait()


def _measure_artifacts(bench: Bench, url: str) -> list[Row]:
    import redis

    rows, data = [], os.urandom(SIZE)
    store = RedisArtifactStore.from_url(url, "bench")
    with our_executor(bench, store) as executor, redis.Redis.from_url(url) as client:
        value_of(bench, executor, SET_UP)
        sides: dict[str, tuple[str, Any]] = {
            "save": (SAVE, lambda: client.set("bench", data)),
            "load": (LOAD, lambda: client.get("bench")),
        }
        for what, (code, plain) in sides.items():
            taken = bench.take_turns(
                f"100 MB artifact in Redis: {what}",
                bench.pick(7, 3),
                {
                    "ours": functools.partial(_ours, bench, executor, code),
                    "peer": functools.partial(_peer, plain),
                },
            )
            target = at_least(150, MB_PER_S)
            beside = f"redis-py on the host, one {'SET' if what == 'save' else 'GET'}"
            row = Row(f"100 MB artifact {what}, Redis", MB_PER_S, *taken.values(), beside, target)
            rows.append(row)
    return rows


def _ours(bench: Bench, executor: CodeExecutor, code: str) -> list[float]:
    seconds, _ = bench.run(timed_run(executor, code))
    if code == LOAD:
        assert value_of(bench, executor, "x == y"), "what was loaded is not what was saved"
    return [SIZE / seconds]


def _peer(plain: Any) -> list[float]:
    started = perf_counter()
    plain()
    return [SIZE / (perf_counter() - started)]


def _measure_skills(bench: Bench, url: str) -> list[Row]:
    prefix = uuid.uuid4().hex
    writer = RedisSkillStore.from_url(url, prefix)
    for number in range(SKILLS):
        writer.save(parse_skill(f"indicator_{number}", SOURCE.format(number=number)))

    def first_look() -> list[float]:
        started = perf_counter()
        library = create_skill_library(RedisSkillStore.from_url(url, prefix))
        assert len(library.list()) == SKILLS
        return [perf_counter() - started]

    library = create_skill_library(RedisSkillStore.from_url(url, prefix))
    assert len(library.list()) == SKILLS
    changes = iter(range(10_000))

    def next_look() -> list[float]:
        writer.save(parse_skill("changing", SOURCE.format(number=next(changes))))
        started = perf_counter()
        assert len(library.list()) == SKILLS + 1
        return [perf_counter() - started]

    first = bench.take_turns(f"{SKILLS:,} skills in Redis", bench.pick(7, 2), {"ours": first_look})[
        "ours"
    ]
    following = bench.take_turns(
        "a skill another program saved", bench.pick(20, 5), {"ours": next_look}
    )["ours"]
    return [
        Row(f"create_skill_library and list, {SKILLS:,} in Redis", S, first, target=at_most(1, S)),
        Row("list after another program saved one", MS, following, target=at_most(1000, MS)),
    ]
