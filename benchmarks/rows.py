"""One line of the report: a measurement of ours beside the peer's.

The ratio is one of costs in every row: below 1 ours is cheaper, also where the unit is a rate.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.samples import Samples, quantile

__all__ = [
    "MB",
    "MB_PER_S",
    "MS",
    "PER_S",
    "SHARE",
    "Row",
    "S",
    "Target",
    "Unit",
    "at_least",
    "at_most",
    "both",
    "ratio_at_most",
    "tail_within",
]


@dataclass(frozen=True, slots=True)
class Unit:
    """How samples are shown.

    Attributes:
        name: What stands behind the number.
        scale: Samples (seconds, bytes, a rate of one of them) times this are shown.
        rate: Whether more is better.
    """

    name: str
    scale: float = 1.0
    rate: bool = False


S = Unit("s")
MS = Unit("ms", 1e3)
MB = Unit("MB", 1e-6)
MB_PER_S = Unit("MB/s", 1e-6, rate=True)
PER_S = Unit("/s", rate=True)
SHARE = Unit("")
"""Of 1; ``to_reach`` says which way is better."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes:
        what: What was measured.
        unit: Unit of its samples.
        ours: Samples of ours.
        peer: Samples of the peer, same number of rounds; None if there is none.
        beside: What the peer did.
        target: What is to be reached, if anything.
    """

    what: str
    unit: Unit
    ours: Samples
    peer: Samples | None = None
    beside: str = ""
    target: Target | None = None

    @property
    def ratios(self) -> list[float]:
        """Our cost as a multiple of the peer's, one for each round."""
        if self.peer is None:
            return []
        pairs = zip(self.ours.medians, self.peer.medians, strict=True)
        if self.unit.rate:
            return [peer / ours for ours, peer in pairs]
        return [ours / peer for ours, peer in pairs]

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def p99(self) -> float:
        """What 99 of 100 samples of ours are at least as good as."""
        return quantile(self.ours.all, 0.01 if self.unit.rate else 0.99)

    @property
    def reached(self) -> bool | None:
        """Whether the target was reached; None if there is none."""
        return None if self.target is None else self.target.met(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the JSON file."""
        ratios = self.ratios
        return {
            "what": self.what,
            "unit": self.unit.name,
            "scale": self.unit.scale,
            "more_is_better": self.unit.rate,
            "ours": self.ours.summary(),
            "peer": None if self.peer is None else self.peer.summary(),
            "beside": self.beside,
            "ratio": self.ratio,
            "round_ratios": ratios,
            "to_reach": None if self.target is None else self.target.text,
            "reached": self.reached,
        }


@dataclass(frozen=True, slots=True)
class Target:
    """What a row is to reach.

    Attributes:
        text: As the table shows it.
        met: Judges the row.
    """

    text: str
    met: Callable[[Row], bool]


def ratio_at_most(limit: float) -> Target:
    """Our median costs at most ``limit`` times the peer's."""
    return Target(f"ratio <= {limit:g}", lambda row: row.ratio is not None and row.ratio <= limit)


def tail_within(times: float) -> Target:
    """Our p99 is at most ``times`` our median."""
    return Target(f"p99 <= {times:g} p50", lambda row: row.p99 <= times * row.ours.p50)


def both(first: Target, second: Target) -> Target:
    """Both are met."""
    return Target(
        f"{first.text}, {second.text}", lambda row: bool(first.met(row) and second.met(row))
    )


def at_most(limit: float, unit: Unit) -> Target:
    """Our median is at most ``limit``, in the row's shown unit."""
    return Target(f"<= {limit:g} {unit.name}", lambda row: row.ours.p50 * unit.scale <= limit)


def at_least(limit: float, unit: Unit) -> Target:
    """Our median is at least ``limit``, in the row's shown unit."""
    return Target(f">= {limit:g} {unit.name}", lambda row: row.ours.p50 * unit.scale >= limit)
