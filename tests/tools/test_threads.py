"""Threads that run functions for coroutines: what becomes of calls, and of the threads."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref

import pytest

from py_code_mode.tools.threads import CallThreads


async def test_results_come_back():
    """A thousand calls, some at once, each get what their own function returned."""
    threads = CallThreads(8, "t")
    found = await asyncio.gather(*(threads.run(lambda n: n * n, n) for n in range(1_000)))
    assert found == [n * n for n in range(1_000)]
    threads.close()


async def test_threads_are_started_when_needed_and_no_more_than_that():
    """Calls one after another share a thread; many at once get as many as there may be."""
    threads = CallThreads(3, "t")
    names = {await threads.run(lambda: threading.current_thread().name) for _ in range(20)}
    assert names == {"t_0"}
    gate = threading.Barrier(3)
    calls = (threads.run(lambda: (gate.wait(10), threading.current_thread().name)) for _ in "abc")
    assert {name for _, name in await asyncio.gather(*calls)} == {"t_0", "t_1", "t_2"}
    threads.close()


async def test_cancelling_returns_at_once(eventually):
    """A call that is cancelled ends; its function runs on, and the thread serves the next one."""
    threads, release = CallThreads(1, "t"), threading.Event()
    task = asyncio.create_task(threads.run(release.wait, 30))
    waiting = asyncio.create_task(threads.run(lambda: "never"))
    await asyncio.sleep(0)
    assert threads.busy
    for each in (task, waiting):
        each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await each
    release.set()
    assert await asyncio.wait_for(threads.run(lambda: "next"), 10) == "next"
    await eventually(lambda: not threads.busy)
    threads.close()


async def test_a_call_can_be_waited_for_with_a_limit():
    """Asyncio's own tools work on a call: timeouts, gather, shield."""
    threads, release = CallThreads(2, "t"), threading.Event()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(threads.run(release.wait, 30), 0.02)
    shielded = asyncio.ensure_future(threads.run(release.wait, 30))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(shielded), 0.02)
    release.set()
    assert await shielded is True
    threads.close()


async def test_threads_end_with_their_owner(eventually):
    """Whoever forgets to close leaves no thread behind."""
    threads = CallThreads(2, "forgotten")
    await threads.run(int)
    gone = weakref.ref(threads)
    del threads
    gc.collect()
    assert gone() is None
    await eventually(lambda: "forgotten_0" not in {t.name for t in threading.enumerate()})


def test_a_loop_that_is_gone_is_no_error():
    """A function that outlives the loop of its caller ends quietly."""
    threads, release = CallThreads(1, "t"), threading.Event()

    async def leave() -> None:
        task = asyncio.create_task(threads.run(release.wait, 30))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    release.set()
    threads.close()


PROGRAM = """
import asyncio, time
from py_code_mode.tools.threads import CallThreads
threads = CallThreads(1, "t")
def slow():
    time.sleep(0.3)
    print("done", flush=True)
async def main():
    asyncio.create_task(threads.run(slow))
    await asyncio.sleep(0.05)
asyncio.run(main())
"""


def test_the_interpreter_waits_for_a_function_that_runs():
    """A program that ends in the midst of a call lets the function finish, and then does end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True
    )
    assert (done.stdout, done.stderr) == ("done\n", "")
