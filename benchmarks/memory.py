"""Memory of sessions that are up and idle, and of branches."""

from __future__ import annotations

import contextlib

import psutil

from benchmarks.bench import Bench
from benchmarks.ours import our_executor
from benchmarks.plain import plain_kernel
from benchmarks.rows import MB, Row, at_most
from benchmarks.samples import Samples
from benchmarks.start import ARRAY
from py_code_mode import CodeExecutor, Session

__all__ = ["measure"]


def measure(bench: Bench) -> list[Row]:
    """Read what each further session, plain kernel or branch adds.

    PSS divides a page by the number of processes that map it. So what a session adds is the
    growth of the sum over all processes, template included, while sessions are opened.
    """
    bench.say("  memory")
    count = bench.pick(20, 5)
    beside = "a plain kernel after 1 + 1"
    with contextlib.ExitStack() as stack:
        executor = stack.enter_context(our_executor(bench))
        bench.run(_settle(executor))
        before = _tree()
        for _ in range(count):
            bench.run(_open(executor))
        ours = (_tree() - before) / count
        peers = []
        for _ in range(3):
            kernel = stack.enter_context(plain_kernel())
            kernel.run("1 + 1")
            peers.append(_pss(kernel.pid))
    return [
        Row(
            "each further idle session, PSS",
            MB,
            Samples([[ours]] * len(peers)),
            Samples([[peer] for peer in peers]),
            beside,
            at_most(15, MB),
        ),
        _branch(bench),
    ]


def _branch(bench: Bench) -> Row:
    with our_executor(bench) as executor:
        bench.run(executor.run(ARRAY))
        samples = []
        for _ in range(3):
            before = _tree()
            branch = bench.run(_fork(executor))
            samples.append([_tree() - before])
            bench.run(branch.aclose())
    return Row("branch of a session with 1 GB", MB, Samples(samples), target=at_most(40, MB))


async def _fork(executor: CodeExecutor) -> Session:
    branch = await executor.fork()
    (await branch.run("1 + 1")).unwrap()
    return branch


async def _settle(executor: CodeExecutor) -> None:
    """Wait until the template has imported what it imports when it has time."""
    import asyncio

    template = executor.default._cells.slot.current
    assert template is not None
    rest = psutil.Process(template.template.pid) if template.template else None
    seen = -1.0
    while rest is not None and seen != (now := sum(rest.cpu_times()[:2])):
        seen = now
        await asyncio.sleep(0.5)


async def _open(executor: CodeExecutor) -> None:
    session = await executor.session()
    (await session.run("1 + 1")).unwrap()


def _tree() -> int:
    """PSS of all processes below this one, in bytes."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += _pss(child.pid)
    return total


def _pss(pid: int) -> int:
    return int(psutil.Process(pid).memory_full_info().pss)
