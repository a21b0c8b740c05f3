"""What a cell asked of the host, kept as it was answered, so that it can be replayed.

Place in the house: values layer, above ``results``. Nothing is encoded for it: an answer is kept
in the bytes in which it went to the kernel, up to ``Limits.recorded_call_bytes``, and a cell's
answers together up to ``Limits.recorded_bytes``. What is more is named, not kept.

=================  =======================================================================
kept               of
=================  =======================================================================
calls of tools     arguments and answer, each call
skills that ran    how often; and the skill as it was before the cell, once
artifacts loaded   the artifact as it was before the cell, once
shell commands     those that were refused, with the reason
=================  =======================================================================

What code itself made, a skill or an artifact, is made again when it runs again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel_bootstrap.wire.codec import Buffer, encode
from kernel_bootstrap.wire.errors import ValueNotEncodableError
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Method, Request
from py_code_mode.results import ToolCall

__all__ = ["Answer", "Asked", "Recording"]

MAX_SKILLS = 1_000
"""Skills whose runs are remembered of one cell."""

MAX_NAME = 1_000
MAX_MADE = 10_000
MAX_LEFT_OUT = 100
MAX_REFUSED = 100

REFUSED_CHARS = 10_000
"""Characters of a refused command that is kept."""

_MAKES = {
    Method.SKILLS_CREATE: "skill",
    Method.SKILLS_UPDATE: "skill",
    Method.SKILLS_DELETE: "skill",
    Method.ARTIFACTS_SAVE: "artifact",
    Method.ARTIFACTS_BEGIN: "artifact",
    Method.ARTIFACTS_DELETE: "artifact",
}
_READS = {Method.SKILLS_GET: "skill", Method.ARTIFACTS_LOAD: "artifact"}

Thing = tuple[str, str]
"""``skill`` or ``artifact``, and its name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it went to the kernel.

    Attributes:
        content: The message's content, JSON.
        buffers: The buffers that went with it.
    """

    content: bytes
    buffers: tuple[Buffer, ...] = ()

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.content) + sum(memoryview(each).nbytes for each in self.buffers)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a tool as the code made it.

    Attributes:
        call: What is remembered of it.
        arguments: Tree and buffers of its arguments, where ``call`` has not all of them.
        answer: What it was answered; None: that is not kept.
        left_out: Why it is not.
        number: The kernel's number of the request: calls that were asked later have higher ones.
    """

    call: ToolCall
    arguments: tuple[Any, Sequence[Buffer]] | None = None
    answer: Answer | None = None
    left_out: str = ""
    number: int = 0


@dataclass(slots=True, eq=False)
class Recording:
    """What one cell asked of the host.

    Attributes:
        limits: Bounds of what is kept.
        asked: The calls of tools, in the order they ended.
        skills: How often which skill ran.
        things: Skills and artifacts as the cell found them.
        made: Skills and artifacts that the cell made, changed or deleted.
        left_out: Skills and artifacts that were not kept, and why.
        refused: Shell commands that were refused -> what the code was told.
        more_refused: Whether there were others, too many or too long to be kept.
        size: Bytes of what is kept.
    """

    limits: Limits
    asked: list[Asked] = field(default_factory=list)
    skills: dict[str, int] = field(default_factory=dict)
    things: dict[Thing, Answer] = field(default_factory=dict)
    made: set[Thing] = field(default_factory=set)
    left_out: dict[Thing, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    more_refused: bool = False
    size: int = 0
    _last: ToolCall | None = None

    def ended(self, call: ToolCall) -> None:
        """A call has ended; its answer follows at once, unless it was cancelled."""
        if call.outcome == "cancelled":
            self.asked.append(Asked(call, left_out="it was cancelled, so it had no answer"))
        else:
            self._last = call

    def answered(
        self, request: Request, data: Mapping[str, Any], content: bytes, buffers: Sequence[Buffer]
    ) -> None:
        """A request was answered.

        Args:
            request: What was asked; it has been validated, or else the answer is a failure.
            data: The reply.
            content: The message's content as it went to the kernel.
            buffers: Its buffers.
        """
        method, failure = request.method, data.get("failure")
        if method == Method.TOOLS_CALL:
            call, self._last = self._last or self._ended_otherwise(request), None
            if call is not None:
                self.asked.append(self._asked(call, request, Answer(content, tuple(buffers))))
        elif method == Method.SHELL_CHECK and failure is not None:
            self._refuse(request, failure["message"])
        elif failure is not None:
            return  # nothing was made, and there was nothing to be found
        elif method in _MAKES and len(self.made) < MAX_MADE:
            self.made.add((_MAKES[method], _name(request)))
        elif method in _READS:
            self._read((_READS[method], _name(request)), request, content, buffers)
        elif method == Method.ARTIFACTS_READ:
            self._leave_out(("artifact", _name(request)), "it is large, and was read in pieces")

    def _ended_otherwise(self, request: Request) -> ToolCall | None:
        """Return the call that only seemed to be cancelled: its tool wanted to end the program."""
        last = self.asked[-1] if self.asked else None
        if last is None or last.call.outcome != "cancelled" or last.call.tool != _name(request):
            return None
        return self.asked.pop().call

    def _refuse(self, request: Request, said: str) -> None:
        command = request.params.get("command")
        if (
            isinstance(command, str)
            and len(command) <= REFUSED_CHARS
            and len(self.refused) < MAX_REFUSED
        ):
            self.refused[command] = said
        else:
            self.more_refused = True

    def _asked(self, call: ToolCall, request: Request, answer: Answer) -> Asked:
        arguments, left_out = None, self._why_not(answer)
        given = request.params.get("arguments")
        if not left_out and not _same(call.arguments, given):  # shortened, or changed
            try:
                arguments = encode(given, max_bytes=self.limits.recorded_call_bytes)
            except ValueNotEncodableError:
                left_out = "its arguments are larger than Limits.recorded_call_bytes"
        if left_out:
            return Asked(call, left_out=left_out, number=request.id)
        self.size += answer.size
        return Asked(call, arguments, answer, number=request.id)

    def _why_not(self, answer: Answer) -> str:
        if not answer.content:
            return "the kernel was gone before it had its answer"
        size = answer.size
        most, all_ = self.limits.recorded_call_bytes, self.limits.recorded_bytes
        if size > most:
            return f"its answer has {size:,} bytes, more than {most:,} (Limits.recorded_call_bytes)"
        if self.size + size > all_:
            return f"all recorded answers have {all_:,} bytes together (Limits.recorded_bytes)"
        return ""

    def _read(
        self, thing: Thing, request: Request, content: bytes, buffers: Sequence[Buffer]
    ) -> None:
        if thing in self.made or thing in self.things or request.params.get("usage", False):
            return
        answer = Answer(content, tuple(buffers))
        why = self._why_not(answer)
        if why:
            self._leave_out(thing, why)
        else:
            self.things[thing] = answer
            self.size += answer.size

    def _leave_out(self, thing: Thing, why: str) -> None:
        if thing not in self.made and len(self.left_out) < MAX_LEFT_OUT:
            self.left_out.setdefault(thing, why)

    def ran(self, counts: Any) -> None:
        """Skills have run: name -> how often, how often in vain, seconds; not to be trusted."""
        if not isinstance(counts, Mapping):
            return
        for name, row in counts.items():
            runs = row[0] if isinstance(row, list | tuple) and row else None
            if type(name) is not str or type(runs) is not int or runs <= 0:
                continue
            if name in self.skills or (len(name) <= MAX_NAME and len(self.skills) < MAX_SKILLS):
                self.skills[name] = min(self.skills.get(name, 0) + runs, 1 << 31)

    def forget(self, why: str) -> None:
        """Keep no answers any more, only what was asked."""
        self.asked = [
            Asked(each.call, left_out=each.left_out or why, number=each.number)
            for each in self.asked
        ]
        for thing in self.things:
            self._leave_out(thing, why)
        self.things, self.size = {}, 0


def _same(shown: Mapping[str, Any], given: Any) -> bool:
    """Whether what is shown of arguments is all of them; arrays do not say if they are equal."""
    try:
        return bool(shown == given)
    except Exception:  # noqa: BLE001 - whatever comparing raises, they are not plainly the same
        return False


def _name(request: Request) -> str:
    name = request.params.get("name")
    return name[:MAX_NAME] if isinstance(name, str) else ""
