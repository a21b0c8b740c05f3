"""Closing, and going away, during everything: all ends in time, and nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from py_code_mode import CodeExecutor, CodeModeError, KernelConfig, Session, ToolRegistry
from tests.faults.conftest import works_again

BOUND = 40.0
"""Seconds in which everything here has ended, on a loaded machine."""

LONG = "import time\nprint('on', flush=True)\ntime.sleep(60)"


async def _checkpoint_and_rollback(session: Session) -> None:
    checkpoint = await session.checkpoint()
    await session.rollback(checkpoint)


async def _stream(session: Session) -> None:
    async for _ in session.stream(LONG):
        pass


async def _fork_and_run(session: Session) -> None:
    branch = await session.fork("branch")
    await branch.run("x")


ACTIONS: dict[str, Callable[[Session], Awaitable[Any]]] = {
    "a start": lambda session: session.start(),
    "a cell": lambda session: session.run(LONG),
    "a stream": _stream,
    "queued cells": lambda session: asyncio.gather(*(session.run(LONG) for _ in range(3))),
    "tool calls": lambda session: session.run(
        "import asyncio\nawait asyncio.gather(*(tools.nap.acall(seconds=60) for _ in range(5)))"
    ),
    "a question": lambda session: session.variables(),
    "a fork": _fork_and_run,
    "a checkpoint": _checkpoint_and_rollback,
    "trials": lambda session: session.try_each(["x", "y = 1", LONG]),
    "a reset": lambda session: session.reset(),
    "saving an artifact": lambda session: session.run("artifacts.save('a', b'x' * 5_000_000)"),
    "large output": lambda session: session.run("print('x' * 20_000_000)"),
    "another close": lambda session: session.aclose(),
}

TURNS = (0, 4, 40)
"""How many turns of the event loop an action gets first; most take some hundred."""


@pytest.fixture(params=["template", "confined"])
def way(request: pytest.FixtureRequest) -> str:
    """How the test's kernels come to be: those that start fast, as all is done many times."""
    return str(request.param)


@pytest.fixture
def napping() -> ToolRegistry:
    """A tool that takes its time."""

    async def nap(seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)

    tools = ToolRegistry()
    tools.add(nap)
    return tools


async def _begin(session: Session, action: str, turns: int) -> asyncio.Task[Any]:
    if action != "a start":
        await session.run("x = 1")
    task = asyncio.ensure_future(ACTIONS[action](session))
    for _ in range(turns):
        await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("closes", ["session", "executor"])
async def test_closing_meanwhile(make, napping, action, closes):
    """Closing a session or its executor ends what goes on, in a result or an error of ours."""
    executor: CodeExecutor = await make(registry=napping)
    for turns in TURNS:
        session = await executor.session() if closes == "session" else executor.default
        task = await _begin(session, action, turns)
        async with asyncio.timeout(BOUND):
            await (session if closes == "session" else executor).aclose()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert not isinstance(outcome, BaseException) or isinstance(outcome, CodeModeError)
        if closes == "executor":
            executor = await make(registry=napping)
    for session in await executor.sessions():
        await session.aclose()


@pytest.mark.parametrize("action", ACTIONS)
async def test_going_away_meanwhile(make, napping, action):
    """Whoever waits for something can be cancelled at any time; the session can be used on."""
    executor = await make(registry=napping, kernel=KernelConfig(grace=0.5))
    for turns in TURNS:
        session = await executor.session()
        task = await _begin(session, action, turns)
        task.cancel()
        async with asyncio.timeout(BOUND):
            await asyncio.wait({task})
            if action != "another close":
                await works_again(session)
        for each in await executor.sessions():
            await each.aclose()
