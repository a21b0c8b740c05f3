"""Nothing is left behind: not by sessions, not by a host that is killed."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path

import psutil
import pytest

from py_code_mode import CodeExecutor, KernelConfig, Session, SessionClosed, ToolRegistry
from tests import leftovers


@pytest.fixture(autouse=True)
def own_temporary_directory(monkeypatch, tmp_path):
    """Other programs on the machine may use this library too: look only at our own."""
    with tempfile.TemporaryDirectory(prefix="t") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        yield


HOST = """
import asyncio, sys
from py_code_mode import CLIAdapter, CodeExecutor, ToolRegistry

async def main():
    registry = ToolRegistry()
    registry.register_adapter(CLIAdapter(name="sleeper", command="sleep", args="{seconds}"))
    executor = CodeExecutor(registry, default_timeout=None)
    pid = (await executor.run("import os, subprocess; os.getpid()")).value
    child = (await executor.run("p = subprocess.Popen(['sleep', '300']); p.pid")).value
    print(pid, child, flush=True)
    await executor.run(CODE)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "code",
    ["tools.sleeper(seconds='300')", "sum(range(10**12))", "import time; time.sleep(300)"],
)
def test_a_killed_host_leaves_nothing(tmp_path, code):
    """A kill -9 of the host: kernel, its children, tools and directories are gone in 5 s."""
    script = tmp_path / "host.py"
    script.write_text(HOST.replace("CODE", repr(code)))
    with (
        tempfile.TemporaryDirectory(prefix="t") as short,
        subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": short},
        ) as host,
    ):
        try:
            _kill_and_look(host, Path(short), code)
        finally:
            host.kill()


def _kill_and_look(host: subprocess.Popen[str], private: Path, code: str) -> None:
    assert host.stdout is not None
    kernel, child = map(int, host.stdout.readline().split())
    if "sleeper" in code:
        _wait_for(lambda: len(_descendants(host.pid, "sleep")) >= 2)
    assert any(private.iterdir())
    family = [psutil.Process(host.pid), *psutil.Process(host.pid).children(recursive=True)]
    assert {kernel, child} <= {process.pid for process in family}
    host.send_signal(signal.SIGKILL)
    _wait_for(lambda: not any(p.is_running() and p.status() != "zombie" for p in family[1:]))
    _wait_for(lambda: not any(private.iterdir()))


def _descendants(pid: int, name: str) -> list[psutil.Process]:
    children = psutil.Process(pid).children(recursive=True)
    found = []
    for child in children:
        try:
            if child.name() == name:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def _wait_for(condition, seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_two_hundred_sessions_leave_nothing():
    """200 sessions opened and closed leave no process, thread, descriptor, file or task."""
    async with CodeExecutor() as executor:
        await executor.run("1")  # what loads once, loads now
    before = leftovers.here()
    for _ in range(20):
        async with CodeExecutor() as executor:
            sessions = [await executor.session() for _ in range(10)]
            results = await asyncio.gather(*(session.run("1 + 1") for session in sessions))
            assert [result.value for result in results] == [2] * 10
            await sessions[0].aclose()
            assert sessions[0] not in await executor.sessions()
    await leftovers.nothing_more_than(before)


async def test_closing_while_things_go_on_leaves_nothing():
    """Closing with a cell running, a kernel starting, or runs queued ends everything."""
    async with CodeExecutor() as executor:
        await executor.run("1")
    before = leftovers.here()
    running = CodeExecutor()
    await running.start()
    tasks = [asyncio.create_task(running.run("import time; time.sleep(60)")) for _ in range(3)]
    starting = CodeExecutor()
    tasks.append(asyncio.create_task(starting.run("1")))
    await asyncio.sleep(0.3)
    await asyncio.gather(running.aclose(), starting.aclose())
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert len(outcomes) == 4
    await leftovers.nothing_more_than(before)


@pytest.mark.parametrize("closes", ["session", "executor"])
async def test_a_close_that_is_cancelled_goes_on(closes):
    """Nothing is left half closed: a second close waits for the end, and ends."""
    async with CodeExecutor() as executor:
        await executor.run("1")
    before = leftovers.here()
    for turns in range(4):
        executor = CodeExecutor()
        session = await executor.session("a")
        await session.start()
        task = asyncio.create_task((session if closes == "session" else executor).aclose())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        if closes == "session" and turns:
            assert await executor.session("a") is not session
        async with asyncio.timeout(20):
            await executor.aclose()
    await leftovers.nothing_more_than(before)


async def test_no_cell_begins_in_a_session_that_is_being_closed():
    """A close that comes when the kernel is ready, but the cell not begun, does not wait for it."""
    async with CodeExecutor(default_timeout=None) as executor:
        session = await executor.session()
        slot, ready = session._cells.slot, session._cells.slot.ready
        closing = []

        async def close_before_it_is_used(patience):
            kernel = await ready(patience)
            closing.append(asyncio.create_task(session.aclose()))
            for _ in range(10):  # turns of the loop: it is closed by then, and waits for the cell
                await asyncio.sleep(0)
            assert session.closed
            return kernel

        slot.ready = close_before_it_is_used
        async with asyncio.timeout(20):
            with pytest.raises(SessionClosed):
                await session.run("import time; time.sleep(600)")
            await closing[0]


async def _in_the_midst(what: str, session: Session) -> None:
    if what == "rollback":
        await session.rollback(await session.checkpoint())
    elif what == "try each":
        await session.try_each(["1", "2"])
    else:
        await getattr(session, what)()


@pytest.mark.parametrize("ends", ["close", "cancel"])
@pytest.mark.parametrize("what", ["fork", "checkpoint", "rollback", "try each", "reset"])
async def test_a_kernel_between_two_places_is_not_forgotten(what, ends):
    """Whatever moves kernels may be cancelled, or its executor closed: all of them end."""
    async with CodeExecutor() as other:  # it keeps the template
        await other.run("1")
        before = leftovers.here()
        for milliseconds in (0, 5, 20, 35, 50, 70):
            executor = CodeExecutor()
            await executor.run("1")
            task = asyncio.create_task(_in_the_midst(what, executor.default))
            await asyncio.wait({task}, timeout=milliseconds / 1000)
            if ends == "cancel":
                task.cancel()
                await asyncio.wait({task})
            async with asyncio.timeout(20):  # a socket that is left open would stop the whole loop
                await executor.aclose()
            assert await executor.sessions() == []
            await asyncio.gather(task, return_exceptions=True)
        await leftovers.nothing_more_than(before)


async def test_kernel_children_die_with_the_session():
    """Processes the code started in the background end with the session."""
    async with CodeExecutor() as executor:
        pid = (
            await executor.run("import subprocess; p = subprocess.Popen(['sleep', '300']); p.pid")
        ).value
        assert psutil.pid_exists(pid)
    async with asyncio.timeout(5):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
            await asyncio.sleep(0.01)


async def test_the_host_environment_does_not_reach_kernels(monkeypatch, make_executor):
    """A secret in the host's environment is in no kernel; what is passed on purpose is."""
    monkeypatch.setenv("CANARY_SECRET", "s3cret")
    monkeypatch.setenv("WANTED", "yes")
    executor = await make_executor(
        registry=ToolRegistry(), kernel=KernelConfig(env={"GIVEN": "1"}, pass_env=("WANTED",))
    )
    environ = (await executor.run("import os; dict(os.environ)")).unwrap()
    assert "CANARY_SECRET" not in environ
    assert (environ["GIVEN"], environ["WANTED"]) == ("1", "yes")
    assert not any("s3cret" in value for value in environ.values())


async def test_private_directory_is_private(make_executor):
    """Connection file and sockets lie in a directory nobody else may enter."""
    executor = await make_executor()
    await executor.start()
    directories = sorted(Path(tempfile.gettempdir()).glob("pcm-*"))
    assert directories
    for directory in directories:
        assert directory.stat().st_mode & 0o777 == 0o700


async def test_values_do_not_stay_with_the_session():
    """A large value that its caller has let go is gone, though the cell stays in the transcript."""
    async with CodeExecutor() as executor:
        value = weakref.ref((await executor.run("import numpy\nnumpy.zeros(1_000_000)")).value)
        await asyncio.sleep(0)  # the loop itself holds what it is handing over
        gc.collect()
        assert value() is None
        (cell,) = executor.transcript.cells
        assert cell.outputs[0].output_type == "execute_result"
