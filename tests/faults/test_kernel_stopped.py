"""Kernels that are stopped (SIGSTOP), or slow: nothing hangs, and what they wake to is right."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from py_code_mode import KernelConfig, KernelDied, KernelStartError, KernelUnresponsive, Session
from py_code_mode.kernel import template
from py_code_mode.kernel.provisioner import LocalKernelProvisioner
from tests.faults.conftest import pid_of, stop, works_again

BOUND = 20.0
"""Seconds in which everything here has ended, on a loaded machine."""

IMPATIENT = KernelConfig(grace=0.5, answer_timeout=1.0)


@pytest.fixture
async def session(make) -> Session:
    """A session with a variable, whose kernel is given a second to answer."""
    executor = await make(kernel=IMPATIENT)
    await executor.run("x = 1")
    return executor.default


async def test_a_run_on_a_stopped_kernel_ends_at_its_limit(session):
    """It gets a new kernel then, and says that the variables are gone."""
    await stop(pid_of(session))
    async with asyncio.timeout(BOUND):
        result = await session.run("x", timeout=0.5)
    assert (result.error.name, result.state_lost) == ("ExecutionTimeout", True)
    assert (await session.run("'x' in dir()")).value is False


async def test_stopped_in_a_cell(session):
    """What was printed before is kept; the limit ends it as it ends what hears no interrupt."""
    code = "import os, signal\nprint('before', flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)"
    async with asyncio.timeout(BOUND):
        result = await session.run(code, timeout=0.5)
    assert result.stdout == "before\n"
    assert (result.error.name, result.state_lost) == ("ExecutionTimeout", True)
    assert (await session.run("1 + 1")).value == 2


async def test_a_stopped_kernel_that_goes_on_has_lost_nothing(session):
    """Stopped in the middle of a cell for a while, it ends the cell as if nothing had been."""
    task = asyncio.create_task(session.run("import time\nfor n in range(5): time.sleep(0.1)\nn, x"))
    await session.peek()
    await stop(pid_of(session))
    done, _ = await asyncio.wait({task}, timeout=1)
    assert not done
    os.kill(pid_of(session), signal.SIGCONT)
    assert (await task).value == (4, 1)


@pytest.mark.parametrize("ask", ["variables", "get_variable", "set_variable", "fork", "checkpoint"])
async def test_what_a_stopped_kernel_is_asked(session, ask):
    """An error says that it does not answer; when it goes on it has its variables still."""
    args = {"get_variable": ("x",), "set_variable": ("y", 1)}.get(ask, ())
    await stop(pid_of(session))
    with pytest.raises(KernelUnresponsive, match=r"not answered for 1 s.*reset"):
        await asyncio.wait_for(getattr(session, ask)(*args), BOUND)
    os.kill(pid_of(session), signal.SIGCONT)
    assert (await session.run("x")).value == 1


async def test_a_fork_that_was_given_up_is_no_later_ones(session):
    """The branch that a woken kernel makes too late is let go; the next fork is of the state now."""
    await stop(pid_of(session))
    with pytest.raises(KernelUnresponsive):
        await session.fork()
    os.kill(pid_of(session), signal.SIGCONT)
    await session.run("x = 2")
    branch = await session.fork()
    assert (await branch.run("x")).value == 2


async def test_a_stopped_kernel_can_be_reset(session):
    """``reset`` replaces it at once, also while somebody waits for its answer."""
    await stop(pid_of(session))
    asking = asyncio.create_task(session.variables())
    await asyncio.sleep(0)
    async with asyncio.timeout(BOUND):
        await session.reset()
        with pytest.raises(KernelDied, match="SIGKILL"):
            await asking
    assert (await session.run("'x' in dir()")).value is False


async def test_new_tools_do_not_hang_a_run(make, registry):
    """A run with a limit, on a stopped kernel that must hear of new tools first, ends all the same."""
    executor = await make(registry=registry, kernel=IMPATIENT)
    await executor.run("x = 1")

    def later() -> int:
        """Come later."""
        return 5

    registry.add(later)
    await stop(pid_of(executor.default))
    async with asyncio.timeout(BOUND):
        result = await executor.run("print('ran')", timeout=0.3)
    assert (result.error.name, result.state_lost, result.stdout) == ("KernelDied", True, "")
    assert "not answered for 0.3 s" in result.error.message
    assert (await executor.run("tools.later()")).value == 5


@pytest.mark.parametrize("meanwhile", ["nothing", "variables", "run", "fork"])
async def test_a_stopped_kernel_is_closed(make, meanwhile):
    """Closing ends it, whatever is waited for meanwhile, long before a question would be given up."""
    executor = await make(kernel=KernelConfig(grace=0.5, answer_timeout=600))
    session = executor.default
    await session.run("x = 1")
    await stop(pid_of(session))
    work = {"variables": session.variables, "run": lambda: session.run("x"), "fork": session.fork}
    task = asyncio.create_task(work[meanwhile]()) if meanwhile in work else None
    await asyncio.sleep(0)
    async with asyncio.timeout(BOUND):
        await executor.aclose()
        if task is not None:
            await asyncio.wait({task})


async def test_looking_at_a_stopped_kernel(session):
    """``peek`` and ``interrupt`` return, with what is known."""
    task = asyncio.create_task(session.run("import time; time.sleep(60)", timeout=30))
    while not (await session.peek()).code:
        await asyncio.sleep(0.01)
    await stop(pid_of(session))
    async with asyncio.timeout(BOUND):
        seen = await session.peek()
        await session.interrupt()
    assert "sleep(60)" in seen.code
    os.kill(pid_of(session), signal.SIGCONT)
    assert (await task).error.name == "KeyboardInterrupt"


async def test_stopped_while_it_starts(make, monkeypatch):
    """A kernel that is stopped before it is up is given up in the time it has for that."""
    real, pending = LocalKernelProvisioner._watch, [True]

    def watch(self: LocalKernelProvisioner) -> None:
        real(self)
        if pending and self.pid:
            pending.clear()
            os.kill(self.pid, signal.SIGSTOP)

    with monkeypatch.context() as patch:
        patch.setattr(LocalKernelProvisioner, "_watch", watch)
        executor = await make(kernel=KernelConfig(start_timeout=1.0))
        with pytest.raises(KernelStartError, match=r"not ready after 1\.0 s"):
            await asyncio.wait_for(executor.run("1"), BOUND)
    executor = await make()
    assert (await executor.run("1 + 1")).value == 2


async def test_a_stopped_template_is_replaced(make, way, monkeypatch):
    """A template that does not fork in time is ended, and another one forks."""
    if way == "plain":
        pytest.skip("these kernels come from no template")
    executor = await make(kernel=KernelConfig(env={"TEMPLATE": "of this test alone"}))
    await executor.run("1")
    monkeypatch.setattr(template, "FORK_SECONDS", 0.5)
    own = executor.default._cells.slot.current.template
    pid = own.pid
    await stop(pid)
    session = await executor.session()
    async with asyncio.timeout(60):
        assert (await session.run("1 + 1")).value == 2
    assert own.pid != pid


@asynccontextmanager
async def _slowed(session: Session) -> AsyncIterator[None]:
    """Let a kernel run for a tenth of the time only."""

    async def slow() -> None:
        while True:
            for number, seconds in ((signal.SIGSTOP, 0.09), (signal.SIGCONT, 0.01)):
                os.kill(pid, number)
                await asyncio.sleep(seconds)

    pid = pid_of(session)
    task = asyncio.create_task(slow())
    try:
        yield
    finally:
        task.cancel()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def test_a_slow_kernel_is_merely_slow(make, registry):
    """At a tenth of its speed everything is right: cells, tools, questions, a branch."""
    executor = await make(registry=registry)
    session = executor.default
    await session.run("x = 1")
    async with _slowed(session):
        started = time.monotonic()
        codes = [f"print({n}, flush=True)\ntools.echo(n={n}) + x" for n in range(5)]
        results = await asyncio.gather(*(session.run(code, timeout=60) for code in codes))
        assert [result.value for result in results] == [1, 2, 3, 4, 5]
        assert [result.stdout for result in results] == [f"{n}\n" for n in range(5)]
        assert [each.name for each in await session.variables()] == ["x"]
        branch = await session.fork()
        assert time.monotonic() - started > 0.1
    assert (await branch.run("x")).value == 1
    await works_again(session)
