"""Tools that a server runs as tasks only: started, asked after, and their results fetched.

Place in the house: ``tools.mcp``, below ``connection``; loaded on use, with the SDK.

Source: the protocol's revision 2025-11-25, where tasks are an experiment. The SDK has their
messages, but no calls for them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

__all__ = ["call_as_task", "is_task"]

_POLL = (0.05, 5.0)  # seconds between two questions: at least and at most, whatever is asked for
_UNSAID = 0.5  # where nothing is asked for
_GOODBYE = 1.0  # seconds for telling the server that nobody waits any more

Progressed = Callable[[float, float | None, str | None], Awaitable[None]]


def is_task(tool: types.Tool) -> bool:
    """Tell whether a tool can be called as a task only."""
    return tool.execution is not None and tool.execution.task_support == "required"


async def call_as_task(
    session: ClientSession,
    tool: str,
    arguments: dict[str, Any],
    on_progress: Progressed | None,
) -> types.CallToolResult:
    """Call a tool as a task and wait for its end; cancelling this cancels the task.

    Args:
        session: The open session.
        tool: What the server calls the tool.
        arguments: Its arguments.
        on_progress: Told of each new state: their number so far, and what the server says of it.

    Raises:
        MCPError: The server refused, or the task failed.
        ValueError: The server's answers are none.
    """
    task = await _started(session, tool, arguments)
    try:
        await _ended(session, task, on_progress)
        wanted = types.GetTaskPayloadRequestParams(task_id=task.task_id)
        return await session.send_request(
            types.GetTaskPayloadRequest(params=wanted), types.CallToolResult
        )
    except asyncio.CancelledError:
        gone = types.CancelTaskRequest(params=types.CancelTaskRequestParams(task_id=task.task_id))
        with contextlib.suppress(MCPError, OSError, ValueError, TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await session.send_request(gone, types.CancelTaskResult)
        raise


async def _started(session: ClientSession, tool: str, arguments: dict[str, Any]) -> types.Task:
    params = types.CallToolRequestParams(
        name=tool, arguments=arguments, task=types.TaskMetadata(ttl=None)
    )
    request = types.CallToolRequest(params=params)
    try:
        created = await session.send_request(request, types.CreateTaskResult)
    except ValidationError as error:
        # The SDK knows only results of calls here, and complains of what the server did say.
        raw = error.errors()[0]["input"]
        if not isinstance(raw, Mapping) or "task" not in raw:
            raise
        created = types.CreateTaskResult.model_validate(raw, by_name=False)
    return created.task


async def _ended(session: ClientSession, task: types.Task, on_progress: Progressed | None) -> None:
    """Wait until a task no longer works."""
    asked = types.GetTaskRequest(params=types.GetTaskRequestParams(task_id=task.task_id))
    said: list[str] = []
    while task.status == "working":
        text = task.status_message or ""
        if on_progress is not None and text and said[-1:] != [text]:
            said.append(text)
            await on_progress(len(said), None, text)
        pause = _UNSAID if task.poll_interval is None else task.poll_interval / 1_000
        await asyncio.sleep(min(max(pause, _POLL[0]), _POLL[1]))
        task = await session.send_request(asked, types.GetTaskResult)
