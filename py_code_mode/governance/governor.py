"""Asks everybody who has a say before a tool is called, in one order, in one place.

Place in the house: top of ``governance``; ``dispatch`` and ``toolcalls`` ask it. First the
budget, then the policy, then ``on_tool_call``, then the limits. Whoever fails has said no.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from py_code_mode.errors import ToolDeniedError
from py_code_mode.governance.budget import Budget, Spent
from py_code_mode.governance.gates import Gates, Waiting, passing
from py_code_mode.policy import ALLOW, Action, Decision, OnToolCall, Policy

__all__ = ["Governor"]

_log = logging.getLogger(__name__)

_NOBODY = "it needs approval, and there is nobody to ask (no on_tool_call, no approve)"
_NO_APPROVAL = "it needs approval, and was not approved"


class Governor:
    """Decides on every action of an executor's sessions.

    Args:
        policy: Asked before each tool and shell command; None allows.
        on_tool_call: Sees each tool call before it runs, and whatever a policy wants asked.
        budget: How many calls there are, and how fast they may come; None: no bounds.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        on_tool_call: OnToolCall | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._policy = policy
        self._on_tool_call = on_tool_call
        self._budget = budget or Budget()
        self._gates = Gates(self._budget.tool_limits)
        self._is_asked = policy is not None or on_tool_call is not None

    @property
    def has_say(self) -> bool:
        """Whether a call could be held up or refused, other than by a count."""
        return self._is_asked or bool(self._budget.tool_limits)

    def count(self, spent: Spent, name: str) -> None:
        """Count one call.

        Raises:
            ToolDeniedError: The budget is spent.
        """
        spent.count(self._budget, name)

    @contextlib.asynccontextmanager
    async def admitted(self, action: Action, waiting: Waiting) -> AsyncIterator[Mapping[str, Any]]:
        """Let a tool call go on, and know meanwhile that it runs.

        Args:
            action: The call.
            waiting: Entered while it waits: for an answer, or for its turn.

        Yields:
            The arguments to call with.

        Raises:
            ToolDeniedError: It may not go on; the message says who said so and why.
        """
        arguments = action.arguments
        decision = await self.decide(action, waiting)
        if not decision.allowed or decision.ask:
            why = decision.reason or "the session's policy does not allow it"
            raise ToolDeniedError(f"{action.name} was not run: {why}")
        if decision.arguments is not None:
            arguments = decision.arguments
        gates = self._gates.of(action.name)
        if not gates:
            yield arguments
            return
        async with passing(gates, action.name, waiting):
            yield arguments

    async def decide(self, action: Action, waiting: Waiting) -> Decision:
        """Ask the policy, then ``on_tool_call``; nothing but a cancellation is raised."""
        if not self._is_asked:
            return ALLOW
        with waiting():
            decision = ALLOW
            if self._policy is not None:
                decision = await _answer("the policy", self._policy.decide, action)
            if decision.ask or (decision.allowed and action.kind == "tool"):
                decision = await self._ask(action, decision)
            return decision

    async def _ask(self, action: Action, decision: Decision) -> Decision:
        """Ask ``on_tool_call`` about what the policy allows, or wants asked."""
        if self._on_tool_call is None:
            return _nobody_asked(decision) if decision.ask else decision
        if decision.arguments is not None:
            action = dataclasses.replace(action, arguments=decision.arguments)
        if decision.ask:
            action = dataclasses.replace(action, needs_approval=True, reason=decision.reason)
        verdict = await _answer("on_tool_call", self._on_tool_call, action)
        if isinstance(verdict, Decision):
            if verdict.ask:
                return _nobody_asked(verdict)
            arguments = decision.arguments if verdict.arguments is None else verdict.arguments
            return dataclasses.replace(verdict, arguments=arguments)
        if verdict is False or (verdict is None and decision.ask):
            reason = decision.reason or _NO_APPROVAL if decision.ask else ""
            return Decision(allowed=False, reason=reason)
        return dataclasses.replace(decision, allowed=True, ask=False)


def _nobody_asked(decision: Decision) -> Decision:
    reason = f"{_NOBODY}: {decision.reason}" if decision.reason else _NOBODY
    return Decision(allowed=False, reason=reason)


async def _answer(who: str, asked: Callable[[Action], Awaitable[Any]], action: Action) -> Any:
    """Return somebody's answer; whatever else comes of asking is a no, and in the log."""
    try:
        answer = await asked(action)
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # the call was cancelled; otherwise it is something of theirs that was
        # Not the error's text: it is the host's, and the agent reads this.
        reason = f"{who} failed ({type(error).__name__}), and what fails allows nothing"
        _log.exception("%s failed on %s %r", who, action.kind, action.name[:200])
        return Decision(allowed=False, reason=reason)
    if _is_answer(answer, is_policy=who == "the policy"):
        return answer
    _log.error("%s gave no answer on %s %r: %.200r", who, action.kind, action.name[:200], answer)
    return Decision(allowed=False, reason=f"{who} failed: it gave no valid answer")


def _is_answer(answer: Any, *, is_policy: bool) -> bool:
    if not isinstance(answer, Decision):
        return not is_policy and (answer is None or isinstance(answer, bool))
    allowed: Any = answer.allowed  # what is annotated is not what somebody wrote
    arguments: Any = answer.arguments
    if arguments is not None and not isinstance(arguments, Mapping):
        return False
    return isinstance(allowed, bool) and all(isinstance(key, str) for key in arguments or ())
