"""What a running cell tells, one typed event after another.

Place in the house: values layer. ``Session.stream`` yields these; ``run`` folds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from py_code_mode.results import ErrorInfo, ExecutionResult, Output, ToolCall

__all__ = [
    "Cleared",
    "Displayed",
    "Event",
    "Failed",
    "Finished",
    "Printed",
    "Started",
    "ToolCalled",
    "ToolLogged",
    "ToolProgressed",
    "Updated",
]


@dataclass(frozen=True, slots=True)
class Started:
    """The kernel took up the cell.

    Attributes:
        execution_count: IPython's number of the cell.
    """

    execution_count: int


@dataclass(frozen=True, slots=True)
class Printed:
    """The code printed.

    Attributes:
        name: ``stdout`` or ``stderr``.
        text: As written, control characters included.
    """

    name: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True)
class Displayed:
    """The code displayed something, or the last expression's value was shown."""

    output: Output


@dataclass(frozen=True, slots=True)
class Updated:
    """A display was replaced by a newer form of itself.

    Attributes:
        output: The newer form; its ``display_id`` says which display.
    """

    output: Output


@dataclass(frozen=True, slots=True)
class Cleared:
    """The output so far was cleared.

    Attributes:
        wait: Clearing waits for the next output.
    """

    wait: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The code raised."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A tool call ended."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolProgressed:
    """A tool that runs told how far it has come.

    Attributes:
        tool: Its full name.
        progress: In units of the tool's own.
        total: What it will be in the end, or None when that is not known.
        message: What is going on.
    """

    tool: str
    progress: float
    total: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class ToolLogged:
    """A tool that runs logged a line.

    Attributes:
        tool: Its full name.
        level: ``debug``, ``info``, ``notice``, ``warning``, ``error`` or a higher one.
        text: What it says.
    """

    tool: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over; always the last event."""

    result: ExecutionResult


Event = (
    Started
    | Printed
    | Displayed
    | Updated
    | Cleared
    | Failed
    | ToolCalled
    | ToolProgressed
    | ToolLogged
    | Finished
)
