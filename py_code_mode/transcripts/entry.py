"""One cell as a session remembers it.

Place in the house: bottom of ``transcripts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from py_code_mode.results import ExecutionResult

__all__ = ["AGENT", "Entry"]

AGENT = "agent"
"""Origin of a cell that the agent ran."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell; its id stays the same however often the notebook is built.

    Attributes:
        id: Its id in the notebook.
        code: What ran.
        result: What came of it, without the value.
        origin: ``agent``, or the name of the front end where a person ran it.
        started: When it started (UTC).
        size: Characters of code and outputs.
        is_first: Whether it was the first one of its kernel, because the session was reset.
    """

    id: str
    code: str
    result: ExecutionResult
    origin: str
    started: datetime
    size: int
    is_first: bool = False

    @property
    def recorded(self) -> int:
        """Bytes of recorded answers."""
        return 0 if self.result.recording is None else self.result.recording.size
