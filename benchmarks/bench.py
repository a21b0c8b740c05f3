"""What every topic is given: the event loop, how much to measure, and turns.

Ours runs on an ``asyncio.Runner`` that stands still while the peer has its turn: called below a
running loop, jupyter_client's blocking client would hop through a thread of its own, which
nobody who uses it plainly pays.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchmarks.interrupts import uninterrupted
from benchmarks.samples import Samples

__all__ = ["Bench", "Side"]

T = TypeVar("T")

Side = Callable[[], Sequence[float]]
"""One side's turn in a round: measures, and returns its samples."""

PROGRESS_SECONDS = 3.0


@dataclass(slots=True)
class Bench:
    """A run of the benchmark.

    Attributes:
        runner: Runs what is async of ours.
        quick: Whether to measure less, for a first look.
    """

    runner: asyncio.Runner
    quick: bool = False
    _told: float = field(default=0.0, repr=False)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of ours to its end."""
        box: list[T] = []

        async def boxed() -> None:
            # The runner's signal handling takes the repr of the task and so of its result.
            box.append(await work)

        self.runner.run(boxed())
        return box[0]

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of ours to its end, whoever presses Ctrl-C."""
        with uninterrupted():
            return self.run(work)

    def pick(self, full: int, quick: int) -> int:
        """Return how many of something to measure."""
        return quick if self.quick else full

    def say(self, text: str) -> None:
        """Report progress."""
        self._told = time.monotonic()
        print(text, file=sys.stderr, flush=True)

    def take_turns(
        self, label: str, rounds: int, sides: dict[str, Side], *, warm_up: bool = True
    ) -> dict[str, Samples]:
        """Let all sides measure, one after another, ``rounds`` times.

        Each round goes the other way than the last, so that nobody is always first.

        Args:
            label: What is measured, for the progress lines.
            rounds: How many turns each side has.
            sides: The sides by name.
            warm_up: Whether a round that does not count goes first.
        """
        self.say(f"  {label}")
        found: dict[str, list[Sequence[float]]] = {name: [] for name in sides}
        for number in range(0 if warm_up else 1, rounds + 1):
            for name in sides if number % 2 else reversed(sides):
                with _quiet():
                    samples = sides[name]()
                if number:
                    found[name].append(samples)
            if time.monotonic() - self._told > PROGRESS_SECONDS:
                self.say(f"  {label}: {number} of {rounds}")
        return {name: Samples(kept) for name, kept in found.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the garbage collector out of a turn."""
    with uninterrupted():
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
