"""The table for people and the JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from benchmarks.samples import quantile

__all__ = ["as_json", "machine", "table", "write"]

HEAD = ("what", "ours p50", "p99", "peer p50", "ratio", "to reach", "reached", "the peer does")
RIGHT = {1, 2, 3}
"""Columns of numbers."""

DISTRIBUTIONS = ("py-code-mode", "ipykernel", "jupyter_client", "pyzmq", "ipython", "tornado")


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out in aligned columns."""
    lines = [HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    laid = [
        "  ".join(
            cell.rjust(width) if index in RIGHT else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    laid.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(laid)


def _cells(row: Row) -> tuple[str, ...]:
    unit = row.unit

    def shown(sample: float) -> str:
        return f"{_number(sample * unit.scale)} {unit.name}"

    return (
        row.what,
        shown(row.ours.p50),
        shown(row.p99),
        "-" if row.peer is None else shown(row.peer.p50),
        _ratio(row),
        "-" if row.target is None else row.target.text,
        {None: "-", True: "yes", False: "no"}[row.reached],
        row.beside or "-",
    )


def _ratio(row: Row) -> str:
    """Show the median, and between what the middle half of the rounds was."""
    if row.ratio is None:
        return "-"
    low, high = quantile(row.ratios, 0.25), quantile(row.ratios, 0.75)
    return f"{row.ratio:.3g} ({low:.3g} to {high:.3g})"


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def machine() -> dict[str, Any]:
    """Describe what the numbers were measured on, and with."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{d: version(d) for d in DISTRIBUTIONS}},
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "load": list(os.getloadavg()),
        "executable": Path(sys.executable).name,
    }


def as_json(about: Mapping[str, Any], rows: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Return everything that was measured as plain data, rows by topic."""
    return {
        **about,
        "rows": [
            {"topic": topic, **row.to_dict()} for topic, found in rows.items() for row in found
        ],
    }


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    temporary.replace(path)
