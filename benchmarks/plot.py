"""The rows that have a peer, as one picture: how much of the peer's cost ours is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row

__all__ = ["plot"]

OURS, MISSED, AIM = "#2a6f97", "#c1666b", "#333333"


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw the ratios on a logarithmic axis, each with the middle half of its rounds.

    Args:
        rows: What was measured; rows without a peer are left out.
        path: The PNG to write.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shown = [row for row in rows if row.ratio is not None][::-1]
    figure, axes = plt.subplots(figsize=(9, 0.34 * len(shown) + 1.4), layout="constrained")
    for at, row in enumerate(shown):
        ratio, ratios = row.ratio or 0.0, sorted(row.ratios)
        axes.barh(at, ratio, height=0.62, color=MISSED if row.reached is False else OURS)
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        axes.plot([low, high], [at, at], color=AIM, linewidth=1)
        axes.annotate(f" {ratio:.3g}", (max(ratio, high), at), va="center", fontsize=8)
        aim = re.search(r"ratio <= ([\d.]+)", row.target.text) if row.target else None
        if aim:
            axes.plot([float(aim[1])] * 2, [at - 0.42, at + 0.42], color=AIM, linewidth=2)
    axes.axvline(1, color=AIM, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_yticks(range(len(shown)), [row.what for row in shown], fontsize=8)
    axes.set_xlabel("our cost as a multiple of the peer's (thick mark: to reach; red: not reached)")
    axes.margins(x=0.15, y=0.01)
    figure.savefig(path, dpi=120)
    plt.close(figure)
