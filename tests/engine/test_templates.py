"""Template processes, what they preload, and kernels that are ready before they are needed."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from py_code_mode import CodeExecutor, KernelConfig, KernelStartError, reaper
from py_code_mode.kernel import template
from py_code_mode.kernel.provisioner import TemplateKernelProvisioner
from tests.bootstrap.fakes import eventually


def templates() -> list[template.Template]:
    """The templates of this process."""
    return list(template._templates.values())


async def pid_of(session) -> int:
    """The process of a session's kernel."""
    return (await session.run("import os; os.getpid()")).value


async def test_sessions_and_executors_share_a_template(make_executor):
    """Kernels of one configuration come from one process, whichever executor asked."""
    executors = [await make_executor() for _ in range(2)]
    sessions = [await executor.session() for executor in executors for _ in range(2)]
    pids = await asyncio.gather(*map(pid_of, sessions))
    parents = {psutil.Process(pid).ppid() for pid in pids}
    assert len(set(pids)) == 4
    assert parents == {templates()[0].pid}
    other = await make_executor(kernel=KernelConfig(env={"MODE": "other"}))
    assert psutil.Process(await pid_of(other)).ppid() not in parents
    assert (await other.run("os.environ['MODE']")).value == "other"


async def test_a_template_is_gone_when_its_executors_are():
    """It lives between sessions, and ends with the last executor that used it."""
    before = len(templates())
    async with CodeExecutor(kernel=KernelConfig(env={"MODE": "alone"})) as executor:
        session = await executor.session()
        parent = psutil.Process(await pid_of(session)).parent()
        await session.aclose()
        assert parent.is_running()
        assert psutil.Process(await pid_of(executor)).ppid() == parent.pid
    assert not parent.is_running()
    assert len(templates()) == before


async def test_a_template_that_is_just_starting_ends_with_its_executor():
    """Closing an executor while its first kernel is on its way leaves no process behind."""
    before = set(psutil.Process().children())
    for waits in range(4):
        async with CodeExecutor(kernel=KernelConfig(env={"MODE": f"brief {waits}"})) as executor:
            starting = asyncio.create_task(executor.start())
            known = len(templates())
            while len(templates()) == known and not starting.done():
                await asyncio.sleep(0)
            await asyncio.sleep(waits / 1000)
        await asyncio.gather(starting, return_exceptions=True)
    eventually(
        lambda: not [child for child in psutil.Process().children() if is_new(child, before)]
    )


def is_new(child: psutil.Process, before: set[psutil.Process]) -> bool:
    """Whether a child is a template that was not there before."""
    try:
        return child not in before and "--template" in child.cmdline()
    except psutil.NoSuchProcess:
        return False


async def test_a_killed_template_is_replaced(make_executor):
    """Its kernels live on, told apart from dead ones, and the next session has another template."""
    executor = await make_executor(kernel=KernelConfig(env={"MODE": "killed"}))
    await executor.run("x = 1")
    first = psutil.Process(await pid_of(executor)).parent()
    first.kill()
    session = await executor.session()
    assert psutil.Process(await pid_of(session)).ppid() != first.pid
    assert (await executor.run("x")).value == 1
    result = await executor.run("os.kill(os.getpid(), 9)")
    assert result.error.name == "KernelDied"
    assert (await executor.run("1 + 1")).value == 2


async def test_a_template_killed_while_it_forks(make_executor):
    """Twenty sessions start while their template is killed again and again; all come up."""
    executor = await make_executor(kernel=KernelConfig(env={"MODE": "restless"}))
    await executor.run("1")
    (mine,) = [each for each in templates() if ("MODE", "restless") in each.key.env]

    async def kill() -> None:
        for _ in range(4):
            await asyncio.sleep(0.15)
            if mine.pid is not None:
                os.kill(mine.pid, signal.SIGKILL)

    async def use(number: int) -> int:
        session = await executor.session()
        value = (await session.run(f"{number} + 1")).value
        await session.aclose()
        return value

    killer = asyncio.create_task(kill())
    values = [await asyncio.gather(*(use(5 * row + n) for n in range(5))) for row in range(4)]
    await killer
    assert [value for row in values for value in row] == list(range(1, 21))


async def slow_to_fork(make_executor, tmp_path):
    """An executor whose kernels take half a second to be born, its template, and that one's children."""
    script = tmp_path / "slow.py"
    script.write_text(
        "import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep(0.5))\n"
    )
    executor = await make_executor(kernel=KernelConfig(preload=[str(script)]))
    await executor.start()
    (mine,) = [each for each in templates() if str(script) in each.key.preload]
    process = psutil.Process(mine.pid)
    return executor, process, {child.pid for child in process.children()}


@pytest.mark.parametrize("told", [True, False], ids=["after it is told of", "before"])
async def test_a_template_killed_as_it_has_just_forked(make_executor, tmp_path, told):
    """Whether or not the host has heard of the new process, both sessions come up, and soon."""
    executor, process, known = await slow_to_fork(make_executor, tmp_path)
    watched = reaper._REAPER._list
    async with asyncio.timeout(20):  # a fork that is never told of is given up after 30 s
        first = asyncio.create_task((await executor.session()).run("1 + 1"))
        while not (new := new_children(process, known)) or (
            told and ("group", new[0].pid) not in watched
        ):
            await asyncio.sleep(0.001)
        process.kill()
        assert (await first).value == 2
        assert (await (await executor.session()).run("2 + 2")).value == 4


async def test_a_kernel_outlives_a_template_that_is_replaced_right_after_the_fork(
    make_executor, tmp_path
):
    """What the host ends with a dead template is never a kernel that it has been given."""
    executor, process, known = await slow_to_fork(make_executor, tmp_path)
    watched = reaper._REAPER._list
    first = asyncio.create_task((await executor.session()).run("1 + 1"))
    while not any(("group", child.pid) in watched for child in new_children(process, known)):
        await asyncio.sleep(0.001)
    process.kill()
    second = (await executor.session()).run("2 + 2")
    assert [each.value for each in await asyncio.gather(first, second)] == [2, 4]


def new_children(process: psutil.Process, known: set[int]) -> list[psutil.Process]:
    """The children of a process that were not known."""
    return [child for child in process.children() if child.pid not in known]


async def test_the_template_runs_nothing_of_an_agent(make_executor):
    """What one session does to modules, environment, directory or random state, none other sees."""
    executor = await make_executor()
    code = (
        "import os, sys, random, json\n"
        "os.environ['LEFT'] = '1'; os.chdir('/'); sys.path.append('/left'); json.left = 1\n"
        "random.random()"
    )
    first = (await executor.run(code)).value
    session = await executor.session()
    again = await session.run(
        "import os, sys, random, json\n"
        "'LEFT' in os.environ, os.getcwd() == '/', '/left' in sys.path, hasattr(json, 'left'), random.random()"
    )
    assert again.value[:4] == (False, False, False, False)
    assert again.value[4] != first


@pytest.mark.parametrize("provisioner", ["py-code-mode-template", "py-code-mode-local"])
async def test_what_is_preloaded_is_there(make_executor, tmp_path, monkeypatch, provisioner):
    """Modules are imported, scripts have run in the session's namespace, once for a template."""
    monkeypatch.chdir(tmp_path)
    Path("setup.py").write_text(
        f"with open({str(tmp_path / 'runs')!r}, 'a') as file: file.write('run ')\n"
        "TABLE = {'a': 1}\ndef look(key): return TABLE[key]\n"
    )
    executor = await make_executor(
        kernel=KernelConfig(provisioner=provisioner, preload=["colorsys", "setup.py"])
    )
    sessions = [await executor.session() for _ in range(2)]
    for session in sessions:
        result = await session.run(
            "import sys\nTABLE['b'] = 2\n'colorsys' in sys.modules, look('b')"
        )
        assert result.value == (True, 2)
    assert (await sessions[0].run("sorted(TABLE)")).value == ["a", "b"]
    runs = (tmp_path / "runs").read_text().split()
    assert len(runs) == (1 if provisioner == "py-code-mode-template" else 2)


@pytest.mark.parametrize("provisioner", ["py-code-mode-template", "py-code-mode-local"])
async def test_a_preload_that_fails_is_named(make_executor, tmp_path, provisioner):
    """A missing module and a script that raises are errors that say what went wrong."""
    script = tmp_path / "broken.py"
    script.write_text("1 / 0")
    for item, why in (("no_such_module_xyz", "no_such_module_xyz"), (str(script), "ZeroDivision")):
        executor = await make_executor(kernel=KernelConfig(provisioner=provisioner, preload=[item]))
        with pytest.raises(KernelStartError, match=why):
            await executor.run("1")


def test_a_string_is_no_list_of_preloads():
    """The common slip is refused, and the right form is in the message."""
    with pytest.raises(TypeError, match=r"\['numpy'\]"):
        KernelConfig(preload="numpy")


async def warm_kernels(executor: CodeExecutor, count: int) -> list[int]:
    """Processes of the kernels that wait, when there are that many."""
    pool = executor._settings.pool()
    async with asyncio.timeout(30):
        while len(pool) < count:
            await asyncio.sleep(0.01)
    return [kernel.launched.manager.provisioner.pid for kernel in pool._ready]


async def test_kernels_are_ready_ahead(make_executor):
    """A session takes a waiting kernel, no two the same one, and the pool fills up again."""
    executor = await make_executor(kernel=KernelConfig(warm=2))
    await executor.start()
    waiting = await warm_kernels(executor, 2)
    sessions = [await executor.session() for _ in range(4)]
    pids = await asyncio.gather(*map(pid_of, sessions))
    assert set(waiting) <= set(pids)
    assert len(set(pids)) == 4
    again = await warm_kernels(executor, 2)
    assert not set(again) & set(pids)
    result = await sessions[0].run("print('first'); _i")
    assert (result.stdout, result.execution_count) == ("first\n", 2)


async def test_a_waiting_kernel_that_died_is_not_handed_out(make_executor):
    """Killed while it waited, a kernel is put away, and the session gets a living one."""
    executor = await make_executor(kernel=KernelConfig(warm=1))
    await executor.start()
    (pid,) = await warm_kernels(executor, 1)
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid):
            await asyncio.sleep(0.01)
    session = await executor.session()
    assert await pid_of(session) != pid


async def test_a_waiting_kernel_knows_tools_that_came_later(make_executor):
    """Tools added after a kernel was made ready are there when its session begins."""
    executor = await make_executor(kernel=KernelConfig(warm=1))
    await executor.start()
    await warm_kernels(executor, 1)

    def late() -> str:
        """Come late."""
        return "here"

    executor.registry.add(late)
    session = await executor.session()
    assert (await session.run("tools.late()")).value == "here"


async def test_the_pool_is_drained_on_close():
    """No waiting kernel outlives its executor, nor does one that was just starting."""
    executor = CodeExecutor(kernel=KernelConfig(warm=3, env={"MODE": "drained"}))
    await executor.start()
    pids = await warm_kernels(executor, 3)
    session = await executor.session()
    await session.run("1")
    await executor.aclose()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    (mine,) = [each for each in templates() if ("MODE", "drained") in each.key.env] or [None]
    assert mine is None


@pytest.fixture
async def manager(tmp_path) -> AsyncIterator[AsyncKernelManager]:
    """An ordinary kernel manager whose kernelspec names the template provisioner."""
    spec = {
        "argv": [sys.executable, "-m", "kernel_bootstrap", "-f", "{connection_file}"],
        "display_name": "forked",
        "language": "python",
        "metadata": {
            "kernel_provisioner": {
                "provisioner_name": "py-code-mode-template",
                "config": {"preload": ["colorsys"]},
            }
        },
    }
    (tmp_path / "kernels" / "forked").mkdir(parents=True)
    (tmp_path / "kernels" / "forked" / "kernel.json").write_text(json.dumps(spec))
    specs = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")], ensure_native_kernel=False)
    made = AsyncKernelManager(
        kernel_name="forked",
        kernel_spec_manager=specs,
        connection_file=str(tmp_path / "kernel.json"),
    )
    yield made
    if made.has_kernel:
        await made.shutdown_kernel(now=True)
    made.context.destroy(linger=0)


async def test_any_jupyter_program_can_use_templates(manager, tmp_path, eventually):
    """A kernelspec is enough: jupyter_client starts, restarts, interrupts and ends such a kernel."""
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")}
    await manager.start_kernel(env=environment, cwd=str(tmp_path))
    assert isinstance(manager.provisioner, TemplateKernelProvisioner)
    shown: list[str] = []

    def output(message) -> None:
        if message["msg_type"] == "execute_result":
            shown.append(message["content"]["data"]["text/plain"])

    async def run(code: str) -> str:
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            await client.execute_interactive(code, output_hook=output, timeout=60)
        finally:
            client.stop_channels()
        return shown[-1]

    assert await run("import os, sys; 'colorsys' in sys.modules") == "True"
    assert await run("os.getcwd()") == repr(str(tmp_path))
    await manager.restart_kernel(now=True)
    assert await run("'sys' in dir()") == "False"
    kernel = psutil.Process(manager.provisioner.pid)
    assert await manager.is_alive()
    await manager.shutdown_kernel()
    assert not await manager.is_alive()
    await eventually(lambda: not kernel.is_running())


@pytest.fixture
def many_open_files() -> Iterator[None]:
    """More open files than ``select`` can look at, as a host of hundreds of sessions has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4_096 if hard == resource.RLIM_INFINITY else min(hard, 4_096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    yield
    for each in opened:
        os.close(each)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_host_with_many_open_files(many_open_files, make_executor):
    """Kernels start, their death is seen, and they end, whatever the numbers of descriptors."""
    executor = await make_executor()
    assert (await executor.run("1 + 1")).value == 2
    dead = await executor.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert dead.error.name == "KernelDied"
    branch = await executor.fork()
    assert (await branch.run("3")).value == 3
    await branch.aclose()
    await executor.aclose()
