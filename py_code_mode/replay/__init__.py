"""A transcript run again, with its tools' answers out of the recording.

Place in the house: a front, above the executor. ``recorded`` reads the file, which may come from
anywhere; ``tools`` answers for the tools; ``compare`` tells what differs; ``running`` runs.
"""

from __future__ import annotations

from py_code_mode.replay.report import CellReport, Difference, ReplayReport
from py_code_mode.replay.running import replay

__all__ = ["CellReport", "Difference", "ReplayReport", "replay"]
