"""What a run returns.

Place in the house: values layer. Everything is frozen and plain: a result can be logged,
sent as JSON and shown in a notebook.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from kernel_bootstrap.wire.codec import decode, encode
from kernel_bootstrap.wire.limits import Cut
from py_code_mode.errors import ExecutionError, ExecutionTimeout
from py_code_mode.outputs import Output, OutputKind, RemoteValue

__all__ = [
    "Cut",
    "ErrorInfo",
    "ExecutionResult",
    "Output",
    "OutputKind",
    "RemoteValue",
    "ToolCall",
    "Variable",
]


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """Why code failed.

    Attributes:
        name: Name of the exception's type: ``"NameError"``, ``"ExecutionTimeout"``, ...
        message: Its message.
        traceback: The traceback as IPython shows it, without ANSI codes; may be empty.
    """

    name: str
    message: str
    traceback: str = ""

    @property
    def text(self) -> str:
        """The traceback, or ``name: message`` where there is none."""
        return self.traceback or str(self)

    def __contains__(self, needle: str) -> bool:
        return needle in str(self) or needle in self.traceback

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool during a run.

    Attributes:
        tool: Its full name.
        arguments: As they were used, also if a policy changed them; long ones are shortened.
        seconds: How long it took on the host.
        outcome: ``"ok"``, ``"error"``, ``"denied"`` or ``"cancelled"``.
        bytes: Size of the reply's binary and text content.
        error: The error's text, if it failed.
        waited: Seconds of these before it began: for an answer of ``on_tool_call`` or its turn.
    """

    tool: str
    arguments: Mapping[str, Any]
    seconds: float
    outcome: Literal["ok", "error", "denied", "cancelled"]
    bytes: int = 0
    error: str = ""
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a session.

    Attributes:
        name: Its name.
        type: Qualified name of its type.
        shape: Shape of an array or frame, else None.
        length: ``len()`` of it, else None.
        size: Bytes it takes, as far as can be told cheaply.
        preview: One line.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    length: int | None
    size: int
    preview: str


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """What one run returned and showed.

    Attributes:
        value: The last expression's value, exactly, or a ``RemoteValue``.
        stdout: What it printed, as a terminal would show it.
        stderr: The same for standard error.
        outputs: Everything shown, in order, streams and the error included.
        error: Why it failed, or None.
        tool_calls: Tools it called, in the order the calls ended.
        seconds: Wall time from sending the code to the last message.
        execution_count: IPython's number of the cell; 0 if it never ran.
        state_lost: The kernel was replaced: its variables are gone.
        truncated: What was cut, and where the whole of it is.
        new_variables: Names it added to the session.
    """

    value: Any = None
    stdout: str = ""
    stderr: str = ""
    outputs: list[Output] = field(default_factory=list)
    error: ErrorInfo | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    seconds: float = 0.0
    execution_count: int = 0
    state_lost: bool = False
    truncated: list[Cut] = field(default_factory=list)
    new_variables: list[str] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether the code ran to its end without an error."""
        return self.error is None

    def unwrap(self) -> Any:
        """Return the value.

        Raises:
            ExecutionError: The code failed.
            ExecutionTimeout: It ran into its time limit.
        """
        if self.error is None:
            return self.value
        kind = ExecutionTimeout if self.error.name == "ExecutionTimeout" else ExecutionError
        raise kind(self.error.text, self)

    @property
    def text(self) -> str:
        """What a model should read: output in order, the value, the error, what was cut."""
        parts = [output.text or _name_formats(output) for output in self.outputs]
        if self.error is not None and not self._error_is_shown():
            parts.append(self.error.text)
        if self.state_lost:
            parts.append("[the session was restarted: all variables are gone]")
        parts += [f"[cut: {cut}]" for cut in self.truncated]
        return "\n".join(part.rstrip("\n") for part in parts if part)

    def _error_is_shown(self) -> bool:
        """Whether the outputs tell the error; what ended the run from outside they do not."""
        shown = [output.text for output in self.outputs if output.kind == "error"]
        return self.error is not None and self.error.text in shown

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data; ``from_dict`` rebuilds an equal result."""
        value: dict[str, Any]
        if isinstance(self.value, RemoteValue):
            value = {"remote": asdict(self.value)}
        else:
            tree, buffers = encode(self.value)
            value = {"tree": tree, "buffers": [bytes(buffer).hex() for buffer in buffers]}
        return {
            "value": value,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "outputs": [output.to_dict() for output in self.outputs],
            "error": None if self.error is None else asdict(self.error),
            "tool_calls": [_call_to_dict(call) for call in self.tool_calls],
            "seconds": self.seconds,
            "execution_count": self.execution_count,
            "state_lost": self.state_lost,
            "truncated": [cut.to_dict() for cut in self.truncated],
            "new_variables": list(self.new_variables),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExecutionResult:
        """Rebuild a result from ``to_dict``'s data."""
        value = data["value"]
        error = data["error"]
        return cls(
            value=RemoteValue(**value["remote"])
            if "remote" in value
            else decode(value["tree"], [bytes.fromhex(text) for text in value["buffers"]]),
            stdout=data["stdout"],
            stderr=data["stderr"],
            outputs=[Output.from_dict(output) for output in data["outputs"]],
            error=None if error is None else ErrorInfo(**error),
            tool_calls=[_call_from_dict(call) for call in data["tool_calls"]],
            seconds=data["seconds"],
            execution_count=data["execution_count"],
            state_lost=data["state_lost"],
            truncated=[Cut.from_dict(cut) for cut in data["truncated"]],
            new_variables=list(data["new_variables"]),
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": self.text, "text/html": _to_html(self)}


def _call_to_dict(call: ToolCall) -> dict[str, Any]:
    tree, buffers = encode(dict(call.arguments))
    data = {name: getattr(call, name) for name in ToolCall.__dataclass_fields__}
    return {**data, "arguments": {"tree": tree, "buffers": [bytes(b).hex() for b in buffers]}}


def _call_from_dict(data: Mapping[str, Any]) -> ToolCall:
    packed = data["arguments"]
    arguments = decode(packed["tree"], [bytes.fromhex(text) for text in packed["buffers"]])
    return ToolCall(**{**data, "arguments": arguments})


def _name_formats(output: Output) -> str:
    return f"[{', '.join(output.data)}]" if output.data else ""


def _to_html(result: ExecutionResult) -> str:
    """Pictures as pictures, tables as tables, everything else as escaped text."""
    parts = []
    for output in result.outputs:
        if output.png is not None:
            # Encoded anew: what a kernel calls base64 may be anything.
            picture = base64.b64encode(output.png).decode()
            parts.append(f'<img src="data:image/png;base64,{picture}">')
        elif output.html is not None and output.kind != "stream":
            # A kernel's HTML is hostile: it goes into a frame without scripts or origin.
            inner = html.escape(output.html, quote=True)
            parts.append(f'<iframe sandbox srcdoc="{inner}" style="width:100%;border:0"></iframe>')
        elif output.text:
            parts.append(f"<pre>{html.escape(output.text)}</pre>")
    if result.error is not None and not result._error_is_shown():
        parts.append(f"<pre>{html.escape(result.error.text)}</pre>")
    if result.tool_calls:
        rows = "".join(
            f"<li><code>{html.escape(call.tool)}({html.escape(_short(call.arguments))})</code> "
            f"{html.escape(call.outcome)}, {call.seconds * 1000:.1f} ms</li>"
            for call in result.tool_calls
        )
        count = len(result.tool_calls)
        parts.append(f"<details><summary>{count} tool calls</summary><ul>{rows}</ul></details>")
    return "\n".join(parts)


def _short(arguments: Mapping[str, Any]) -> str:
    try:
        return ", ".join(f"{name}={value!r}" for name, value in arguments.items())[:200]
    except ValueError:  # an int with more digits than Python prints
        return "..."
