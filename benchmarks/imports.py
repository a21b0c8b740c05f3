"""Importing the library in a fresh interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile

from benchmarks.bench import Bench, Side
from benchmarks.rows import MS, Row, at_most
from benchmarks.samples import Samples, times

__all__ = ["measure"]

PER_ROUND = 2


def measure(bench: Bench) -> list[Row]:
    """Time programs that only import; what the bare interpreter takes is subtracted."""
    with tempfile.TemporaryDirectory(prefix="bench-") as empty:
        found = bench.take_turns(
            "imports",
            bench.pick(8, 2),
            {
                "bare": _program("pass", empty),
                "package": _program("import py_code_mode", empty),
                "class": _program("from py_code_mode import CodeExecutor", empty),
                "peer": _program("import jupyter_client", empty),
            },
        )
    bare = found["bare"]
    peer, beside = _less(found["peer"], bare), "import jupyter_client"
    return [
        Row(
            "import py_code_mode",
            MS,
            _less(found["package"], bare),
            peer,
            beside,
            at_most(250, MS),
        ),
        Row("from py_code_mode import CodeExecutor", MS, _less(found["class"], bare), peer, beside),
    ]


def _program(code: str, directory: str) -> Side:
    command = [sys.executable, "-c", code]
    # An empty directory, because the current one is searched first.
    return lambda: times(lambda: subprocess.run(command, check=True, cwd=directory), PER_ROUND)


def _less(samples: Samples, bare: Samples) -> Samples:
    """Subtract from each round the bare interpreter's median of the same round."""
    pairs = zip(samples.rounds, bare.rounds, strict=True)
    return Samples([[one - statistics.median(base) for one in part] for part, base in pairs])
