"""Samples of one measurement, in rounds, and their quantiles.

Rounds matter: ours and the peer take turns, so that both halves of a round met the machine in
the same mood. Ratios are taken within rounds and never across them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

__all__ = ["Samples", "quantile", "times"]


def quantile(values: Iterable[float], share: float) -> float:
    """Return the nearest-rank quantile: ``share`` of the values are at most this."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def times(call: Callable[[], object], count: int) -> list[float]:
    """Time ``count`` calls, in seconds each. Kernels run this very function (see ``TIMES``)."""
    found = []
    for _ in range(count):
        started = perf_counter()
        call()
        found.append(perf_counter() - started)
    return found


TIMES = """\
from time import perf_counter
def times(call, count):
    found = []
    for _ in range(count):
        started = perf_counter()
        call()
        found.append(perf_counter() - started)
    return found
"""
"""Source of ``times`` for a cell; kernels other than ours cannot import it from here."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What one side of a measurement gave.

    Attributes:
        rounds: Its samples, round by round; each round has at least one.
    """

    rounds: Sequence[Sequence[float]]

    @property
    def all(self) -> list[float]:
        """All samples of all rounds."""
        return [sample for part in self.rounds for sample in part]

    @property
    def p50(self) -> float:
        """The median of all samples."""
        return statistics.median(self.all)

    @property
    def medians(self) -> list[float]:
        """The median of each round."""
        return [statistics.median(part) for part in self.rounds]

    def summary(self) -> dict[str, Any]:
        """Plain data for the JSON file."""
        every = self.all
        return {
            "n": len(every),
            "p50": self.p50,
            "p01": quantile(every, 0.01),
            "p99": quantile(every, 0.99),
            "min": min(every),
            "max": max(every),
            "mean": statistics.fmean(every),
            "round_medians": self.medians,
        }
