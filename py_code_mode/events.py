"""What a running cell tells, one typed event after another.

Place in the house: values layer. ``Session.stream`` yields these; ``run`` folds them. As JSON
data they cross to other machines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from kernel_bootstrap.wire.codec import decode, encode
from py_code_mode.errors import ProtocolError
from py_code_mode.jsonform import NUMBER, read_fields
from py_code_mode.results import ErrorInfo, ExecutionResult, Output, ToolCall

__all__ = [
    "EVENT_TYPES",
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
    "event_from_dict",
    "event_to_dict",
]


@dataclass(frozen=True, slots=True)
class Started:
    """The kernel took up the cell.

    Attributes:
        execution_count: IPython's number of the cell.
        origin: Who sent it: ``"agent"`` for ``run`` and ``stream``, ``"jupyter"`` for a person's
            JupyterLab, notebook or console on the same kernel.
        code: What it runs, for those who listen to a whole session; else empty.
    """

    execution_count: int
    origin: Literal["agent", "jupyter"] = "agent"
    code: str = ""


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

_NAMES: dict[type, str] = {
    Started: "started",
    Printed: "printed",
    Displayed: "displayed",
    Updated: "updated",
    Cleared: "cleared",
    Failed: "failed",
    ToolCalled: "tool_called",
    ToolProgressed: "tool_progressed",
    ToolLogged: "tool_logged",
    Finished: "finished",
}

EVENT_TYPES = frozenset(_NAMES.values())
"""The ``type`` of each event's JSON data."""

_PLAIN: dict[type, Callable[[Any], Any]] = {
    Output: lambda output: output.to_dict(),
    ErrorInfo: asdict,
    ToolCall: lambda call: call.to_dict(),
    ExecutionResult: lambda result: result.to_dict(),
    # A tool may count in nan or infinity; the codec has words for them, and numbers stay numbers.
    float: lambda number: encode(number)[0],
}


def event_to_dict(event: Event) -> dict[str, Any]:
    """Return an event as JSON data: its ``type`` and its fields.

    ``event_from_dict`` rebuilds an equal event.
    """
    data: dict[str, Any] = {"type": _NAMES[type(event)]}
    for each in fields(event):
        value = getattr(event, each.name)
        plain = _PLAIN.get(type(value))
        data[each.name] = value if plain is None else plain(value)
    return data


def event_from_dict(data: Any) -> Event:
    """Rebuild an event from ``event_to_dict``'s data, which may come from anywhere.

    Raises:
        ProtocolError: It is malformed, or of a type that this version does not know.
    """
    name = read_fields("an event", data, type=str)["type"]
    read = _READERS.get(name)
    if read is None:
        raise ProtocolError(f"{name!r:.40} is no type of event")
    return read(data)


def _started(data: Any) -> Event:
    found = read_fields("a start", data, execution_count=int, origin=str, code=str)
    if found["origin"] not in {"agent", "jupyter"}:
        raise ProtocolError(f"{found['origin']!r:.40} sends no cells: agent and jupyter do")
    return Started(**found)


def _printed(data: Any) -> Event:
    found = read_fields("a printed event", data, name=str, text=str)
    if found["name"] not in {"stdout", "stderr"}:
        raise ProtocolError(f"{found['name']!r:.40} is no stream: stdout and stderr are")
    return Printed(**found)


def _progressed(data: Any) -> Event:
    number = (*NUMBER, dict)
    found = read_fields(
        "a tool's progress",
        data,
        tool=str,
        progress=number,
        total=(*number, type(None)),
        message=str,
    )
    for name in ("progress", "total"):
        found[name] = decode(found[name])
    read_fields("a tool's progress", found, progress=NUMBER, total=(*NUMBER, type(None)))
    return ToolProgressed(**found)


_READERS: dict[str, Callable[[Any], Event]] = {
    "started": _started,
    "printed": _printed,
    "displayed": lambda data: Displayed(Output.from_dict(data.get("output"))),
    "updated": lambda data: Updated(Output.from_dict(data.get("output"))),
    "cleared": lambda data: Cleared(**read_fields("a clearing", data, wait=bool)),
    "failed": lambda data: Failed(ErrorInfo.from_dict(data.get("error"))),
    "tool_called": lambda data: ToolCalled(ToolCall.from_dict(data.get("call"))),
    "tool_progressed": _progressed,
    "tool_logged": lambda data: ToolLogged(
        **read_fields("a tool's line", data, tool=str, level=str, text=str)
    ),
    "finished": lambda data: Finished(ExecutionResult.from_dict(data.get("result"))),
}
