"""What a session is doing at the moment.

Place in the house: values layer, above ``results``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from py_code_mode.callrecord import ToolCall
from py_code_mode.jsonform import NUMBER, read_fields
from py_code_mode.stackframes import StackFrame

__all__ = ["OtherStack", "Peek"]


@dataclass(frozen=True, slots=True)
class OtherStack:
    """What a task or a thread beside the cell does.

    Attributes:
        name: ``"task ..."`` or ``"thread ..."``, with its name.
        stack: Its frames, outermost first.
    """

    name: str
    stack: tuple[StackFrame, ...]

    @classmethod
    def from_dict(cls, data: Any) -> OtherStack:
        """Rebuild from untrusted JSON data.

        Raises:
            ProtocolError: It is malformed.
        """
        found = read_fields("a stack", data, name=str, stack=(list, tuple))
        return cls(found["name"], tuple(map(StackFrame.from_dict, found["stack"])))


@dataclass(frozen=True, slots=True)
class Peek:
    """A look at a session, taken while its cell runs.

    Attributes:
        running: Whether a cell runs; if not, the rest is empty.
        code: The cell.
        origin: ``"agent"``, or ``"jupyter"`` for a person's cell.
        seconds: How long it has been running.
        stack: Its frames, outermost first, with the variables of the user's own code. For code
            that awaits: what it awaits.
        others: Tasks and threads of the user's code beside it.
        calls: Tool calls that have not ended; ``outcome`` is ``"running"``.
        stdout: The end of what it had printed a fifth of a second ago, at most 2,000 characters.
        stderr: The same of standard error.
        trace: The stack as plain text, where code in C keeps Python from running: then ``stack``
            is empty.
    """

    running: bool = False
    code: str = ""
    origin: str = "agent"
    seconds: float = 0.0
    stack: tuple[StackFrame, ...] = ()
    others: tuple[OtherStack, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    stdout: str = ""
    stderr: str = ""
    trace: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """All of it, for a person or a model."""
        if not self.running:
            return "no cell is running"
        whose = "a person's cell" if self.origin == "jupyter" else "a cell"
        parts = [f"{whose} has been running for {self.seconds:.1f} s"]
        parts += [self.trace] if self.trace else [f"at {frame}" for frame in self.stack]
        for other in self.others:
            parts += [f"{other.name}:", *(f"at {frame}" for frame in other.stack)]
        parts += [f"waits for {_call(call)}" for call in self.calls]
        said = (("stdout", self.stdout), ("stderr", self.stderr))
        parts += [f"{name}:\n{text.rstrip()}" for name, text in said if text.strip()]
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data; ``from_dict`` rebuilds an equal look."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **data,
            "stack": [asdict(frame) for frame in self.stack],
            "others": [asdict(other) for other in self.others],
            "calls": [call.to_dict() for call in self.calls],
        }

    @classmethod
    def from_dict(cls, data: Any) -> Peek:
        """Rebuild from untrusted JSON data.

        Raises:
            ProtocolError: It is malformed.
        """
        kinds: dict[str, Any] = dict.fromkeys(("code", "origin", "stdout", "stderr"), str)
        kinds |= dict.fromkeys(("stack", "others", "calls"), list)
        found = read_fields("a look", data, **kinds, running=bool, seconds=NUMBER, trace=str)
        return cls(
            **{
                **found,
                "stack": tuple(map(StackFrame.from_dict, found["stack"])),
                "others": tuple(map(OtherStack.from_dict, found["others"])),
                "calls": tuple(map(ToolCall.from_dict, found["calls"])),
            }
        )

    def __str__(self) -> str:
        return self.text


def _call(call: ToolCall) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return f"tools.{call.tool}({arguments:.200}), called {call.seconds:.1f} s ago"
