"""What a kernel may ask of the host: one literal table, method -> coroutine.

Place in the house: middle layer, above tools, skills and artifacts; knows no kernel. Every
request is validated and bounded before anything acts on it, and this is the only place where
exceptions become failures. Tool calls go through ``toolcalls``, where they are governed, and
what is asked of skills through ``skillcalls``.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Failure, Method, Reply, Request
from py_code_mode.artifactcalls import ArtifactAnswers
from py_code_mode.artifacts.base import ArtifactStore
from py_code_mode.errors import PolicyError, ProtocolError
from py_code_mode.governance.budget import Budget
from py_code_mode.governance.governor import Governor
from py_code_mode.policy import Action, OnToolCall, Policy
from py_code_mode.replies import describe_tool, encoded
from py_code_mode.skillcalls import SkillAnswers
from py_code_mode.skills.library import SkillLibrary
from py_code_mode.toolcalls import Origin, ToolCaller, ToolSource

MAX_FAILURE = 1024 * 1024
"""Bytes of a failure's message and details."""

__all__ = ["Dispatcher", "Origin", "ToolSource"]


class Dispatcher:
    """Answers requests of kernels.

    Args:
        tools: The tools in scope.
        skills: The skill library.
        artifacts: The artifact store.
        limits: Bounds of requests and replies.
        policy: Asked before each tool and shell command; None allows.
        on_tool_call: Sees each tool call before it runs.
        budget: Bounds the number and the pace of tool calls.
    """

    def __init__(
        self,
        tools: ToolSource,
        skills: SkillLibrary,
        artifacts: ArtifactStore,
        *,
        limits: Limits,
        policy: Policy | None = None,
        on_tool_call: OnToolCall | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._tools = tools
        answers = SkillAnswers(skills)
        self._limits = limits
        self._governor = Governor(policy, on_tool_call, budget)
        self._caller = ToolCaller(tools, self._governor)
        self._table: dict[str, Callable[[Origin, Any], Awaitable[Any]]] = {
            Method.TOOLS_CALL: self._call_tool,
            Method.TOOLS_LIST: self._list_tools,
            Method.TOOLS_SEARCH: self._search_tools,
            Method.SKILLS_LIST: answers.list,
            Method.SKILLS_SEARCH: answers.search,
            Method.SKILLS_GET: answers.get,
            Method.SKILLS_CREATE: answers.create,
            Method.SKILLS_UPDATE: answers.update,
            Method.SKILLS_DELETE: answers.delete,
            Method.SKILLS_VERSIONS: answers.versions,
            Method.SKILLS_USED: answers.used,
            **ArtifactAnswers(artifacts, limits).table,
            Method.SHELL_CHECK: self._check_command,
        }

    async def handle(self, request: Request, origin: Origin) -> tuple[dict[str, Any], list[Buffer]]:
        """Answer one request, ready for the wire; only cancellation is raised."""
        try:
            work = self._table.get(request.method)
            if work is None:
                raise ProtocolError(f"unknown method {request.method!r:.80}")
            value = await work(origin, _validated(request))
            return encoded(Reply(request.id, value), self._limits)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - every failure is the caller's answer
            failed = Reply(request.id, failure=Failure.from_exception(error))
            return failed.to_wire(max_bytes=min(MAX_FAILURE, self._limits.reply_bytes))

    # Tools.

    async def _call_tool(self, origin: Origin, params: Any) -> Any:
        return await self._caller.call(origin, params.name, params.arguments)

    async def _list_tools(self, _: Origin, __: Any) -> list[dict[str, Any]]:
        return [describe_tool(info) for info in self._tools.list_tools()]

    async def _search_tools(self, _: Origin, params: Any) -> list[dict[str, Any]]:
        found = await asyncio.to_thread(self._tools.search, params.query, params.limit)
        return [describe_tool(info) for info in found]

    # The session.

    async def _check_command(self, origin: Origin, params: Any) -> None:
        words = params.command.split(maxsplit=1)
        name = words[0][:200] if words else ""
        action = Action("shell", name, {"command": params.command}, origin.session)
        decision = await self._governor.decide(action, origin.waiting)
        if not decision.allowed:
            why = decision.reason or "the session's policy does not allow it"
            raise PolicyError(f"the shell command was not run: {why}")


@functools.cache
def _models() -> dict[str, Any]:
    """Parameters of each method; pydantic loads with the first request, not with us."""
    from py_code_mode.requests import MODELS

    return MODELS


def _validated(request: Request) -> Any:
    from pydantic import ValidationError

    try:
        return _models()[request.method](**request.params)
    except ValidationError as error:
        wrong = [(map(str, each["loc"]), each["msg"]) for each in error.errors(include_url=False)]
        said = "; ".join(f"{'.'.join(where)}: {message}" for where, message in wrong)
        raise ProtocolError(f"{request.method}: {said:.500}") from error
    except TypeError as error:
        raise ProtocolError(f"{request.method}: {error!s:.500}") from error
