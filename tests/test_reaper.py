"""Tests of the reaper, with real hosts that are really killed."""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from py_code_mode import reaper, reaping
from tests import descriptors

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")

ROOT = Path(__file__).parents[1]

HOST = '''
import json, os, signal, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from py_code_mode import reaper, reaping

LEADER = """
import signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen(['sleep', '600']).pid, flush=True)
time.sleep(600)
"""

def family():
    # a leader deaf to SIGTERM, and a child of its own
    leader = subprocess.Popen([sys.executable, "-S", "-c", LEADER],
                              stdout=subprocess.PIPE, start_new_session=True)
    return leader, int(leader.stdout.readline())

def say(**facts):
    print(json.dumps(facts), flush=True)

it = reaper.acquire()
'''
"""The beginning of a host's program; each test adds what its host does."""


def wait_until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def reapers_of(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children()
    return [child for child in children if child.pid not in OTHERS and _is_reaper(child)]


OTHERS: set[int] = set()
"""Reapers that were there before the test."""


def _is_reaper(process: psutil.Process) -> bool:
    # A process has no command line yet while its exec is under way.
    while is_running(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            if command := process.cmdline():
                return any(part.endswith("reaping.py") for part in command)
    return False


@contextlib.contextmanager
def host(program: str, *args: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run a host and read the facts it says first; in the end it is killed if it still is."""
    command = [sys.executable, "-W", "error", "-c", HOST + program, str(ROOT), *map(str, args)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another reaper for this process: its own watches what other tests keep, and must not end."""
    OTHERS.update(child.pid for child in reapers_of(os.getpid()))
    new = reaper.Reaper()
    monkeypatch.setattr(reaper, "_REAPER", new)
    yield
    new.close()


@pytest.fixture
def mine() -> Iterator[reaper.Reaper]:
    """This process's reaper."""
    yield reaper.acquire()
    reaper.release()


@pytest.fixture
def group() -> Iterator[subprocess.Popen[bytes]]:
    """A process group of one."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


def test_killed_host_leaves_nothing(tmp_path: Path):
    """A host killed with SIGKILL leaves no process group, no directory and no reaper."""
    program = """
directory = os.path.join(sys.argv[2], "private")
os.mkdir(directory)
open(os.path.join(directory, "connection"), "w").close()
it.watch_directory(directory)
leader, child = family()
it.watch_group(leader.pid)
say(leader=leader.pid, child=child, directory=directory)
time.sleep(600)
"""
    with host(program, tmp_path) as (process, facts):
        (helper,) = reapers_of(process.pid)
        assert os.getsid(helper.pid) == helper.pid  # a Ctrl-C in the terminal does not reach it
        assert helper.environ().keys() <= {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
        assert is_running(facts["child"])
        process.kill()
        process.wait()
        for pid in (facts["leader"], facts["child"], helper.pid):
            wait_until(lambda pid=pid: not is_running(pid))
        assert not Path(facts["directory"]).exists()


def test_killed_host_whose_child_holds_the_pipe(tmp_path: Path):
    """It works even when a fork of the host, made behind Python's back, keeps the pipe open."""
    program = """
import ctypes
leader, child = family()
it.watch_group(leader.pid)
fork = ctypes.CDLL(None).fork()
if fork == 0:
    time.sleep(600)
say(leader=leader.pid, child=child, fork=fork)
time.sleep(600)
"""
    with host(program) as (process, facts):
        process.kill()
        process.wait()
        try:
            for pid in (facts["leader"], facts["child"]):
                wait_until(lambda pid=pid: not is_running(pid))
            assert is_running(facts["fork"])
        finally:
            os.kill(facts["fork"], signal.SIGKILL)


def test_leader_that_is_gone():
    """A group whose leader ended by itself is still killed: its children remain."""
    program = """
leader, child = family()
it.watch_group(leader.pid)
leader.kill()
leader.wait()
say(child=child)
time.sleep(600)
"""
    with host(program) as (process, facts):
        assert is_running(facts["child"])
        process.kill()
        wait_until(lambda: not is_running(facts["child"]))


def test_what_was_forgotten_stays(tmp_path: Path):
    """What was taken off the list survives the host."""
    program = """
directory = os.path.join(sys.argv[2], "kept")
os.mkdir(directory)
it.watch_directory(directory)
it.forget_directory(directory)
leader, child = family()
it.watch_group(leader.pid)
it.forget_group(leader.pid)
it.forget_group(leader.pid)
say(leader=leader.pid)
time.sleep(600)
"""
    with host(program, tmp_path) as (process, facts):
        (helper,) = reapers_of(process.pid)
        process.kill()
        wait_until(lambda: not is_running(helper.pid))
        assert is_running(facts["leader"])
        os.killpg(facts["leader"], signal.SIGKILL)
        assert (tmp_path / "kept").exists()


def test_number_that_belongs_to_another(monkeypatch: pytest.MonkeyPatch, mine, group):
    """A group is spared when its number turns out to be another process's by now."""
    with monkeypatch.context() as patch:
        patch.setattr(reaping, "start_time", lambda _: "1")
        mine.watch_group(group.pid)
    mine.close()
    assert group.poll() is None


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_do_not_end_it(mine, group, signal_: signal.Signals):
    """Signals meant for the host leave its reaper alone."""
    mine.watch_group(group.pid)
    (helper,) = reapers_of(os.getpid())
    wait_until(lambda: _ignores(helper.pid, signal_))
    helper.send_signal(signal_)
    mine.close()  # had it died, nobody had killed the group
    assert group.wait(5) == -signal.SIGKILL


def _ignores(pid: int, number: signal.Signals) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return bool(int(line.split()[1], 16) & 1 << (number - 1))
    return False


def test_killed_reaper_is_replaced(mine, group, tmp_path: Path):
    """When the reaper was killed, the next thing to watch starts another, with the whole list."""
    mine.watch_group(group.pid)
    (first,) = reapers_of(os.getpid())
    first.kill()
    wait_until(lambda: not is_running(first.pid))
    directory = tmp_path / "directory"
    directory.mkdir()
    mine.watch_directory(directory)
    (second,) = reapers_of(os.getpid())
    assert second.pid != first.pid
    mine.close()
    assert group.wait(5) == -signal.SIGKILL
    assert not directory.exists()


def test_killed_reaper_is_replaced_when_acquired(mine, group):
    """A new holder is enough to replace a reaper that was killed."""
    mine.watch_group(group.pid)
    (first,) = reapers_of(os.getpid())
    first.kill()
    wait_until(lambda: not is_running(first.pid))
    reaper.acquire()
    assert [each.pid for each in reapers_of(os.getpid())] != [first.pid]
    reaper.release()


def test_stopped_reaper_is_replaced(mine, group, monkeypatch: pytest.MonkeyPatch):
    """A reaper that does not read its pipe blocks nobody for long: it is replaced."""
    monkeypatch.setattr(reaper, "_WRITE_SECONDS", 0.05)
    mine.watch_group(group.pid)
    (first,) = reapers_of(os.getpid())
    first.suspend()
    start = time.monotonic()
    while [each.pid for each in reapers_of(os.getpid())] == [first.pid]:
        for _ in range(200):
            mine.watch_group(group.pid)
        assert time.monotonic() - start < 10
    mine.close()
    assert group.wait(5) == -signal.SIGKILL


def test_last_holder_ends_it(group):
    """With the last holder the process ends and is waited for, no descriptor is left open."""
    before = descriptors.count()
    for _ in range(20):
        first, second = reaper.acquire(), reaper.acquire()
        assert first is second
        first.watch_group(group.pid)
        (helper,) = reapers_of(os.getpid())
        first.forget_group(group.pid)
        reaper.release()
        assert helper.is_running()
        reaper.release()
        assert not psutil.pid_exists(helper.pid)
    assert descriptors.count() <= before
    gc.collect()  # a ResourceWarning would be an error


def test_no_process_without_need():
    """Holding the reaper starts nothing; only something to watch does."""
    reaper.acquire()
    assert not reapers_of(os.getpid())
    reaper.release()
    reaper.release()  # once too often is fine


def test_release_ends_what_is_left(group, tmp_path: Path):
    """What is still watched when the last holder leaves is ended then."""
    directory = tmp_path / "directory"
    (directory / "inner").mkdir(parents=True)
    mine = reaper.acquire()
    mine.watch_group(group.pid)
    mine.watch_directory(directory)
    reaper.release()
    assert group.wait(5) == -signal.SIGKILL
    assert not directory.exists()


def test_odd_paths(mine, tmp_path: Path):
    """Any name a directory can have is fine; a link is not followed."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff \n'\"\xc3\xbc"))
    odd.mkdir()
    target = tmp_path / "target"
    target.mkdir()
    link = tmp_path / "link"
    link.symlink_to(target)
    mine.watch_directory(odd)
    with contextlib.chdir(tmp_path):
        mine.watch_directory("relative")
    (tmp_path / "relative").mkdir()
    mine.close()
    assert not odd.exists()
    assert not (tmp_path / "relative").exists()
    assert target.exists()


def test_host_that_just_ends(tmp_path: Path):
    """A host that ends without letting go leaves nothing, and says nothing about it."""
    program = """
leader, child = family()
leader.stdout.close()
it.watch_group(leader.pid)
say(leader=leader.pid, child=child)
leader.returncode = 0  # the test's host does not wait for it
"""
    with host(program) as (process, facts):
        assert process.wait(10) == 0
        wait_until(lambda: not is_running(facts["child"]))


def _in_fork(queue: multiprocessing.SimpleQueue[object], pid: int) -> None:
    child = reaper.acquire()
    alone = child._process is None and not child._list
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        child.watch_group(process.pid)
        own = [each.pid for each in reapers_of(os.getpid())]
        reaper.release()
        queue.put((alone, pid not in own and len(own) == 1, process.wait(5)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fork(mine, group):
    """A forked child has a reaper of its own, and cannot disturb its parent's."""
    mine.watch_group(group.pid)
    (helper,) = reapers_of(os.getpid())
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with mine._lock:  # as if another thread were at work: the child must not wait for it
        child = context.Process(target=_in_fork, args=(queue, helper.pid))
        child.start()
    assert queue.get() == (True, True, -signal.SIGKILL)
    child.join(10)
    assert child.exitcode == 0
    child.close()
    queue.close()
    assert helper.is_running()
    assert group.poll() is None


def test_many_threads(mine):
    """Threads may watch and forget at the same time; the list stays right."""

    def work(first: int) -> None:
        for number in range(first, first + 200):
            mine.watch_directory(f"/nonexistent/{number}")
            mine.forget_directory(f"/nonexistent/{number}")

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mine._list
    assert len(reapers_of(os.getpid())) == 1


def test_without_pidfd(tmp_path: Path):
    """Where there is no pidfd the parent is looked at now and then."""
    script = tmp_path / "reaping.py"
    text = Path(reaping.__file__).read_text()
    script.write_text(text.replace('if sys.platform == "linux":', "if False:"))
    assert script.read_text() != text
    program = f"""
import ctypes
reaper.reaping.__file__ = {str(script)!r}
leader, child = family()
it.watch_group(leader.pid)
fork = ctypes.CDLL(None).fork()  # holds the pipe open
if fork == 0:
    time.sleep(600)
say(child=child, fork=fork)
time.sleep(600)
"""
    with host(program) as (process, facts):
        process.kill()
        process.wait()
        wait_until(lambda: not is_running(facts["child"]))
        os.kill(facts["fork"], signal.SIGKILL)


def test_cannot_start(
    mine, group, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A reaper that cannot be started is a warning in the log: tools still run."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/no/such/python")
        mine.watch_group(group.pid)
    assert "did not start" in caplog.text
    mine.forget_group(group.pid)
    mine.watch_group(group.pid)
    assert len(reapers_of(os.getpid())) == 1


def test_killed_host_with_a_tool(tmp_path: Path):
    """A command that runs for a killed host ends with it, and its children too."""
    program = """
import asyncio
from py_code_mode.tools import CLIAdapter

async def main():
    script = 'sleep 600 & echo $! $$ > "$0.new"; mv "$0.new" "$0"; wait'
    tool = CLIAdapter("sh", args=f"-c '{script}' {{file}}")
    task = asyncio.create_task(tool.call("sh", {"file": sys.argv[2]}))
    while not os.path.exists(sys.argv[2]):
        await asyncio.sleep(0.005)
    say(pids=[int(pid) for pid in open(sys.argv[2]).read().split()])
    await task

asyncio.run(main())
"""
    with host(program, tmp_path / "pids") as (process, facts):
        assert all(map(is_running, facts["pids"]))
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(is_running, facts["pids"])))
