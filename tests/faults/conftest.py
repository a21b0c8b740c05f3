"""Faults are injected into real kernels of every kind, and afterwards nothing may be left."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from py_code_mode import CodeExecutor, KernelConfig, Session, ToolRegistry
from py_code_mode.kernel.template import Holds
from tests import leftovers
from tests.engine.conftest import CONFINED, WAYS

Make = Callable[..., Awaitable[CodeExecutor]]


@pytest.fixture(autouse=True)
def own_temporary_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Other programs on the machine may use this library too: look only at our own."""
    assert tmp_path.is_dir()  # the folder of all tests is not made in this one's
    with tempfile.TemporaryDirectory(prefix="t") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        yield short


@pytest.fixture(params=["template", "plain", "confined"])
def way(request: pytest.FixtureRequest) -> str:
    """How the test's kernels come to be."""
    return str(request.param)


@pytest.fixture
async def make(way: str, kept_templates: Holds) -> AsyncIterator[Make]:
    """Make executors; when they are closed, all that they have made must be gone."""
    made: list[CodeExecutor] = []

    async def make_one(**options: Any) -> CodeExecutor:
        config = options.pop("kernel", None) or KernelConfig(grace=0.5)
        config = dataclasses.replace(config, **(WAYS | CONFINED)[way])
        executor = CodeExecutor(kernel=config, **options)
        made.append(executor)
        return executor

    async with await make_one() as first:
        await first.run("1")  # what loads once, loads now
        await first.default.set_variable("large", bytes(1_000_000))
        current = first.default._cells.slot.current
        kept_templates.hold(None if current is None else current.template)
    before = leftovers.here()
    yield make_one
    for executor in made:
        await executor.aclose()
    await leftovers.nothing_more_than(before)


@pytest.fixture
def registry() -> ToolRegistry:
    """A tool that gives back what it gets."""

    async def echo(n: int) -> int:
        """Give it back."""
        return n

    tools = ToolRegistry()
    tools.add(echo)
    return tools


def pid_of(session: Session) -> int:
    """Number of the process of a session's kernel."""
    kernel = session._cells.slot.current
    assert kernel is not None
    return kernel.launched.pid


def kill(session: Session) -> None:
    """Kill the process of a session's kernel alone."""
    os.kill(pid_of(session), signal.SIGKILL)


async def stop(pid: int) -> None:
    """Stop a process, and wait until all its threads have stopped."""
    os.kill(pid, signal.SIGSTOP)
    while any(_state(thread) not in "TZ" for thread in Path(f"/proc/{pid}/task").iterdir()):
        await asyncio.sleep(0.001)


def _state(thread: Path) -> str:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0]


async def works_again(session: Session) -> None:
    """The next run may say what was lost; the one after it works."""
    first = await session.run("1 + 1")
    if not first.is_ok:
        assert first.error is not None
        assert (first.error.name, first.state_lost) == ("KernelDied", True)
        first = await session.run("1 + 1")
    assert first.value == 2
