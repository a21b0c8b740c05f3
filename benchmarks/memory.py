"""Memory of a session that is up and idle."""

from __future__ import annotations

import contextlib

import psutil

from benchmarks.bench import Bench
from benchmarks.ours import our_executor
from benchmarks.plain import plain_kernel
from benchmarks.rows import MB, Row
from benchmarks.samples import Samples
from py_code_mode import CodeExecutor

__all__ = ["measure"]

KINDS = {
    "uss": "idle session, USS (its own)",
    "pss": "idle session, PSS (with its share)",
}


def measure(bench: Bench) -> list[Row]:
    """Read USS and PSS of kernel processes, as many of ours as plain ones, after ``1 + 1``.

    PSS divides a page by the number of processes that map it, so all are alive at once.
    """
    bench.say("  memory")
    count = bench.pick(5, 2)
    with contextlib.ExitStack() as stack:
        executor = stack.enter_context(our_executor(bench))
        ours = [bench.run(_open(executor)) for _ in range(count)]
        peers = []
        for _ in range(count):
            kernel = stack.enter_context(plain_kernel())
            kernel.run("1 + 1")
            peers.append(kernel.pid)
        return [
            Row(what, MB, _read(kind, ours), _read(kind, peers), "a plain kernel after 1 + 1")
            for kind, what in KINDS.items()
            if hasattr(psutil.Process().memory_full_info(), kind)
        ]


async def _open(executor: CodeExecutor) -> int:
    session = await executor.session()
    await session.run("1 + 1")
    pid = (await session.run("__import__('os').getpid()")).unwrap()
    assert isinstance(pid, int)
    return pid


def _read(kind: str, pids: list[int]) -> Samples:
    return Samples([[getattr(psutil.Process(pid).memory_full_info(), kind)] for pid in pids])
