"""AutoGen: a tool for its agents, and a code executor for its ``CodeExecutorAgent``.

Place in the house: an integration; needs ``pip install py-code-mode[autogen]``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

try:
    from autogen_core import CancellationToken
    from autogen_core.code_executor import CodeBlock, CodeResult
    from autogen_core.code_executor import CodeExecutor as AutoGenCodeExecutor
    from autogen_core.tools import BaseTool
except ImportError as error:  # pragma: no cover - the tests have it
    raise ImportError("AutoGen is not installed: pip install py-code-mode[autogen]") from error

from py_code_mode.integrations.functiontool import (
    DESCRIPTION,
    NAME,
    RunCodeArguments,
)
from py_code_mode.integrations.target import Target
from py_code_mode.parts import text_of
from py_code_mode.results import ExecutionResult
from py_code_mode.runner import Runner

__all__ = ["RunCodeTool", "SessionCodeExecutor", "create_run_code_tool"]

T = TypeVar("T")

PYTHON = {"", "python", "python3", "py", "ipython"}

FAILED, TIMED_OUT = 1, 124
"""Exit codes of a code block, as AutoGen's own executors have them."""


class RunCodeTool(BaseTool[RunCodeArguments, Any]):
    """The tool ``run_code`` of one session. Made by ``create_run_code_tool``.

    Code that fails is an answer the model reads. With ``session_url`` use it as an async context
    manager, or call ``aclose()`` when done: that ends the session it made on the server.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(RunCodeArguments, str, NAME, DESCRIPTION, strict=True)
        self._target = target

    async def run(self, args: RunCodeArguments, cancellation_token: CancellationToken) -> str:
        """Run the code; cancelling the token interrupts it.

        Raises:
            CodeModeError: The code could not be run: see ``Session.run``.
        """
        result = await _cancellable(self._target.run(args.code), cancellation_token)
        return _text_of(result)

    async def aclose(self) -> None:
        """Give back what the tool opened itself; an executor that was handed in stays open."""
        await self._target.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def create_run_code_tool(
    executor: Runner | None = None,
    session_url: str | None = None,
    token: str | None = None,
    timeout: float | None = 30.0,
    session_id: str | None = None,
) -> RunCodeTool:
    """Make the tool with which an AutoGen agent runs code, in one session that keeps its state.

    Args:
        executor: What runs the code: a ``CodeExecutor``, a ``Session`` or a ``SessionClient``.
        session_url: Or the address of a session server. Exactly one of the two.
        token: The server's bearer token.
        timeout: Seconds a call may take; None takes the default of the executor or server.
        session_id: The session to use: a name of the executor's, an id of the server's. None:
            the executor's default session; on a server a new one, which ``aclose`` ends.

    Raises:
        ConfigError: Neither or both of ``executor`` and ``session_url`` are given, or something
            that goes only with the other one.
    """
    return RunCodeTool(Target(executor, session_url, token, timeout, session_id))


class SessionCodeExecutor(AutoGenCodeExecutor):
    """An AutoGen code executor whose code blocks run one after another in one session.

    Unlike AutoGen's own, it keeps variables from block to block, and gives what the last line
    evaluates to without a ``print``. Its arguments are those of ``create_run_code_tool``.

    Raises:
        ConfigError: As ``create_run_code_tool``.
    """

    def __init__(
        self,
        executor: Runner | None = None,
        session_url: str | None = None,
        token: str | None = None,
        timeout: float | None = 60.0,
        session_id: str | None = None,
    ) -> None:
        self._target = Target(executor, session_url, token, timeout, session_id)

    async def start(self) -> None:
        """Reach the session and start its kernel; without this the first block does.

        Raises:
            CodeModeError: It cannot be reached, or its kernel does not start.
        """
        await (await self._target.open()).start()

    async def stop(self) -> None:
        """Give back what was opened here; an executor that was handed in stays open."""
        await self._target.aclose()

    async def restart(self) -> None:
        """Begin anew: all variables are gone."""
        await self._target.reset()

    async def execute_code_blocks(
        self, code_blocks: list[CodeBlock], cancellation_token: CancellationToken
    ) -> CodeResult:
        """Run blocks until one fails.

        Args:
            code_blocks: Blocks of Python; one in another language fails without being run.
            cancellation_token: Cancelling it interrupts the code.

        Returns:
            What they showed. The exit code is 0, 1 after an error, 124 after a time limit.

        Raises:
            CodeModeError: The code could not be run: see ``Session.run``.
        """
        shown: list[str] = []
        for block in code_blocks:
            if block.language.strip().lower() not in PYTHON:
                shown.append(
                    f"a block of {block.language!r} was not run: only Python is; for commands "
                    "write `!command` in a block of Python"
                )
                return CodeResult(FAILED, "\n".join(shown))
            result = await _cancellable(self._target.run(block.code), cancellation_token)
            shown += [_text_of(result)] if result.text else []
            if not result.is_ok:
                return CodeResult(_exit_code(result), "\n".join(shown))
        return CodeResult(0, "\n".join(shown))


def _text_of(result: ExecutionResult) -> str:
    return text_of(result.for_model(max_image_px=0))


def _exit_code(result: ExecutionResult) -> int:
    timed_out = result.error is not None and result.error.name == "ExecutionTimeout"
    return TIMED_OUT if timed_out else FAILED


async def _cancellable(coroutine: Coroutine[Any, Any, T], token: CancellationToken) -> T:
    """Wait for a coroutine, which the token cancels."""
    task = asyncio.ensure_future(coroutine)
    token.link_future(task)
    return await task
