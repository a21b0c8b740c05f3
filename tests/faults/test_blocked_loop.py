"""The host's event loop is blocked, by a tool that should not: late, but all is right."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from py_code_mode import CodeExecutor, KernelConfig, ToolRegistry
from tests.faults.conftest import kill

SECONDS = 2.0


@pytest.fixture
async def executor(make) -> CodeExecutor:
    """It has a tool that blocks the loop."""

    async def block(seconds: float) -> str:
        """Block whoever waits."""
        time.sleep(seconds)
        return "done"

    tools = ToolRegistry()
    tools.add(block)
    return await make(registry=tools, kernel=KernelConfig(grace=5.0))


async def test_other_sessions_are_late_and_right(executor):
    """What kernels printed and returned meanwhile is all there, in order, in the right result."""
    other = await executor.session()
    await asyncio.gather(executor.default.start(), other.start())
    code = "for n in range(20_000): print(n)\nn"
    flood = asyncio.create_task(other.run(code))
    blocked = await executor.run(f"tools.block(seconds={SECONDS})")
    result = await flood
    assert blocked.value == "done"
    assert (result.value, result.error) == (19_999, None)
    assert result.stdout.startswith("0\n1\n2\n")
    assert result.stdout.endswith("19998\n19999\n")


async def test_a_limit_that_is_seen_late(executor):
    """A cell that ran into its limit meanwhile ends by it, not by what it would have come to."""
    other = await executor.session()
    await asyncio.gather(executor.default.start(), other.start())
    slow = asyncio.create_task(other.run("import time\ntime.sleep(60)", timeout=0.5))
    assert (await executor.run(f"tools.block(seconds={SECONDS})")).value == "done"
    result = await slow
    assert (result.error.name, result.state_lost) == ("ExecutionTimeout", False)
    assert (await other.run("1 + 1")).value == 2


async def test_a_kernel_that_dies_meanwhile(executor):
    """Its death is told as soon as somebody listens again; the other session notices nothing."""
    other = await executor.session()
    await asyncio.gather(executor.default.start(), other.start())
    slow = asyncio.create_task(other.run("import time\ntime.sleep(60)"))
    killer = threading.Timer(SECONDS / 2, kill, [other])
    killer.start()
    assert (await executor.run(f"tools.block(seconds={SECONDS})")).value == "done"
    result = await asyncio.wait_for(slow, 10)
    killer.join()
    assert (result.error.name, result.state_lost) == ("KernelDied", True)
    assert (await other.run("1 + 1")).value == 2


async def test_the_code_that_called_is_interrupted_late(executor):
    """The call itself counts: its own cell is over its limit when the loop is free again."""
    await executor.default.start()
    started = time.monotonic()
    # The answer is on its way by then, too, and short code behind it may be through first.
    code = f"tools.block(seconds={SECONDS})\nimport time\ntime.sleep(60)"
    result = await executor.run(code, timeout=0.5)
    assert SECONDS <= time.monotonic() - started < 30
    assert result.error.name == "ExecutionTimeout"
    assert (await executor.run("1 + 1")).value == 2
