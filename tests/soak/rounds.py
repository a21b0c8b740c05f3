"""Who does what when: rounds of workers, with a quiet point after each.

Place in the house: top of the soak, below ``__main__``.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import threading
import time
import traceback
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.soak import blows, branching, cells, stores
from tests.soak.deck import ACTIONS, Deck
from tests.soak.journal import Journal, Sample, ViolationError, stacks_of_tasks
from tests.soak.leaks import LeakWatch, judge_memory, let_memory_tell
from tests.soak.turn import Hand, LeftError
from tests.soak.world import World

__all__ = ["Plan", "soak"]

MODULES = (blows, branching, cells, stores)
"""They have put their actions into the deck."""

DEADLINE = 60.0
"""Seconds an action may take. The longest that any may need: a run waits for its kernel's start and
the limit of a former run, a few seconds each on a machine that has nothing else to do."""

LAG_EVERY, SAMPLE_EVERY = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how much.

    Attributes:
        minutes: All rounds together; longer if some action has not come until then.
        seed: Of all that is random.
        workers: Actions at once.
        round: Seconds between quiet points.
    """

    minutes: float
    seed: int
    workers: int = 4
    round: float = 25.0


async def soak(plan: Plan, journal: Journal) -> dict[str, float]:
    """Soak; everything that was observed stands in the journal.

    Returns:
        How much memory has grown, see ``judge_memory``.
    """
    let_memory_tell()
    with _own_temporary_directory() as folder:
        _fill_pool()
        world = World(journal, plan.seed, folder / "stores")
        await _warm_up(world)
        watchers = [asyncio.create_task(_lag(journal)), asyncio.create_task(_sample(journal))]
        watch, deck = LeakWatch(journal), Deck(plan.seed)
        until = time.monotonic() + plan.minutes * 60
        while (left := until - time.monotonic()) > 0 or journal.outcomes.keys() != ACTIONS.keys():
            await _round(world, deck, plan, min(plan.round, max(left, 1.0)))
            await watch.check()
        for watcher in watchers:
            watcher.cancel()
        await asyncio.wait(watchers)
    return judge_memory(journal)


@contextmanager
def _own_temporary_directory() -> Iterator[Path]:
    """Other programs on the machine may use the library too: look only at our own directories."""
    former = tempfile.tempdir, os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = former[0]
            os.environ.pop("TMPDIR")
            if former[1] is not None:
                os.environ["TMPDIR"] = former[1]


def _fill_pool() -> None:
    """Start all threads that the loop's pool may have, so that none of them looks like a leak."""
    pool = ThreadPoolExecutor(4, thread_name_prefix="pool")
    all_there = threading.Barrier(4)
    for waits in [pool.submit(all_there.wait) for _ in range(4)]:
        waits.result()
    asyncio.get_running_loop().set_default_executor(pool)


async def _warm_up(world: World) -> None:
    """Load what loads once; pyzmq, for one, starts a thread with the first large message."""
    for kind in world.kinds:
        house = await world.build(kind)
        seat = await house.open()
        await seat.session.set_variable("large", bytes(1_000_000))
        await seat.session.run("tools.echo(token='')\ntools.odd.arguments(token='')")
        world.hear("")
        await world.tear_down(house)


async def _round(world: World, deck: Deck, plan: Plan, seconds: float) -> None:
    """Let the workers work for a while on executors of all kinds, then close everything."""
    until = time.monotonic() + seconds
    for kind in world.kinds:
        await world.build(kind)
    await asyncio.gather(*(_work(world, deck, plan, until) for _ in range(plan.workers)))
    for house in [*world.houses]:
        await _bounded(world, "close all", world.tear_down(house))
    await asyncio.to_thread(world.clean_stores)


async def _work(world: World, deck: Deck, plan: Plan, until: float) -> None:
    while time.monotonic() < until:
        name, number = deck.deal()
        action = f"{number} {name}"
        hand = Hand(world, random.Random(f"{plan.seed} {number}"), action)
        world.journal.begin(action)
        began = time.monotonic()
        outcome = await _bounded(world, action, ACTIONS[name][0](hand))
        world.journal.end(name, action, outcome, time.monotonic() - began)


async def _bounded(world: World, action: str, work: Awaitable[None]) -> str:
    """Await an action; return its outcome. What takes too long is a violation and is given up."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=DEADLINE)
    if not task.done():
        text = f"has not ended after {DEADLINE:.0f} s\n{stacks_of_tasks()}"
        world.journal.violate("hang", action, text)
        task.cancel()
        await asyncio.wait({task}, timeout=DEADLINE)
        return "violation"
    try:
        task.result()
    except LeftError as left:
        return left.outcome
    except ViolationError:
        return "violation"
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing of it was promised
        world.journal.violate("raised", action, "".join(traceback.format_exception(error)))
        return "violation"
    return "ok"


async def _lag(journal: Journal) -> None:
    """Note how late the loop is."""
    while True:
        asked = time.monotonic() + LAG_EVERY
        await asyncio.sleep(LAG_EVERY)
        journal.lags.append(max(0.0, time.monotonic() - asked))


async def _sample(journal: Journal) -> None:
    """Note how things stand."""
    process, seen = psutil.Process(), 0
    while True:
        await asyncio.sleep(SAMPLE_EVERY)
        processes = await asyncio.to_thread(lambda: len(process.children(recursive=True)))
        lags, seen = journal.lags[seen:], len(journal.lags)
        journal.add_sample(
            Sample(
                at=journal.now,
                rss=process.memory_info().rss,
                descriptors=process.num_fds(),
                processes=processes,
                threads=threading.active_count(),
                actions=journal.actions,
                lag=max(lags, default=0.0),
            )
        )
