"""10 MB and 100 MB saved and loaded by a cell, in a store of files."""

from __future__ import annotations

import base64
import functools
import tempfile
import zlib
from pathlib import Path
from time import perf_counter

from benchmarks.bench import Bench
from benchmarks.ours import our_executor, timed_run, value_of
from benchmarks.plain import PlainKernel, plain_kernel
from benchmarks.rows import MB_PER_S, Row, at_least
from benchmarks.values import SIZE
from py_code_mode import CodeExecutor, FileArtifactStore

__all__ = ["measure"]

SET_UP = f"""\
import base64, os, zlib
x = os.urandom({SIZE})
"""

SAVE = "artifacts.save('x.bin', x);"
LOAD = "y = artifacts.load('x.bin')"

LARGE = 10 * SIZE
"""Bytes of an artifact that travels in many pieces."""

LOADS = 5
"""Artifacts of ours loaded while the peer loads one, which takes seconds."""


def measure(bench: Bench) -> list[Row]:
    """Count bytes a second from a variable into a file of the host, and back."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        our_executor(bench, FileArtifactStore(Path(name, "store"))) as executor,
        plain_kernel() as kernel,
    ):
        file = Path(name, "plain.bin")
        value_of(bench, executor, SET_UP)
        kernel.run(SET_UP)
        saved = bench.take_turns(
            "10 MB artifact saved",
            bench.pick(7, 2),
            {
                "ours": lambda: [_ours(bench, executor, SAVE)],
                "peer": lambda: [_peer_save(kernel, file)],
            },
        )
        _ours(bench, executor, LOAD)
        loaded = bench.take_turns(
            "10 MB artifact loaded",
            bench.pick(3, 1),
            {
                "ours": lambda: [_ours(bench, executor, LOAD) for _ in range(LOADS)],
                "peer": lambda: [_peer_load(kernel, file)],
            },
            warm_up=False,
        )
        large = _measure_large(bench, executor)
    fast = at_least(300, MB_PER_S)
    out, back = "base64 text printed, file written", "file read, base64 text in code"
    return [
        Row("10 MB artifact save", MB_PER_S, saved["ours"], saved["peer"], out, fast),
        Row("10 MB artifact load", MB_PER_S, loaded["ours"], loaded["peer"], back, fast),
        *large,
    ]


def _measure_large(bench: Bench, executor: CodeExecutor) -> list[Row]:
    """The peer would take minutes; it has its turn at 10 MB."""
    value_of(bench, executor, SET_UP.replace(str(SIZE), str(LARGE)))
    rows = []
    for what, code in (("save", SAVE), ("load", LOAD)):
        taken = bench.take_turns(
            f"100 MB artifact: {what}",
            bench.pick(7, 3),
            {"ours": functools.partial(_large, bench, executor, code)},
        )
        target = at_least(400, MB_PER_S)
        rows.append(Row(f"100 MB artifact {what}", MB_PER_S, taken["ours"], target=target))
    return rows


def _large(bench: Bench, executor: CodeExecutor, code: str) -> list[float]:
    return [_ours(bench, executor, code, LARGE)]


def _ours(bench: Bench, executor: CodeExecutor, code: str, size: int = SIZE) -> float:
    seconds, _ = bench.run(timed_run(executor, code))
    if code == LOAD:
        assert value_of(bench, executor, "x == y"), "what was loaded is not what was saved"
    return size / seconds


def _peer_save(kernel: PlainKernel, file: Path) -> float:
    started = perf_counter()
    file.write_bytes(base64.b64decode(kernel.run("print(base64.b64encode(x).decode())")))
    seconds = perf_counter() - started
    assert zlib.crc32(file.read_bytes()) == int(kernel.run("zlib.crc32(x)"))
    return SIZE / seconds


def _peer_load(kernel: PlainKernel, file: Path) -> float:
    started = perf_counter()
    kernel.run(f"y = base64.b64decode('{base64.b64encode(file.read_bytes()).decode()}')")
    seconds = perf_counter() - started
    assert kernel.run("x == y") == "True"
    return SIZE / seconds
