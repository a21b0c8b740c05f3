"""What is observed during a soak: actions and their outcomes, samples, violations.

Place in the house: bottom of the soak; knows nothing of the library. The time of everything is in
seconds since the journal was begun.
"""

from __future__ import annotations

import asyncio
import io
import time
from array import array
from collections import Counter, deque
from dataclasses import asdict, astuple, dataclass, field, fields
from typing import Any

__all__ = ["Journal", "Quiet", "Sample", "Violation", "ViolationError", "stacks_of_tasks"]

KEPT_ACTIONS = 40
"""So many actions before a violation are told with it."""


class ViolationError(AssertionError):
    """Something came that must never come."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken.

    Attributes:
        at: When.
        kind: Which promise: ``"hang"``, ``"mixed up"``, ``"lost"``, ``"leak"``, ``"memory"``, ...
        action: What was done, with its number.
        text: What came instead.
        before: The last actions, begun and ended, before it was noticed.
    """

    at: float
    kind: str
    action: str
    text: str
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood at one moment while the workers worked."""

    at: float
    rss: float
    descriptors: float
    processes: float
    threads: float
    actions: float
    lag: float


@dataclass(frozen=True, slots=True)
class Quiet:
    """What was there at a quiet point: all executors closed, garbage collected.

    Attributes:
        in_use: Bytes that the C library has given out, as it counts them; 0 where it does not tell.
        blocks: Blocks of memory that Python has given out to objects.
        objects: Objects that the garbage collector knows.
        settled: Seconds until nothing was left.
    """

    at: float
    rss: int
    uss: int
    in_use: int
    blocks: int
    objects: int
    descriptors: int
    threads: int
    actions: int
    settled: float


@dataclass(slots=True)
class Journal:
    """Takes down what happens.

    Numbers are kept in arrays, which are no objects each: what is watched is this process's memory.

    Attributes:
        violations: The promises broken so far.
        outcomes: How often each action came out how.
        seconds: How long each action took, by its name.
        quiets: Taken at the quiet points.
        kills: When processes were killed or stopped, and which: ``"kernel"``, ``"template"``.
        lags: How much later than it asked for the watcher of the event loop was woken.
    """

    violations: list[Violation] = field(default_factory=list)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: dict[str, array[float]] = field(default_factory=dict)
    quiets: list[Quiet] = field(default_factory=list)
    kills: list[tuple[float, str]] = field(default_factory=list)
    lags: array[float] = field(default_factory=lambda: array("d"))
    _samples: array[float] = field(default_factory=lambda: array("d"))
    _recent: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_ACTIONS))
    _began: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> float:
        """Seconds since the journal was begun."""
        return time.monotonic() - self._began

    @property
    def actions(self) -> int:
        """How many actions have ended."""
        return sum(outcomes.total() for outcomes in self.outcomes.values())

    @property
    def samples(self) -> list[Sample]:
        """What was taken all the time."""
        width = len(fields(Sample))
        rows = range(0, len(self._samples), width)
        return [Sample(*self._samples[row : row + width]) for row in rows]

    def add_sample(self, sample: Sample) -> None:
        """Keep how things stand."""
        self._samples.extend(astuple(sample))

    def begin(self, action: str) -> None:
        """An action begins."""
        self._recent.append(f"{self.now:8.2f} begin {action}")

    def end(self, name: str, action: str, outcome: str, seconds: float) -> None:
        """An action has ended."""
        self._recent.append(f"{self.now:8.2f} {outcome} {action}")
        self.outcomes.setdefault(name, Counter())[outcome] += 1
        self.seconds.setdefault(name, array("d")).append(seconds)

    def note_kill(self, what: str) -> None:
        """A process was killed or stopped on purpose."""
        self.kills.append((self.now, what))

    def violate(self, kind: str, action: str, text: str) -> None:
        """A promise is broken."""
        self.violations.append(Violation(self.now, kind, action, text, tuple(self._recent)))

    def check(self, *, holds: bool, kind: str, action: str, text: str) -> bool:
        """Note a violation unless a promise holds; return whether it does."""
        if not holds:
            self.violate(kind, action, text)
        return holds

    def compare_tokens(self, action: str, where: str, wanted: Any, came: Any) -> bool:
        """Hold what came back against the token that belongs there."""
        text = f"{where}: {shorten(wanted)} belongs there, {shorten(came)} came"
        return self.check(holds=wanted == came, kind="mixed up", action=action, text=text)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        return {
            "violations": [asdict(each) for each in self.violations],
            "outcomes": {name: dict(counts) for name, counts in sorted(self.outcomes.items())},
            "seconds": {name: [*took] for name, took in sorted(self.seconds.items())},
            "samples": [asdict(each) for each in self.samples],
            "quiets": [asdict(each) for each in self.quiets],
            "kills": self.kills,
            "lags": [*self.lags],
        }


def shorten(value: Any, most: int = 300) -> str:
    """Return a value's repr, without its middle if that is long."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def stacks_of_tasks() -> str:
    """Return where each task of the loop waits."""
    into = io.StringIO()
    for task in asyncio.all_tasks():
        task.print_stack(file=into)
    return into.getvalue()
