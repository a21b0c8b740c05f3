"""What is remembered of one call of a tool.

Place in the house: values layer, below ``results``, which have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from py_code_mode.errors import ProtocolError
from py_code_mode.jsonform import NUMBER, pack, read_fields, unpack

__all__ = ["ToolCall"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool during a run.

    Attributes:
        tool: Its full name.
        arguments: As they were used, also if a policy changed them; long ones are shortened.
        seconds: How long it took on the host.
        outcome: ``"ok"``, ``"error"``, ``"denied"`` or ``"cancelled"``; ``"running"`` for one that
            has not ended.
        bytes: Size of the reply's binary and text content.
        error: The error's text, if it failed.
        waited: Seconds of these before it began: for an answer of ``on_tool_call`` or its turn.
    """

    tool: str
    arguments: Mapping[str, Any]
    seconds: float
    outcome: Literal["ok", "error", "denied", "cancelled", "running"]
    bytes: int = 0
    error: str = ""
    waited: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data; ``from_dict`` rebuilds an equal call."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**data, "arguments": pack(dict(self.arguments))}

    @classmethod
    def from_dict(cls, data: Any) -> ToolCall:
        """Rebuild from untrusted JSON data.

        Raises:
            ProtocolError: It is malformed.
        """
        fields = read_fields("a tool call", data, **_CALL_FIELDS)
        arguments = unpack(fields["arguments"])
        if type(arguments) is not dict:
            raise ProtocolError("the arguments of a tool call must be a dict")
        return cls(**{**fields, "arguments": arguments})


_CALL_FIELDS: dict[str, type | tuple[type, ...]] = {
    "tool": str,
    "arguments": dict,
    "seconds": NUMBER,
    "outcome": str,
    "bytes": int,
    "error": str,
    "waited": NUMBER,
}
