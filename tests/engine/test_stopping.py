"""Time limits, interrupts and death: the session goes on."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import psutil
import pytest

from py_code_mode import ExecutionTimeout, KernelConfig, KernelDied, ToolRegistry
from py_code_mode.events import Printed

GRACE = 2.0
SHORT_GRACE = 1.0
"""For code that is deaf anyway: it is waited for in vain."""
MACHINE = 4.0
"""Seconds granted on top, for a loaded machine; what is measured on one at rest, `make bench` says."""


def held_up() -> float:
    """Seconds that this thread could have run and was not let: what other programs do to it."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


class StallMeter:
    """Measures the longest time the event loop was kept by us from running anything."""

    async def __aenter__(self):
        self.longest = 0.0
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *exc):
        self._task.cancel()

    async def _tick(self):
        while True:
            before, held = time.monotonic(), held_up()
            await asyncio.sleep(0.01)
            stalled = time.monotonic() - before - (held_up() - held) - 0.01
            self.longest = max(self.longest, stalled)


INTERRUPTIBLE = {
    "busy loop": "print('before')\nwhile True: pass",
    "sleep": "print('before')\nimport time; time.sleep(60)",
    "await": "print('before')\nimport asyncio; await asyncio.sleep(60)",
    "busy loop after await": "print('before')\nimport asyncio; await asyncio.sleep(0)\nwhile True: pass",
    "sleep after await": "print('before')\nimport asyncio, time; await asyncio.sleep(0)\ntime.sleep(60)",
    "child": "print('before')\nimport subprocess; subprocess.run(['sleep', '60'])",
    "shell": "print('before')\n!sleep 60",
    "gather": "print('before')\nimport asyncio\nawait asyncio.gather(asyncio.sleep(60), asyncio.sleep(50))",
    "task": (
        "print('before')\nimport asyncio, time\nasync def f(): time.sleep(60)\n"
        "await asyncio.gather(f(), asyncio.sleep(60))"
    ),
}

NEEDS_KILL = {
    "C code": "print('before')\nsum(range(10**11))",
    "ignores SIGINT": (
        "print('before')\nimport time\n"
        "while True:\n    try: time.sleep(0.1)\n    except KeyboardInterrupt: pass"
    ),
    "handler removed": (
        "print('before')\nimport signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "while True: time.sleep(0.1)"
    ),
}


@pytest.mark.parametrize("name", INTERRUPTIBLE)
async def test_a_limit_interrupts(executor, name):
    """At its limit code is interrupted: output, stack and variables are kept."""
    await executor.run("kept = 7")
    async with StallMeter() as meter:
        started = time.monotonic()
        result = await executor.run(INTERRUPTIBLE[name], timeout=0.5)
        took = time.monotonic() - started
    assert result.error is not None
    assert result.error.name == "ExecutionTimeout"
    assert took < 0.5 + 0.5 + MACHINE
    assert not result.state_lost
    assert "before" in result.stdout
    assert "Cell In[" in result.error.traceback
    assert meter.longest < 0.5  # nobody waits for the limit on the loop
    assert (await executor.run("1 + 1")).value == 2
    assert (await executor.run("kept")).value == 7
    with pytest.raises(ExecutionTimeout):
        result.unwrap()


@pytest.mark.parametrize("name", NEEDS_KILL)
async def test_a_limit_kills_what_cannot_be_interrupted(make_executor, name):
    """Code deaf to interrupts is killed after the grace, and the result says where it was."""
    executor = await make_executor(kernel=KernelConfig(grace=SHORT_GRACE))
    await executor.run("kept = 7")
    async with StallMeter() as meter:
        started = time.monotonic()
        result = await executor.run(NEEDS_KILL[name], timeout=0.5)
        took = time.monotonic() - started
    assert result.error is not None
    assert result.error.name == "ExecutionTimeout"
    assert 0.5 + SHORT_GRACE <= took < 0.5 + SHORT_GRACE + 1.5 + MACHINE
    assert f"its kernel was killed {SHORT_GRACE} s later" in result.error.message
    assert result.state_lost
    assert "before" in result.stdout
    assert 'File "<cell>", line' in result.error.traceback
    assert meter.longest < SHORT_GRACE - 0.1
    assert (await executor.run("1 + 1")).value == 2
    assert (await executor.run("'kept' in dir()")).value is False


async def test_a_limit_cancels_the_tool_call_in_flight(make_executor):
    """A tool call in flight at the limit is cancelled on the host."""
    cancelled = asyncio.Event()

    async def slow() -> None:
        """Take a minute."""
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    registry = ToolRegistry()
    registry.add(slow)
    executor = await make_executor(registry=registry)
    for code in (
        "tools.slow()",
        "await tools.slow.acall()",
        "import asyncio; await asyncio.sleep(0)\ntools.slow()",
    ):
        cancelled.clear()
        result = await executor.run(code, timeout=0.5)
        assert result.error is not None
        assert result.error.name == "ExecutionTimeout"
        assert not result.state_lost
        await asyncio.wait_for(cancelled.wait(), 10)
        assert [call.outcome for call in result.tool_calls] in (["cancelled"], [])
    assert (await executor.run("1 + 1")).value == 2


async def test_interrupt_breaks_the_running_cell(executor):
    """``interrupt`` ends the cell with KeyboardInterrupt and keeps the session."""
    await executor.run("x = 1")
    for code in ("import time; time.sleep(60)", "import asyncio; await asyncio.sleep(60)"):
        started = asyncio.Event()

        async def run(code: str = code, started: asyncio.Event = started):
            async for event in executor.stream(f"print('up')\n{code}"):
                if type(event).__name__ == "Printed":
                    started.set()
                last = event
            return last.result

        task = asyncio.create_task(run())
        await started.wait()
        at = time.monotonic()
        await executor.interrupt()
        result = await task
        assert time.monotonic() - at < 0.5 + MACHINE
        assert result.error.name == "KeyboardInterrupt"
        assert not result.state_lost
    assert (await executor.run("x")).value == 1


async def test_interrupting_an_idle_session_does_nothing(executor):
    """An interrupt with no cell running leaves the next cell alone."""
    await executor.run("x = 1")
    await executor.interrupt()
    assert (await executor.run("x")).value == 1


async def test_cancelling_run_stops_the_code(executor):
    """When the caller of ``run`` goes away the code is stopped and the session is usable."""
    await executor.start()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(executor.run("x = 5\nimport time; time.sleep(60)"), 0.7)
    started = time.monotonic()
    assert (await executor.run("x")).value == 5
    assert time.monotonic() - started < GRACE + MACHINE


async def abandoned_to_death(executor) -> None:
    """Leave a run whose code hears no interrupt, so that its kernel must be killed."""
    code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint(1)\nwhile True: pass"
    async for event in executor.stream(code):
        if isinstance(event, Printed):
            break


@pytest.mark.parametrize("what", ["run", "fork", "query", "reset"])
async def test_variables_lost_while_nobody_waited_are_told_of(make_executor, what):
    """A kernel killed after its caller went away: whatever comes next says so, once."""
    executor = await make_executor(kernel=KernelConfig(grace=SHORT_GRACE))
    await executor.run("x = 5")
    await abandoned_to_death(executor)
    if what == "query":
        with pytest.raises(KernelDied, match="whoever waited for the code went away"):
            await executor.get_variable("x")
    if what == "fork":
        while executor.default._cells._submitted:
            await asyncio.sleep(0.01)
        with pytest.raises(KernelDied, match="whoever waited"):
            await executor.fork()
    if what == "reset":
        await executor.reset()
    if what in ("run", "query"):
        result = await executor.run("x = 6")
        assert (result.error.name, result.state_lost) == ("KernelDied", True)
        assert "so its kernel was killed" in result.error.message
        assert "The code was not run" in result.error.message
    again = await executor.run("'x' in dir()")
    assert (again.value, again.state_lost) == (False, False)


DEATHS = {
    "SIGKILL": "print('before')\nimport os; os.kill(os.getpid(), 9)",
    "os._exit": "print('before')\nimport os; os._exit(0)",
    "segfault": "print('before')\nimport ctypes; ctypes.string_at(0)",
    "abort": "print('before')\nimport os; os.abort()",
}


@pytest.mark.parametrize("name", DEATHS)
async def test_death_in_a_cell_is_seen_at_once(make_executor, name, tmp_path):
    """A kernel that dies in a cell gives KernelDied within a second, without any limit."""
    executor = await make_executor(default_timeout=None)
    await executor.run("x = 1")
    started = time.monotonic()
    result = await executor.run(DEATHS[name])
    assert time.monotonic() - started < 1.0 + MACHINE
    assert result.error is not None
    assert result.error.name == "KernelDied"
    assert result.state_lost
    assert result.stdout == "before\n"
    again = await executor.run("tools.list(), skills.list(), artifacts.list(), 'x' in dir()")
    assert again.value == ([], [], [], False)


async def test_death_by_memory_limit(make_executor):
    """Code that eats all the memory it may have ends as data, and the next run works."""
    executor = await make_executor()
    result = await executor.run(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))\n"
        "hog = []\nwhile True: hog.append(bytearray(50 << 20))"
    )
    assert result.error is not None
    assert result.error.name in ("MemoryError", "KernelDied")
    await executor.reset()
    assert (await executor.run("1 + 1")).value == 2


async def test_death_in_a_tool_call(make_executor):
    """A kernel killed while it waits for a tool: the call is cancelled, the run says KernelDied."""
    cancelled = asyncio.Event()
    executor = None

    async def killer(pid: int) -> None:
        """Kill the caller."""
        psutil.Process(pid).kill()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    registry = ToolRegistry()
    registry.add(killer)
    executor = await make_executor(registry=registry, default_timeout=None)
    await executor.start()
    started = time.monotonic()
    result = await executor.run("import os; tools.killer(pid=os.getpid())")
    assert time.monotonic() - started < 1.0 + MACHINE
    assert result.error.name == "KernelDied"
    await asyncio.wait_for(cancelled.wait(), 10)
    assert (await executor.run("tools.list()[0]['name']")).value == "killer"


async def test_death_while_idle(make_executor):
    """A kernel that died between cells: the next run says so, the one after works."""
    executor = await make_executor()
    pid = (await executor.run("x = 1\nimport os; os.getpid()")).value
    process = psutil.Process(pid)
    process.send_signal(signal.SIGKILL)
    async with asyncio.timeout(1 + MACHINE):
        result = await executor.run("'ran'")
        while result.is_ok:
            result = await executor.run("'ran'")
    assert result.error.name == "KernelDied"
    assert result.state_lost
    assert result.value is None
    assert (await executor.run("'x' in dir()")).value is False


async def test_a_kernel_that_cannot_start_says_why(make_executor, tmp_path):
    """A wrong interpreter is a KernelStartError that names it."""
    from py_code_mode import KernelStartError

    executor = await make_executor(kernel=KernelConfig(python=tmp_path / "nopython"))
    with pytest.raises(KernelStartError, match="nopython"):
        await executor.run("1")


async def test_an_interrupt_loses_nothing_that_was_printed(executor):
    """Whatever instant of a flushed print an interrupt hits, no line before it is missing or double."""
    for _ in range(5):
        result = await executor.run(
            "import itertools\nfor i in itertools.count(): print(i, flush=True)", timeout=0.2
        )
        assert not result.state_lost
        *lines, _last = result.stdout.split("\n")
        assert [int(line) for line in lines] == list(range(len(lines)))
        assert len(lines) > 10


async def test_late_output_of_another_cell_does_not_hide_the_last_words(executor):
    """A thread of an earlier cell prints on while a later cell is killed: its text is kept."""
    await executor.run(
        "import threading, time\n"
        "def talk():\n    while True:\n        print('late'); time.sleep(0.005)\n"
        "threading.Thread(target=talk, daemon=True).start()"
    )
    result = await executor.run("print('mine'); time.sleep(0.05); sum(range(10**11))", timeout=0.5)
    assert result.state_lost
    assert result.stdout == "mine\n"


async def test_a_limit_that_ends_while_abandoned_code_cleans_up_kills_nothing(executor):
    """Code that is being stopped because its caller left is not stopped once more by its limit."""
    await executor.run("kept = 7\nimport time")
    code = "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    time.sleep(0.6)\n    cleaned = True"
    task = asyncio.create_task(executor.run(code, timeout=0.8))
    while not executor.default._cells.running:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await executor.run("kept, cleaned")).value == (7, True)


@pytest.mark.parametrize("before", ["", "import asyncio; await asyncio.sleep(0)\n"])
async def test_an_interrupt_is_not_lost_on_its_way_into_a_system_call(executor, before):
    """One that is noted, while the call that would have to hear of it blocks, breaks the cell."""
    # As the main thread does not take it, another does: noted, and nothing woken.
    code = (
        f"{before}import signal, time\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "print('begun', flush=True)\n"
        "try: time.sleep(20)\n"
        "finally: signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})"
    )
    async with asyncio.timeout(15):
        async for event in executor.stream(code):
            if isinstance(event, Printed):
                await executor.interrupt()
        result = event.result
    assert result.error.name == "KeyboardInterrupt"
    assert (await executor.run("6 * 7")).value == 42
