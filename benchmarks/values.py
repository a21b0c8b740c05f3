"""10 MB across, each way: bytes and a numpy array."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.bench import Bench
from benchmarks.ours import our_executor, timed_run, value_of
from benchmarks.plain import PlainKernel, plain_kernel
from benchmarks.rows import MB_PER_S, Row
from py_code_mode import CodeExecutor

__all__ = ["SIZE", "measure"]

SIZE = 10_000_000

SET_UP = f"""\
import base64, os, zlib
import numpy as np
data = os.urandom({SIZE})
array = np.random.default_rng(0).random({SIZE // 8})
"""

PUTS = 5
"""Values of ours put in while the peer puts in one, which takes seconds."""


def measure(bench: Bench) -> list[Row]:
    """Count bytes a second out of, and into, a session."""
    with our_executor(bench) as executor, plain_kernel() as kernel:
        value_of(bench, executor, SET_UP)
        kernel.run(SET_UP)
        ours, peer = _Ours(bench, executor), _Peer(kernel)
        return [*_out(bench, ours, peer), *_in(bench, ours, peer)]


def _out(bench: Bench, ours: _Ours, peer: _Peer) -> list[Row]:
    found = bench.take_turns(
        "10 MB out",
        bench.pick(7, 2),
        {
            "bytes": lambda: [ours.run("data")],
            "get bytes": lambda: [ours.get("data")],
            "peer bytes": lambda: [peer.get("data", "data", bytes)],
            "array": lambda: [ours.run("array")],
            "peer array": lambda: [peer.get("array", "array.tobytes()", np.frombuffer)],
        },
    )
    beside = "base64 text in execute_result"
    return [
        Row("10 MB bytes out, run", MB_PER_S, found["bytes"], found["peer bytes"], beside),
        Row(
            "10 MB bytes out, get_variable",
            MB_PER_S,
            found["get bytes"],
            found["peer bytes"],
            beside,
        ),
        Row("10 MB array out, run", MB_PER_S, found["array"], found["peer array"], beside),
    ]


def _in(bench: Bench, ours: _Ours, peer: _Peer) -> list[Row]:
    data = os.urandom(SIZE)
    array = np.random.default_rng(1).random(SIZE // 8)
    ours.put(data)
    found = bench.take_turns(
        "10 MB in",
        bench.pick(3, 1),
        {
            "bytes": lambda: [ours.put(data) for _ in range(PUTS)],
            "array": lambda: [ours.put(array) for _ in range(PUTS)],
            # An array would be np.frombuffer of these bytes, which takes no time.
            "peer": lambda: [peer.put(data)],
        },
        warm_up=False,
    )
    beside = "base64 text in code"
    return [
        Row("10 MB bytes in, set_variable", MB_PER_S, found["bytes"], found["peer"], beside),
        Row("10 MB array in, set_variable", MB_PER_S, found["array"], found["peer"], beside),
    ]


class _Ours:
    """Ours: values as they are. Each method returns bytes a second."""

    def __init__(self, bench: Bench, executor: CodeExecutor) -> None:
        self._bench, self._executor = bench, executor

    def run(self, name: str) -> float:
        seconds, value = self._bench.run(timed_run(self._executor, name))
        return self._rate(seconds, name, value)

    def get(self, name: str) -> float:
        seconds, value = self._bench.run(self._get(name))
        return self._rate(seconds, name, value)

    async def _get(self, name: str) -> tuple[float, Any]:
        started = perf_counter()
        value = await self._executor.get_variable(name)
        return perf_counter() - started, value

    def put(self, value: Any) -> float:
        return self._rate(self._bench.run(self._put(value)), "x", value)

    async def _put(self, value: Any) -> float:
        started = perf_counter()
        await self._executor.set_variable("x", value)
        return perf_counter() - started

    def _rate(self, seconds: float, name: str, here: Any) -> float:
        there = value_of(self._bench, self._executor, f"zlib.crc32({name})")
        return _checked_rate(seconds, here, there)


class _Peer:
    """The plain kernel: whatever crosses is text. Each method returns bytes a second."""

    def __init__(self, kernel: PlainKernel) -> None:
        self._kernel = kernel

    def get(self, name: str, expression: str, read: Callable[[bytes], Any]) -> float:
        started = perf_counter()
        text = self._kernel.run(f"base64.b64encode({expression}).decode()")
        value = read(base64.b64decode(text[1:-1]))
        return self._rate(perf_counter() - started, name, value)

    def put(self, value: bytes) -> float:
        started = perf_counter()
        self._kernel.run(f"x = base64.b64decode('{base64.b64encode(value).decode()}')")
        return self._rate(perf_counter() - started, "x", value)

    def _rate(self, seconds: float, name: str, here: Any) -> float:
        return _checked_rate(seconds, here, int(self._kernel.run(f"zlib.crc32({name})")))


def _checked_rate(seconds: float, here: Any, there: int) -> float:
    assert zlib.crc32(here) == there, "what arrived is not what was sent"
    return SIZE / seconds
