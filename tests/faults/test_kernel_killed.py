"""A kernel is killed at every stage of its life: what is told, and that the next run works."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from py_code_mode import (
    CodeExecutor,
    KernelConfig,
    KernelDied,
    KernelError,
    KernelStartError,
    ToolRegistry,
)
from py_code_mode.kernel import template
from py_code_mode.kernel.line import Line
from py_code_mode.kernel.process import KernelProcess
from py_code_mode.kernel.provisioner import LocalKernelProvisioner
from tests.faults.conftest import kill, pid_of, works_again

KILL_ITSELF = "import os, signal\ndef end(*_): os.kill(os.getpid(), signal.SIGKILL)\n"


def _once(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, pid: Callable[[Any], int]
) -> None:
    """Let a method kill the kernel it is about to deal with, the first time it is called."""
    real, pending = getattr(owner, name), [True]

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if pending and pid(self):
            pending.clear()
            os.kill(pid(self), signal.SIGKILL)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, method)


def _launched(kernel: KernelProcess) -> int:
    return kernel.launched.pid


@pytest.mark.parametrize("stage", ["start", "bootstrap"])
async def test_killed_before_it_is_up(make, monkeypatch, stage):
    """A kernel killed while it starts is an error that says so, and the next run has another."""
    if stage == "start":
        _once(monkeypatch, LocalKernelProvisioner, "_watch", lambda provisioner: provisioner.pid)
    else:
        _once(monkeypatch, KernelProcess, "_hello", _launched)
    executor = await make()
    with pytest.raises(KernelStartError, match=r"SIGKILL|has ended"):
        await executor.run("1")
    assert (await executor.run("1 + 1")).value == 2


async def test_killed_while_idle(make):
    """The next run says that the variables are gone and runs nothing; the one after it works."""
    executor = await make()
    await executor.run("x = 1")
    kill(executor.default)
    result = await executor.run("print('ran')")
    assert (result.error.name, result.state_lost, result.stdout) == ("KernelDied", True, "")
    assert "SIGKILL" in result.error.message
    assert (await executor.run("'x' in dir()")).value is False


async def test_killed_while_it_is_asked(make, monkeypatch):
    """A question to a kernel that is killed meanwhile is an error that says so."""
    executor = await make()
    await executor.run("x = 1")
    _once(monkeypatch, KernelProcess, "query", _launched)
    with pytest.raises(KernelDied, match="SIGKILL"):
        await executor.default.variables()
    await works_again(executor.default)


async def test_killed_while_it_hears_of_new_tools(make, registry, monkeypatch):
    """A run whose kernel dies before the code was sent tells it as data, and has run nothing."""
    executor = await make(registry=registry)
    await executor.run("x = 1")

    def later() -> int:
        """Come later."""
        return 5

    registry.add(later)
    _once(monkeypatch, KernelProcess, "query", _launched)
    result = await executor.run("print('ran')")
    assert (result.error.name, result.state_lost, result.stdout) == ("KernelDied", True, "")
    assert (await executor.run("tools.later()")).value == 5


async def test_killed_in_a_cell(make):
    """What was printed before is in the result, which says how the kernel ended."""
    executor = await make()
    session = executor.default
    await session.start()
    async for event in (stream := session.stream("print('before', flush=True)\nwhile True: pass")):
        if getattr(event, "text", ""):
            kill(session)
        if hasattr(event, "result"):
            result = event.result
    await stream.aclose()
    assert (result.stdout, result.error.name, result.state_lost) == ("before\n", "KernelDied", True)
    assert (await session.run("1 + 1")).value == 2


@pytest.mark.parametrize("stage", ["call", "reply"])
async def test_killed_in_a_tool_call(make, monkeypatch, stage):
    """Killed while it waits for a tool, or as the answer leaves: the run says so."""
    tools, ended = ToolRegistry(), []
    executor: CodeExecutor

    async def act() -> bytes:
        """End the caller."""
        try:
            if stage == "call":
                kill(executor.default)
                await asyncio.sleep(60)
            return bytes(10_000_000)
        finally:
            ended.append(True)

    tools.add(act)
    executor = await make(registry=tools)
    await executor.default.start()
    if stage == "reply":
        _once(monkeypatch, KernelProcess, "reply", _launched)
    result = await executor.run("print('before')\ntools.act()\nprint('after')")
    assert (result.error.name, result.state_lost) == ("KernelDied", True)
    assert "after" not in result.stdout
    assert ended == [True]
    assert (await executor.run("1 + 1")).value == 2


@pytest.mark.parametrize("by", ["limit", "caller"])
async def test_killed_by_an_interrupt(make, by):
    """A kernel that an interrupt ends is told as dead, whether its limit or a person sent it."""
    executor = await make()
    session = executor.default
    code = (
        f"{KILL_ITSELF}signal.signal(signal.SIGINT, end)\nprint('on', flush=True)\nwhile True: pass"
    )
    started, results = time.monotonic(), []
    async for event in session.stream(code, timeout=0.5 if by == "limit" else 50):
        if by == "caller" and "on" in getattr(event, "text", ""):
            await session.interrupt()
        results += [event.result] if hasattr(event, "result") else []
    assert (results[0].error.name, results[0].state_lost) == ("KernelDied", True)
    assert time.monotonic() - started < 40
    assert (await session.run("1 + 1")).value == 2


@pytest.mark.parametrize("which", ["old", "new"])
async def test_killed_in_a_reset(make, monkeypatch, which):
    """A reset does not mind that the old kernel dies; of the new one's death it tells."""
    executor = await make()
    await executor.run("x = 1")
    if which == "old":
        _once(monkeypatch, KernelProcess, "close", _launched)
        await executor.default.reset()
    else:
        _once(monkeypatch, KernelProcess, "_hello", _launched)
        with pytest.raises(KernelStartError):
            await executor.default.reset()
    assert (await executor.run("'x' in dir()")).value is False


async def test_killed_in_a_fork(make, monkeypatch):
    """When a session's kernel dies in its fork, the fork fails and there is no branch."""
    executor = await make()
    session = executor.default
    await session.run("x = 1")
    pid = pid_of(session)
    _once(monkeypatch, Line, "branch", lambda _: pid)
    try:
        branch = await session.fork()
    except KernelError:
        assert await executor.sessions() == [session]
    else:  # it had forked before it died
        assert (await branch.run("x")).value == 1
    await works_again(session)


async def test_a_branch_killed_at_its_birth(make):
    """The fork fails, the session keeps its variables, and can be forked when the cause is gone."""
    executor = await make()
    session = executor.default
    code = "x, dies = 1, True\nos.register_at_fork(after_in_child=lambda: dies and end())"
    await session.run(f"{KILL_ITSELF}{code}")
    with pytest.raises(KernelError):
        await asyncio.wait_for(session.fork(), 40)
    assert await executor.sessions() == [session]
    assert (await session.run("dies = False\nx")).value == 1
    assert (await (await session.fork()).run("x")).value == 1


async def test_a_checkpoint_that_is_killed(make):
    """There is nothing to return to any more, which is an error; the session goes on as it was."""
    executor = await make()
    session = executor.default
    await session.run("x = 1")
    checkpoint = await session.checkpoint()
    os.kill(checkpoint.kernel.launched.pid, signal.SIGKILL)
    with pytest.raises(KernelError):
        await session.rollback(checkpoint)
    assert (await session.run("x")).value == 1


async def test_killed_while_it_is_closed(make, monkeypatch):
    """Closing a session whose kernel dies meanwhile ends, and at once."""
    executor = await make()
    await executor.run("x = 1")
    _once(monkeypatch, KernelProcess, "_end", _launched)
    async with asyncio.timeout(10):
        await executor.aclose()


def _kill_kernels() -> None:
    """Kill all kernels of this process, also those that are just being born."""
    spared = {each.pid for each in template._templates.values()}
    for child in psutil.Process().children(recursive=True):
        try:
            ours = any("kernel_bootstrap" in word for word in child.cmdline())
            if ours and child.pid not in spared:
                child.kill()
        except psutil.NoSuchProcess:
            continue


async def _live(executor: CodeExecutor) -> None:
    session = await executor.session()
    await session.run("x = 1\nprint('x')")
    await session.run("tools.echo(n=x)")
    branch = await session.fork()
    await branch.run("x += 1")
    await session.variables()
    await branch.aclose()
    await session.reset()
    await session.aclose()


MOMENTS = 16


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_killed_at_any_moment(make, registry):
    """Whatever a session does when its kernels die, it ends in our own errors, and then works."""
    # A template of its own: it may be replaced, when its newest child has died.
    kernel = KernelConfig(grace=0.5, env={"TEMPLATE": "of this test alone"})
    executor = await make(registry=registry, kernel=kernel)
    started = time.monotonic()
    await _live(executor)
    took = time.monotonic() - started
    loop = asyncio.get_running_loop()
    for moment in range(MOMENTS):
        timer = loop.call_later(took * moment / MOMENTS, _kill_kernels)
        try:
            async with asyncio.timeout(60):
                await _live(executor)
        except KernelError:  # told, and of our tree
            pass
        timer.cancel()
        for session in await executor.sessions():
            await works_again(session)
            await session.aclose()
