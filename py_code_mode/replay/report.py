"""What came of a replay.

Place in the house: bottom of ``replay``; values.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["CellReport", "Difference", "ReplayReport"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was not as recorded.

    Attributes:
        what: ``stdout``, ``stderr``, ``value``, ``display``, ``error`` or ``call``.
        recorded: What was there, as text; empty: nothing.
        replayed: What came now, as text; empty: nothing.
        note: What else there is to say.
    """

    what: str
    recorded: str
    replayed: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class CellReport:
    """One cell.

    Attributes:
        number: Its place among the notebook's cells, from 1.
        execution_count: Its number when it was recorded, or None.
        seconds: How long it took now.
        differences: What was not as recorded.
        skipped: Why it was not run; empty: it was.
    """

    number: int
    execution_count: int | None
    seconds: float = 0.0
    differences: tuple[Difference, ...] = ()
    skipped: str = ""

    @property
    def same(self) -> bool:
        """Whether all was as recorded."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """All cells.

    Attributes:
        path: The notebook.
        cells: What came of each of its code cells, in order.
        notes: What the recording lacks, a sentence each.
    """

    path: Path
    cells: tuple[CellReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether all was as recorded."""
        return all(cell.same for cell in self.cells)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "path": str(self.path),
            "same": self.same,
            "cells": [{**asdict(cell), "same": cell.same} for cell in self.cells],
            "notes": [*self.notes],
        }
