"""A policy that refuses again what was refused.

Place in the house: inside ``replay``, above ``recorded``. A transcript may come from a session that
was not allowed everything; to run it again must not do what it could not.
"""

from __future__ import annotations

from py_code_mode.policy import ALLOW, Action, Decision
from py_code_mode.replay.recorded import RecordedCell

__all__ = ["Refusals"]

_PREFIX = "the shell command was not run: "


class Refusals:
    """A ``Policy`` for shell commands; tools refuse out of their recording."""

    def __init__(self) -> None:
        self._cell: RecordedCell | None = None

    def begin(self, cell: RecordedCell) -> None:
        """A cell begins."""
        self._cell = cell

    async def decide(self, action: Action) -> Decision:
        """Refuse the cell's commands that were refused when it was recorded."""
        if action.kind != "shell" or self._cell is None:
            return ALLOW
        said = self._cell.refused.get(str(action.arguments.get("command")))
        if said is not None:
            return Decision(allowed=False, reason=said.removeprefix(_PREFIX))
        if self._cell.more_refused:
            return Decision(allowed=False, reason="replay: it may be one that was refused")
        return ALLOW
