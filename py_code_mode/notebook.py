"""A session's cells as a Jupyter notebook.

Place in the house: executor layer, below ``session``, above ``transcripts``. It remembers; what a
notebook looks like is known there.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.limits import Limits, bundle_size
from kernel_bootstrap.wire.messages import METADATA_KEY
from py_code_mode.results import ExecutionResult
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import ToolInfo
from py_code_mode.transcripts.cells import make_cell
from py_code_mode.transcripts.entry import AGENT, Entry
from py_code_mode.transcripts.rundata import Before, tools_data

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Notebook"]

MAX_CELLS = 2_000
MAX_BYTES = 256 * 1024 * 1024
_MAX_ORIGIN = 100

KERNELSPEC = {
    "name": "py-code-mode",
    "display_name": "py-code-mode (Python)",
    "language": "python",
}


class Notebook:
    """Remembers cells and results; the oldest go when there are too many.

    Args:
        limits: Bounds of what is recorded of tools' answers.

    Attributes:
        max_bytes: Bound of the cells' code and outputs together.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.max_bytes = MAX_BYTES
        self._limits = limits or Limits()
        self._cells: deque[Entry] = deque()
        self._bytes = self._recorded = self._dropped = 0
        self._before = Before()
        self._is_reset = False

    @property
    def cells(self) -> Sequence[Entry]:
        """The cells, the oldest first."""
        return tuple(self._cells)

    def add(
        self,
        code: str,
        result: ExecutionResult,
        *,
        origin: str = AGENT,
        started: datetime | None = None,
    ) -> None:
        """Remember one cell.

        Args:
            code: What ran.
            result: What came of it.
            origin: Who ran it: ``agent``, or the name of a front end such as ``jupyter``.
            started: When it started; None: as long before now as it took.
        """
        size = len(code) + sum(bundle_size(output.data) for output in result.outputs)
        if started is None:
            started = datetime.now(UTC) - timedelta(seconds=result.seconds)
        # Values and the streams' text are in no notebook, and may be large.
        shown = replace(result, value=None, stdout="", stderr="")
        self._record(shown)
        entry = Entry(
            uuid.uuid4().hex[:8],
            code,
            shown,
            origin[:_MAX_ORIGIN],
            started.astimezone(UTC),
            size,
            is_first=self._is_reset,
        )
        self._is_reset = False
        self._cells.append(entry)
        self._bytes += size
        self._recorded += entry.recorded
        while len(self._cells) > MAX_CELLS or self._bytes > self.max_bytes:
            old = self._cells.popleft()
            self._bytes -= old.size
            self._recorded -= old.recorded
            self._dropped += 1

    def reset(self) -> None:
        """Note that the next cell finds a new kernel."""
        self._is_reset = bool(self._cells)

    @property
    def has_failed(self) -> bool:
        """Whether a cell in it has failed."""
        return any(entry.result.error is not None for entry in self._cells)

    def _record(self, result: ExecutionResult) -> None:
        """Take over what was recorded, if there is room for it."""
        recording, most = result.recording, self._limits.recorded_bytes
        if recording is None:
            return
        if self._recorded + self._before.size + recording.size > most:
            recording.forget(
                f"the session's recorded answers have {most:,} bytes (Limits.recorded_bytes)"
            )
        self._before.take(recording)

    def copy(self) -> Notebook:
        """Return one that begins with the same cells."""
        copy = Notebook(self._limits)
        copy.max_bytes = self.max_bytes
        copy._cells.extend(self._cells)
        copy._bytes, copy._recorded, copy._dropped = self._bytes, self._recorded, self._dropped
        copy._before, copy._is_reset = self._before.copy(), self._is_reset
        return copy

    def build(
        self,
        session: str,
        *,
        secrets: Secrets | None = None,
        tools: Sequence[ToolInfo] = (),
    ) -> NotebookNode:
        """Make the notebook, valid nbformat 4.5.

        Args:
            session: The session's name.
            secrets: What it must not show.
            tools: The tools that the session has; a replay needs their descriptions.
        """
        from nbformat.v4 import new_notebook

        secrets = secrets or Secrets()
        called = {call.tool for entry in self._cells for call in entry.result.tool_calls}
        described, more = tools_data(tools, called)
        about: dict[str, Any] = {"session": session, "format": 1, **self._before.data(secrets)}
        if described:
            about["tools"] = secrets.redact_values(described)
        if more:
            about["tools_left_out"] = more
        if self._dropped:
            about["cells_dropped"] = self._dropped
        notebook = new_notebook(
            metadata={
                "kernelspec": dict(KERNELSPEC),
                "language_info": {"name": "python"},
                METADATA_KEY: about,
            }
        )
        notebook.cells = [make_cell(entry, secrets) for entry in self._cells]
        return notebook
