"""A session's cells as a Jupyter notebook.

Place in the house: executor layer, below ``session``; the only user of nbformat.
"""

from __future__ import annotations

import os
import tempfile
import textwrap
import uuid
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py_code_mode.outputs import Output
from py_code_mode.results import ExecutionResult

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Notebook", "write_notebook"]

MAX_CELLS = 2_000
MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Recorded:
    """One cell; its id stays the same however often the notebook is built."""

    id: str
    code: str
    result: ExecutionResult
    size: int
    origin: str
    started: datetime


class Notebook:
    """Remembers cells and results; the oldest go when there are too many."""

    def __init__(self) -> None:
        self._cells: deque[_Recorded] = deque()
        self._bytes = 0

    def add(
        self,
        code: str,
        result: ExecutionResult,
        *,
        origin: str = "agent",
        started: datetime | None = None,
    ) -> None:
        """Remember one cell.

        Args:
            code: What it ran.
            result: What came of it.
            origin: Who sent it, as in ``Started``.
            started: When it began.
        """
        size = len(code) + sum(_size(output) for output in result.outputs)
        # Values and the streams' text are in no notebook, and may be large.
        shown = replace(result, value=None, stdout="", stderr="")
        self._cells.append(
            _Recorded(uuid.uuid4().hex[:8], code, shown, size, origin, started or datetime.now(UTC))
        )
        self._bytes += size
        while len(self._cells) > MAX_CELLS or (self._bytes > MAX_BYTES and len(self._cells) > 1):
            self._bytes -= self._cells.popleft().size

    def copy(self) -> Notebook:
        """Return one that begins with the same cells."""
        copy = Notebook()
        copy._cells.extend(self._cells)
        copy._bytes = self._bytes
        return copy

    def build(self, session: str) -> NotebookNode:
        """Make the notebook, valid nbformat 4.5."""
        from nbformat.v4 import new_notebook

        notebook = new_notebook(
            metadata={
                "kernelspec": {
                    "name": "python3",
                    "display_name": "Python 3",
                    "language": "python",
                },
                "language_info": {"name": "python"},
                "py_code_mode": {"session": session},
            }
        )
        notebook.cells = [_cell(recorded) for recorded in self._cells]
        return notebook

    def write(self, session: str, path: Path) -> Path:
        """Write the notebook to ``path``, whole or not at all."""
        return write_notebook(self.build(session), path)


def write_notebook(notebook: NotebookNode, path: Path) -> Path:
    """Write a notebook to ``path``, whole or not at all; return the path."""
    import nbformat

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            nbformat.write(notebook, file)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _size(output: Output) -> int:
    return sum(len(value) for value in output.data.values() if isinstance(value, str))


def _cell(recorded: _Recorded) -> NotebookNode:
    from nbformat.v4 import new_code_cell

    result = recorded.result

    calls = [
        {"tool": c.tool, "seconds": round(c.seconds, 6), "outcome": c.outcome, "error": c.error}
        for c in result.tool_calls
    ]
    about: dict[str, Any] = {
        "origin": recorded.origin,
        "started": recorded.started.isoformat(),
        "seconds": round(result.seconds, 6),
        "tool_calls": calls,
    }
    if result.state_lost:
        about["state_lost"] = True
    return new_code_cell(
        id=recorded.id,
        source=textwrap.dedent(recorded.code).strip("\n"),
        execution_count=result.execution_count or None,
        outputs=_outputs(result),
        metadata={"py_code_mode": about},
    )


def _outputs(result: ExecutionResult) -> list[NotebookNode]:
    from nbformat.v4 import new_output

    outputs = [_output(output, result) for output in result.outputs if output.kind != "error"]
    if result.error is not None:
        error = result.error
        outputs.append(
            new_output(
                "error",
                ename=error.name,
                evalue=error.message,
                traceback=error.text.split("\n"),
            )
        )
    return outputs


def _notebook_mime(mime: str, value: Any) -> str:
    """Return the name under which nbformat takes structured data: it must end in ``+json``.

    Altair 6 says ``application/vnd.vegalite.v6.json``.
    """
    if isinstance(value, str) or not mime.endswith(".json"):
        return mime
    return mime.removesuffix(".json") + "+json"


def _output(output: Output, result: ExecutionResult) -> NotebookNode:
    from nbformat.v4 import new_output

    if output.kind == "stream":
        return new_output("stream", name=output.name or "stdout", text=output.text or "")
    data = {_notebook_mime(mime, value): value for mime, value in output.data.items()}
    if output.kind == "result":
        return new_output(
            "execute_result",
            data=data,
            metadata=dict(output.metadata),
            execution_count=result.execution_count or None,
        )
    return new_output("display_data", data=data, metadata=dict(output.metadata))
