"""Tools that answer out of a recording; none of them runs.

Place in the house: inside ``replay``, above ``recorded``. A real registry stands before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from py_code_mode.errors import ToolCallError
from py_code_mode.replay.recorded import RecordedCall, key_of
from py_code_mode.replay.report import Difference
from py_code_mode.tools.base import ToolInfo

__all__ = ["RecordedTools"]

_SHOWN = 500

_APART_SECONDS = 0.02
"""Between two answers that the code waits for at once."""

_TURN_SECONDS = 2.0
"""How long an answer is kept back for others that came before it."""


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
        self._is_stopped = False
        self._order: list[RecordedCall] = []
        self._ended: dict[int, asyncio.Event] = {}
        self._given: set[int] = set()

    def begin(self, calls: Sequence[RecordedCall], *, is_stopped: bool = False) -> None:
        """A cell begins, which made these calls.

        Args:
            calls: They, in the order in which they ended.
            is_stopped: Whether it was stopped in their midst: how far it comes is chance.
        """
        self._waiting, self._unknown, self._unanswered = [*calls], [], []
        self._is_stopped = is_stopped
        self._ended = {id(call): asyncio.Event() for call in calls if call.reply is not None}
        self._order = [call for call in calls if call.reply is not None]
        self._given = set()

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
        # The same call made several times: the first one asked had the first one's answer.
        same = (call for call in self._waiting if call.key == key)
        found = min(same, key=lambda call: call.number, default=None)
        if found is None and self._is_stopped:
            await asyncio.Event().wait()  # until it is stopped again
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
        await self._turn(found)
        return found.reply.unwrap()

    async def _turn(self, call: RecordedCall) -> None:
        """Wait until what was answered before this call, though asked beside it, is answered."""
        before = self._order[: self._order.index(call)]
        waits = [self._ended[id(each)] for each in before if id(each) not in self._given]
        with suppress(TimeoutError):  # the code asks in another way now
            async with asyncio.timeout(_TURN_SECONDS):
                for each in waits:
                    await each.wait()
        self._given.add(id(call))
        # Those that wait go on when the kernel has this answer.
        asyncio.get_running_loop().call_later(_APART_SECONDS, self._ended[id(call)].set)

    async def aclose(self) -> None:
        """There is nothing to close."""

    def differences(self) -> Iterator[Difference]:
        """Tell how the calls since ``begin`` differ from those recorded."""
        if self._is_stopped:
            return
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
