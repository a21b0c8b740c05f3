"""A soak as one picture: memory, descriptors, processes and actions over time, kills marked.

Place in the house: beside ``report``. Matplotlib is loaded when everything has been measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.soak.journal import Journal

__all__ = ["plot"]

LINE, QUIET, KILL, TEMPLATE = "#2a6f97", "#333333", "#c1666b", "#7b2d8b"
MIB = 1024 * 1024
WINDOW = 10
"""Samples over which actions are counted."""


def plot(journal: Journal, path: Path) -> None:
    """Draw the samples, one panel for each measure, above each other.

    Args:
        journal: What was observed.
        path: The PNG to write.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (memory, counts, processes, actions) = plt.subplots(
        4, sharex=True, figsize=(10, 9), layout="constrained"
    )
    at = [sample.at for sample in journal.samples]
    _draw(memory, "MiB of the host", at, [each.rss / MIB for each in journal.samples])
    quiet = [point.at for point in journal.quiets]
    memory.plot(quiet, [point.rss / MIB for point in journal.quiets], "o", color=QUIET, ms=4)
    memory.plot(quiet, [point.uss / MIB for point in journal.quiets], "x", color=QUIET, ms=4)
    memory.legend(
        ["RSS", "RSS at quiet points", "USS there"],
        fontsize=8,
        loc="lower right",
    )
    _draw(counts, "descriptors", at, [each.descriptors for each in journal.samples])
    counts.plot(quiet, [point.descriptors for point in journal.quiets], "o", color=QUIET, ms=4)
    _draw(processes, "processes", at, [each.processes for each in journal.samples])
    _draw(actions, "actions a second", at, _rate(journal))
    _mark_kills(actions, journal)
    actions.set_xlabel("seconds (ticks below: red a kernel killed or stopped, violet a template)")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw(axes: Any, label: str, at: list[float], values: list[float]) -> None:
    axes.plot(at, values, color=LINE, linewidth=1)
    axes.set_ylabel(label, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)


def _rate(journal: Journal) -> list[float]:
    samples, rates = journal.samples, []
    for number, sample in enumerate(samples):
        first = samples[max(0, number - WINDOW)]
        seconds = sample.at - first.at
        rates.append((sample.actions - first.actions) / seconds if seconds else 0.0)
    return rates


def _mark_kills(axes: Any, journal: Journal) -> None:
    for what, color in (("kernel", KILL), ("stopped kernel", KILL), ("template", TEMPLATE)):
        times = [at for at, kind in journal.kills if kind == what]
        axes.plot(times, [0.02] * len(times), "|", color=color, ms=10, transform=_foot(axes))


def _foot(axes: Any) -> Any:
    """Return the transform in which x is time and y is a part of the panel's height."""
    return axes.get_xaxis_transform()
