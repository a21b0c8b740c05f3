"""Branches of a live session: fork, checkpoints, several ways tried at once."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import psutil
import pytest

from py_code_mode import Budget, KernelConfig, KernelError, SessionClosed, ToolRegistry
from tests import descriptors
from tests.examples import NIGHT

PROVISIONERS = ["py-code-mode-template", "py-code-mode-local"]


@pytest.fixture(params=PROVISIONERS)
async def session(request, make_executor):
    """A session with a few variables, in a kernel that came from a template or stands alone."""
    registry = ToolRegistry()

    def double(n: int) -> int:
        """Double it."""
        return 2 * n

    registry.add(double)
    executor = await make_executor(
        registry=registry, kernel=KernelConfig(provisioner=request.param)
    )
    await executor.run("x = [1, 2]\ndef total(): return sum(x)\nimport os, math")
    return executor.default


async def test_a_branch_has_everything(session):
    """Variables, functions with their globals, imports, tools and the transcript are there."""
    branch = await session.fork("other")
    assert branch.name == "other"
    assert branch.warnings == ()
    result = await branch.run(
        "print('printed')\nx.append(3)\ntotal(), math.pi > 3, tools.double(n=4)"
    )
    assert result.value == (6, True, 8)
    assert result.stdout == "printed\n"
    assert [call.tool for call in result.tool_calls] == ["double"]
    assert branch.transcript.cells[0].source.startswith("x = [1, 2]")
    assert len(branch.transcript.cells) == len(session.transcript.cells) + 1


async def test_neither_side_sees_the_others_changes(session):
    """Rebinding, and changing objects in place, stay on their side; so do processes."""
    branch = await session.fork()
    await asyncio.gather(branch.run("x.append(3); y = 1"), session.run("x.append(4); z = 1"))
    assert (await branch.run("x, 'z' in dir()")).value == ([1, 2, 3], False)
    assert (await session.run("x, 'y' in dir()")).value == ([1, 2, 4], False)
    pids = {(await each.run("os.getpid()")).value for each in (session, branch)}
    assert len(pids) == 2


async def test_a_fork_of_a_fork(session):
    """Branches branch, and each is independent of the ones before it, dead or alive."""
    first = await session.fork()
    await first.run("x.append('first')")
    second = await first.fork()
    await second.run("x.append('second')")
    await first.aclose()
    third = await second.fork()
    assert (await third.run("x, total.__name__, tools.double(n=1)")).value == (
        [1, 2, "first", "second"],
        "total",
        2,
    )
    assert (await session.run("x")).value == [1, 2]


async def test_a_running_cell_cannot_be_forked(session):
    """While a cell runs or waits to run, fork, checkpoint and rollback say what to do instead."""
    checkpoint = await session.checkpoint()
    running = asyncio.create_task(session.run("import time; time.sleep(0.5)"))
    await asyncio.sleep(0)
    for attempt in (session.fork(), session.checkpoint(), session.rollback(checkpoint)):
        with pytest.raises(KernelError, match="a cell is running"):
            await attempt
    assert (await running).is_ok
    assert (await (await session.fork()).run("x")).value == [1, 2]


async def test_a_cell_of_another_client_is_not_cut_off_by_a_fork(session):
    """A cell that the host does not know of, as from JupyterLab, makes the kernel refuse."""
    kernel = session._cells.slot.current
    kernel._channels.send(
        "shell", "execute_request", {"code": "import asyncio; await asyncio.sleep(0.6); seen = 1"}
    )

    async def fork_until_refused():
        while True:
            await (await session.fork()).aclose()

    with pytest.raises(KernelError, match="a cell is running"):
        await asyncio.wait_for(fork_until_refused(), 10)
    assert (await session.run("seen")).value == 1


async def test_what_is_lost_is_named(session):
    """Live non-daemon threads and asyncio tasks stand in the branch's warnings."""
    await session.run(
        "import threading, time, asyncio\n"
        "stop = threading.Event()\n"
        "threading.Thread(target=stop.wait, name='counter').start()\n"
        "task = asyncio.ensure_future(asyncio.sleep(60))"
    )
    branch = await session.fork()
    threads, tasks = branch.warnings
    assert "'counter'" in threads
    assert tasks.endswith("1")
    assert (await branch.run("[t.name for t in threading.enumerate() if not t.daemon]")).value == [
        "MainThread"
    ]
    assert (await session.run("stop.set()")).is_ok


async def test_a_branch_works_like_any_session(session):
    """Threads, asyncio, subprocesses, multiprocessing, figures and interrupts work in a branch."""
    branch = await session.fork()
    result = await branch.run(
        "import subprocess, threading, asyncio, multiprocessing\n"
        "print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout, end='')\n"
        "out = []; t = threading.Thread(target=lambda: out.append(tools.double(n=2))); t.start(); t.join()\n"
        "await asyncio.sleep(0.01)\n"
        "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool: out += pool.map(abs, [-3])\n"
        "!echo shell\n"
        "out",
        timeout=60,
    )
    assert result.error is None, result.error
    assert result.value == [4, 3]
    assert result.stdout == "child\nshell\n"
    assert any("image/png" in output.data for output in result.outputs)
    stopped = await branch.run("while True: pass", timeout=0.3)
    assert stopped.error.name == "ExecutionTimeout"
    assert not stopped.state_lost
    assert (await branch.run("x")).value == [1, 2]


async def test_random_numbers_differ(session):
    """Branches do not draw the same random numbers, names or ids."""
    await session.run(
        "import random, uuid, tempfile, numpy as np; random.seed(1); np.random.seed(1)"
    )
    draw = "random.random(), float(np.random.rand()), uuid.uuid4().hex, uuid.uuid1().hex, tempfile.mktemp()"
    branches = [await session.fork() for _ in range(3)]
    drawn = [(await each.run(draw)).value for each in (session, *branches)]
    for column in zip(*drawn, strict=True):
        assert len(set(column)) == 4


async def test_exit_handlers_stay_with_the_parent(session, tmp_path):
    """What the parent cleans up when it ends is not cleaned up by a branch that ends."""
    await session.run(
        "import tempfile, atexit, pathlib\nkept = tempfile.TemporaryDirectory()\n"
        f"atexit.register(lambda: pathlib.Path({str(tmp_path / 'gone')!r}).touch())\nkept.name"
    )
    branch = await session.fork()
    await branch.run(f"atexit.register(lambda: pathlib.Path({str(tmp_path / 'own')!r}).touch())")
    pid = (await branch.run("os.getpid()")).value
    kernel = branch._cells.slot.current
    kernel._channels.send("control", "shutdown_request", {"restart": False})
    await asyncio.wait_for(asyncio.shield(kernel.died), 10)
    assert not psutil.pid_exists(pid)
    assert (tmp_path / "own").exists()
    assert not (tmp_path / "gone").exists()
    assert (await session.run("os.path.isdir(kept.name)")).value is True


async def test_sockets_of_the_parent_are_dead_in_a_branch(session):
    """A branch cannot talk on a connection of its parent, which goes on undisturbed."""
    await session.run("import socket\na, b = socket.socketpair(); a.settimeout(1); b.settimeout(1)")
    branch = await session.fork()
    assert (await branch.run("a.send(b'stray')")).error.name == "OSError"
    assert (await branch.run("a.close(); b.close(); open('/dev/null').close()")).is_ok
    assert (await session.run("a.send(b'mine'); b.recv(10)")).value == b"mine"


async def test_the_death_of_one_side_leaves_the_other(session):
    """A branch survives its parent's death and the other way round; both are told how it was."""
    first, second = await session.fork(), await session.fork()
    dead = await first.run("os.kill(os.getpid(), 9)")
    assert dead.error.name == "KernelDied"
    assert dead.error.message.startswith("the kernel was killed by SIGKILL")
    dead = await session.run("os._exit(3)")
    assert dead.error.message.startswith("the kernel exited with code 3")
    assert (await second.run("x")).value == [1, 2]
    assert (await first.run("1 + 1")).value == 2


async def test_a_checkpoint_can_be_returned_to(session):
    """Rolling back restores variables and transcript, more than once, until it is closed."""
    cells = len(session.transcript.cells)
    checkpoint = await session.checkpoint()
    for _ in range(2):
        await session.run("x.clear(); del total")
        await session.rollback(checkpoint)
        assert (await session.run("total()")).value == 3
        assert len(session.transcript.cells) == cells + 1
    await checkpoint.aclose()
    assert checkpoint.closed
    with pytest.raises(KernelError, match="closed"):
        await session.rollback(checkpoint)


async def test_a_checkpoint_outlives_a_killed_kernel(session):
    """After code that took the kernel down, the session can go back to before it."""
    async with await session.checkpoint() as checkpoint:
        assert (await session.run("os._exit(1)")).state_lost
        await session.rollback(checkpoint)
        assert (await session.run("x")).value == [1, 2]


async def test_a_checkpoint_of_another_session_is_refused(session):
    """A checkpoint belongs to its session, and closes with it."""
    branch = await session.fork()
    checkpoint = await branch.checkpoint()
    with pytest.raises(KernelError, match="another session's"):
        await session.rollback(checkpoint)
    await branch.aclose()
    assert checkpoint.closed


async def test_each_is_tried_in_a_branch_of_its_own(session):
    """Results come in the order of the codes; the branch that is kept becomes the session."""
    async with await session.try_each(["x.append(9); len(x)", "1 / 0", "x = 'best'; x"]) as trials:
        assert [result.value for result in trials] == [3, None, "best"]
        assert trials[1].error.name == "ZeroDivisionError"
        assert (await session.run("x")).value == [1, 2]
        assert (await trials.keep(2)).value == "best"
        with pytest.raises(KernelError, match="over"):
            await trials.keep(0)
    assert (await session.run("x, tools.double(n=1)")).value == ("best", 2)
    assert all(branch.closed for branch in trials.branches)
    assert "x = 'best'; x" in [cell.source for cell in session.transcript.cells]


@pytest.mark.alone
async def test_trials_run_at_once(session):
    """Four codes of half a second take less than two."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with await session.try_each(["import time; time.sleep(0.5)"] * 4) as trials:
        assert all(result.is_ok for result in trials)
        assert loop.time() - started < 0.5 * 4
    assert (await session.run("x")).value == [1, 2]


async def test_names_and_closed_sessions(session):
    """A taken name and a closed session are refused; nothing is left of the attempt."""
    branch = await session.fork("twin")
    with pytest.raises(KernelError, match="'twin'"):
        await session.fork("twin")
    await branch.aclose()
    with pytest.raises(SessionClosed):
        await branch.fork()
    again = await session.fork("twin")
    assert (await again.run("x")).value == [1, 2]


async def test_a_branch_can_be_forked_at_once(session):
    """A branch that answers already, and whose main thread is not yet at work, forks when it is."""
    await session.run(
        "import time\n"
        "from kernel_bootstrap.kernel.kernel import SessionKernel as Kernel\n"
        "start = Kernel.start\n"
        "def slow(self):\n"
        "    Kernel.start = start\n"
        "    start(self)\n"
        "    time.sleep(1)\n"
        "Kernel.start = slow"
    )
    branch = await session.fork()
    again = await branch.fork()
    assert (await again.run("x = 1; x")).value == 1


async def test_branches_leave_nothing_behind(make_executor):
    """Branches, checkpoints and trials leave no process, descriptor or directory."""
    executor = await make_executor()
    await executor.run("x = 1")
    process = psutil.Process()

    def left() -> tuple[int, int, int]:
        directories = list(Path(tempfile.gettempdir()).glob("pcm-*"))
        return len(process.children(recursive=True)), descriptors.count(), len(directories)

    before = (0, 0, 0)
    for turn in range(5):
        if turn == 1:  # what is made once is made now
            before = left()
        branch = await executor.fork()
        await (await branch.checkpoint()).aclose()
        async with await branch.try_each(["x", "x + 1"]) as trials:
            await trials.keep(1)
        await branch.aclose()
    async with asyncio.timeout(10):
        while any(now > then for now, then in zip(left(), before, strict=True)):
            await asyncio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_many_forks_in_a_row(make_executor):
    """Hundreds of forks under a load of tool calls: none hangs, none is left over."""
    registry = ToolRegistry()

    async def echo(n: int) -> int:
        """Give it back."""
        return n

    registry.add(echo)
    executor = await make_executor(registry=registry)
    await executor.run(
        "import threading\nstop = False\n"
        "def load():\n    while not stop: tools.echo(n=1)\n"
        "for _ in range(4): threading.Thread(target=load, daemon=True).start()"
    )
    before = len(psutil.Process().children(recursive=True))
    closing: list[asyncio.Task[None]] = []
    for n in range(NIGHT or 300):
        branch = await executor.fork()
        if n % 10 == 0:
            assert (await branch.run(f"tools.echo(n={n})")).value == n
        if len(closing) == 4:
            await closing.pop(0)
        closing.append(asyncio.create_task(branch.aclose()))  # while the next one is forked
    await asyncio.gather(*closing)
    assert len(psutil.Process().children(recursive=True)) == before
    assert (await executor.run("stop = True; tools.echo(n=5)")).value == 5


async def test_a_fork_that_fails_is_an_error_and_the_session_goes_on(session):
    """When the system refuses to fork, the caller hears it at once, and nothing is left behind."""
    await session.run("real = os.fork\ndef refuse(): raise OSError('no')\nos.fork = refuse")
    before = set(Path(tempfile.gettempdir()).glob("pcm-*"))
    with pytest.raises(KernelError, match="could not fork"):
        await asyncio.wait_for(session.fork(), 10)
    assert set(Path(tempfile.gettempdir()).glob("pcm-*")) == before
    assert (await session.run("os.fork = real; x")).value == [1, 2]
    assert (await (await session.fork()).run("x")).value == [1, 2]


async def test_a_kernel_that_does_not_come_as_it_said_is_not_believed(session):
    """A process that belongs to another group than its own is not taken for a branch."""
    await session.run(
        "import gc, socket\n"
        "def lie():\n"
        "    pid = real()\n"
        "    if pid == 0:\n"
        "        import time\n"
        "        from kernel_bootstrap.kernel.branch import _Branching\n"
        "        (own,) = [each for each in gc.get_objects() if type(each) is _Branching]\n"
        "        ours, theirs = socket.socketpair()\n"
        "        import inspect, json\n"
        "        frame = inspect.currentframe().f_back\n"
        "        word = json.dumps({'branch': frame.f_locals['exit_file']}).encode() + b'\\n'\n"
        "        socket.send_fds(own._line, [word], [theirs.fileno()])\n"
        "        time.sleep(60)\n"
        "    raise OSError('lied')\n"
        "real, os.fork = os.fork, lie"
    )
    with pytest.raises(KernelError, match=r"process of its own|could not fork"):
        await asyncio.wait_for(session.fork(), 20)
    assert (await session.run("os.fork = real; x")).value == [1, 2]


async def test_signals_reach_only_the_session_they_are_meant_for(session, tmp_path):
    """Interrupting or killing a branch's whole group leaves its parent's cell alone."""
    branch = await session.fork()

    def code(up: str) -> str:
        return f"import time\nopen({str(tmp_path / up)!r}, 'w').close()\nfor n in range(10): time.sleep(0.1)\nn"

    ours = asyncio.create_task(session.run(code("ours")))
    theirs = asyncio.create_task(branch.run(code("theirs")))
    async with asyncio.timeout(10):
        while not ((tmp_path / "ours").exists() and (tmp_path / "theirs").exists()):
            await asyncio.sleep(0.01)
    await branch.interrupt()
    assert (await theirs).error.name == "KeyboardInterrupt"
    assert (await ours).value == 9
    ours = asyncio.create_task(session.run(code("again")))
    await branch.run("import os, signal; os.killpg(0, signal.SIGKILL)")
    assert (await ours).value == 9


async def test_a_branch_begins_with_what_its_origin_has_spent(make_executor):
    """Forking gives no calls back, and keeping a branch keeps what that has spent."""
    registry = ToolRegistry()

    @registry.add
    def note(n: int = 0) -> int:
        """Remember nothing."""
        return n

    use = (
        "done = 0\ntry:\n    for n in range({most}):\n        tools.note(n=n)\n        done += 1\n"
        "except tools.ToolDeniedError: pass\ndone"
    )
    executor = await make_executor(registry=registry, budget=Budget(calls_per_session=5))
    assert (await executor.run(use.format(most=2))).unwrap() == 2
    branch = await executor.fork()
    assert (await branch.run(use.format(most=9))).unwrap() == 3
    async with await executor.try_each([use.format(most=2), use.format(most=1)]) as trials:
        assert [result.unwrap() for result in trials] == [2, 1]
        await trials.keep(0)
    assert (await executor.run(use.format(most=9))).unwrap() == 1
