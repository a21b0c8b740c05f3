"""Look at a cell while it runs.

Place in the house: executor layer, beside ``calls``, below ``cellqueue``. The kernel is asked on
its control channel, where it answers while it works; no code of the user's runs for that.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.messages import Query
from py_code_mode.errors import CodeModeError
from py_code_mode.peek import OtherStack, Peek
from py_code_mode.results import ExecutionResult, ToolCall
from py_code_mode.secrets import Secrets
from py_code_mode.stackframes import MAX_FRAMES, StackFrame, hide_in_frame, read_frames

if TYPE_CHECKING:
    from py_code_mode.kernel.execution import Execution
    from py_code_mode.kernel.process import KernelProcess

__all__ = ["look_at", "without_secrets"]

ANSWER_SECONDS = 2.0
"""How long a kernel may take to answer; it cannot while code in C keeps the interpreter."""

MAX_PRINTED = 2_000
MAX_NAME = 200


async def look_at(
    kernel: KernelProcess, execution: Execution, calls: Sequence[ToolCall], secrets: Secrets
) -> Peek:
    """Look at a cell.

    Args:
        kernel: Where it runs.
        execution: Its story so far.
        calls: Its tool calls in flight.
        secrets: What must not be seen.
    """
    answer, trace = await _ask(kernel)
    others = answer.get("others")
    printed = {name: execution.transcript.printed(name) for name in ("stdout", "stderr")}
    return Peek(
        running=True,
        stack=_hidden(read_frames(answer.get("stack")), secrets),
        others=tuple(
            OtherStack(_name(other), _hidden(read_frames(other.get("stack")), secrets))
            for other in (others[:MAX_FRAMES] if isinstance(others, list) else [])
            if isinstance(other, dict)
        ),
        calls=tuple(
            dataclasses.replace(call, arguments=secrets.redact(dict(call.arguments)))
            for call in calls
        ),
        trace=secrets.redact(trace),
        **{name: secrets.redact(text)[-MAX_PRINTED:] for name, text in printed.items()},
    )


async def _ask(kernel: KernelProcess) -> tuple[dict[str, Any], str]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await kernel.query(Query.PEEK)
    except TimeoutError:
        return {}, await kernel.stack()
    except CodeModeError:  # it has ended: there is no stack any more
        answer = None
    return answer if isinstance(answer, dict) else {}, ""


def _name(other: dict[str, Any]) -> str:
    name = other.get("name")
    return name[:MAX_NAME] if isinstance(name, str) else ""


def _hidden(stack: tuple[StackFrame, ...], secrets: Secrets) -> tuple[StackFrame, ...]:
    return tuple(hide_in_frame(frame, secrets.redact_preview) for frame in stack)


def without_secrets(result: ExecutionResult, secrets: Secrets) -> ExecutionResult:
    """Return a result whose error shows variables without secrets."""
    error = result.error
    if error is None or error.frame is None:
        return result
    frame = hide_in_frame(error.frame, secrets.redact_preview)
    return dataclasses.replace(result, error=dataclasses.replace(error, frame=frame))
