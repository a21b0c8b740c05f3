"""What a run returns.

Place in the house: values layer. Everything is frozen and plain: a result can be logged,
sent as JSON and shown in a notebook.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.limits import Cut
from py_code_mode.callrecord import ToolCall
from py_code_mode.errors import ExecutionError, ExecutionTimeout, ProtocolError
from py_code_mode.jsonform import NUMBER, pack, read_fields, unpack
from py_code_mode.outputs import Output, OutputKind, RemoteValue, plain_text
from py_code_mode.resultpage import to_html
from py_code_mode.stackframes import StackFrame, Variable

if TYPE_CHECKING:
    from py_code_mode.parts import ContentPart
    from py_code_mode.recording import Recording

__all__ = [
    "Cut",
    "ErrorInfo",
    "ExecutionResult",
    "Output",
    "OutputKind",
    "RemoteValue",
    "StackFrame",
    "ToolCall",
    "Variable",
    "value_from_dict",
    "value_to_dict",
]


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """Why code failed.

    Attributes:
        name: Name of the exception's type: ``"NameError"``, ``"ExecutionTimeout"``, ...
        message: Its message.
        traceback: The traceback as IPython shows it, without ANSI codes; may be empty.
        frame: The innermost frame of the user's own code, with its variables; None if no such
            code failed, or if it is not known.
    """

    name: str
    message: str
    traceback: str = ""
    frame: StackFrame | None = None

    @property
    def locals(self) -> list[Variable]:
        """Variables of the frame that failed; secrets are hidden in their previews."""
        return [] if self.frame is None else list(self.frame.locals)

    @property
    def text(self) -> str:
        """The traceback, or ``name: message`` where there is none."""
        return self.traceback or str(self)

    @classmethod
    def from_dict(cls, data: Any) -> ErrorInfo:
        """Rebuild from untrusted JSON data.

        Raises:
            ProtocolError: It is malformed.
        """
        fields = read_fields("an error", data, name=str, message=str, traceback=str)
        # Earlier versions knew no frames.
        frame = data.get("frame")
        return cls(**fields, frame=None if frame is None else StackFrame.from_dict(frame))

    def __contains__(self, needle: str) -> bool:
        return needle in str(self) or needle in self.traceback

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


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
        recording: What it asked of the host and was answered, for the transcript; None where that
            is not known, as on the other side of a server.
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
    recording: Recording | None = field(default=None, repr=False, compare=False)

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
        """All that was said: output in order, the value, the error, what was cut.

        It may be long, and has no pictures: ``for_model`` keeps to a budget.
        """
        parts = [
            plain_text(output.text or "") or plain_text(_name_formats(output))
            for output in self.outputs
        ]
        if self.error is not None and not self.error_is_shown():
            parts.append(plain_text(self.error.text))
        if self.state_lost:
            parts.append("[the session was restarted: all variables are gone]")
        parts += [plain_text(f"[cut: {cut}]") for cut in self.truncated]
        return "\n".join(part.rstrip("\n") for part in parts if part)

    def for_model(
        self, *, max_tokens: int = 10_000, max_image_px: int = 1_024, table_rows: int = 5
    ) -> list[ContentPart]:
        """Return what a model should get: text and pictures, in order, within a budget.

        Tables are their columns, types, size and first rows, charts what they draw; long text
        loses its middle, and says so. Pictures are scaled down (with Pillow) and checked.

        Args:
            max_tokens: For all parts together, as ``py_code_mode.tokens`` and
                ``py_code_mode.parts`` estimate them; at least 200. It is never exceeded.
            max_image_px: The longest side of a picture, in pixels; 0 leaves pictures out.
            table_rows: A longer table is reduced to its schema and so many rows.

        Raises:
            ValueError: An argument is out of its range.
        """
        from py_code_mode.formodel import to_parts

        return to_parts(
            self, max_tokens=max_tokens, max_image_px=max_image_px, table_rows=table_rows
        )

    def error_is_shown(self) -> bool:
        """Whether the outputs tell the error; what ended the run from outside they do not."""
        shown = [output.text for output in self.outputs if output.kind == "error"]
        return self.error is not None and self.error.text in shown

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data; ``from_dict`` rebuilds an equal result."""
        return {
            "value": value_to_dict(self.value),
            "stdout": self.stdout,
            "stderr": self.stderr,
            "outputs": [output.to_dict() for output in self.outputs],
            "error": None if self.error is None else asdict(self.error),
            "tool_calls": [call.to_dict() for call in self.tool_calls],
            "seconds": self.seconds,
            "execution_count": self.execution_count,
            "state_lost": self.state_lost,
            "truncated": [cut.to_dict() for cut in self.truncated],
            "new_variables": list(self.new_variables),
        }

    @classmethod
    def from_dict(cls, data: Any) -> ExecutionResult:
        """Rebuild a result from ``to_dict``'s data, which may come from anywhere.

        Raises:
            ProtocolError: It is malformed.
        """
        fields = read_fields("a result", data, **_RESULT_FIELDS)
        error, names = fields["error"], fields["new_variables"]
        if not all(isinstance(name, str) for name in names):
            raise ProtocolError("new_variables of a result must be strings")
        return cls(
            **{
                **fields,
                "value": value_from_dict(fields["value"]),
                "outputs": [Output.from_dict(output) for output in fields["outputs"]],
                "error": None if error is None else ErrorInfo.from_dict(error),
                "tool_calls": [ToolCall.from_dict(call) for call in fields["tool_calls"]],
                "truncated": [Cut.from_dict(cut) for cut in fields["truncated"]],
                "new_variables": [*names],
            }
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": self.text, "text/html": to_html(self)}


_RESULT_FIELDS: dict[str, type | tuple[type, ...]] = {
    "value": dict,
    "stdout": str,
    "stderr": str,
    "outputs": list,
    "error": (dict, type(None)),
    "tool_calls": list,
    "seconds": NUMBER,
    "execution_count": int,
    "state_lost": bool,
    "truncated": list,
    "new_variables": list,
}


def value_to_dict(value: Any) -> dict[str, Any]:
    """Return a value, or a ``RemoteValue``, as JSON data.

    Raises:
        ValueNotEncodableError: Something in it cannot cross.
    """
    return {"remote": asdict(value)} if isinstance(value, RemoteValue) else pack(value)


def value_from_dict(data: Any) -> Any:
    """Return the value that ``value_to_dict`` made the data of, which may come from anywhere.

    Raises:
        ProtocolError: It is malformed.
    """
    if isinstance(data, dict) and "remote" in data:
        return RemoteValue.from_dict(data["remote"])
    return unpack(data)


def _name_formats(output: Output) -> str:
    return f"[{', '.join(output.data)}]" if output.data else ""
