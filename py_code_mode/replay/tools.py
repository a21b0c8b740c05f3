"""Tools that answer out of a recording; none of them runs.

Place in the house: inside ``replay``, above ``recorded``. A real registry stands before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from py_code_mode.errors import ToolCallError
from py_code_mode.replay.recorded import RecordedCall, key_of
from py_code_mode.replay.report import Difference
from py_code_mode.tools.base import ToolInfo

__all__ = ["RecordedTools"]

_SHOWN = 500


class RecordedTools:
    """A ``ToolAdapter`` that gives each call of a cell the answer it had.

    Calls of one cell may come in another order than they were recorded in: they are told apart by
    tool and arguments, and the same call made again gets the next answer.

    Args:
        tools: What there was.
    """

    def __init__(self, tools: Sequence[ToolInfo]) -> None:
        self._tools = tools
        self._waiting: list[RecordedCall] = []
        self._unknown: list[RecordedCall] = []
        self._unanswered: list[RecordedCall] = []

    def begin(self, calls: Sequence[RecordedCall]) -> None:
        """A cell begins, which made these calls."""
        self._waiting, self._unknown, self._unanswered = [*calls], [], []

    def tools(self) -> Sequence[ToolInfo]:
        """Return what there was."""
        return self._tools

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Give the answer that is recorded.

        Raises:
            ToolError: What the tool raised when it was recorded.
            ToolCallError: The recording has no such call, or not its answer.
        """
        key = key_of(name, arguments)
        found = next((call for call in self._waiting if call.key == key), None)
        if found is None:
            self._unknown.append(RecordedCall(name, dict(arguments), "ok"))
            raise ToolCallError(
                f"replay: the recording of this cell has no further call of {name!r} with these "
                "arguments",
            )
        self._waiting.remove(found)
        if found.outcome == "cancelled" and found.reply is None:
            await asyncio.Event().wait()  # whoever cancelled it then does so again
        if found.reply is None:
            self._unanswered.append(found)
            raise ToolCallError(
                f"replay: the answer of {name!r} was not recorded: {found.left_out or 'no reason'}"
            )
        return found.reply.unwrap()

    async def aclose(self) -> None:
        """There is nothing to close."""

    def differences(self) -> Iterator[Difference]:
        """Tell how the calls since ``begin`` differ from those recorded."""
        unknown = [*self._unknown]
        known = {tool.name for tool in self._tools}
        for call in self._waiting:
            if call.tool not in known:
                continue  # a name of no tool: the registry refused it, then and now
            other = next((each for each in unknown if each.tool == call.tool), None)
            if other is None:
                yield Difference("call", _shown(call), "", "was not made")
            else:
                unknown.remove(other)
                yield Difference("call", _shown(call), _shown(other), "other arguments")
        for call in unknown:
            yield Difference("call", "", _shown(call), "was not made when this was recorded")
        for call in self._unanswered:
            yield Difference("call", _shown(call), _shown(call), call.left_out)


def _shown(call: RecordedCall) -> str:
    arguments = ", ".join(f"{name}={value!r:.{_SHOWN}}" for name, value in call.arguments.items())
    return f"{call.tool}({arguments})"
