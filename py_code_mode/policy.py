"""The seam where a session's owner says what its code may do.

Place in the house: values layer. A policy is asked on the host before a tool runs and before
the kernel's shell magics do. For tools that is a boundary; for shell commands it is advice to
honest code, because a hostile kernel can start processes without asking: confine those with
the kernel's sandbox, not here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["ALLOW", "Action", "Decision", "OnToolCall", "Policy", "Verdict"]


@dataclass(frozen=True, slots=True)
class Action:
    """What the code wants to do.

    Attributes:
        kind: ``"tool"`` or ``"shell"``.
        name: The tool's full name; for a shell command its first word.
        arguments: The tool's arguments; for a shell command ``{"command": ...}``.
        session: Name of the session.
        tags: The tool's tags.
        needs_approval: A rule says that somebody must approve: ``on_tool_call`` has to answer
            yes, and None means no.
        reason: Why, in that rule's words.
    """

    kind: Literal["tool", "shell"]
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    tags: frozenset[str] = frozenset()
    needs_approval: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an action may go on.

    Attributes:
        allowed: Yes or no.
        reason: Shown to the agent when the answer is no.
        arguments: Arguments to use instead of the asked ones; None keeps them.
        ask: Not yet: ``on_tool_call`` decides, and without one the answer is no. Only a
            policy may say so, and ``allowed`` is False then.
    """

    allowed: bool
    reason: str = ""
    arguments: Mapping[str, Any] | None = None
    ask: bool = False


ALLOW = Decision(allowed=True)

Verdict = Decision | bool | None
"""What ``on_tool_call`` may answer: None and True allow, False denies. See ``Action`` for None."""

OnToolCall = Callable[[Action], Awaitable[Verdict]]
"""Sees each tool call before it runs; may allow, deny with a reason, or change arguments."""


class Policy(Protocol):
    """Decides on actions. Implementations must be quick or truly asynchronous."""

    async def decide(self, action: Action) -> Decision:
        """Return whether ``action`` may go on."""
        ...
