"""Sessions on the nodes of a Ray cluster: three hosts with networks of their own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter

import pytest

from py_code_mode import (
    Finished,
    PlacementError,
    Printed,
    RedisArtifactStore,
    RedisSkillStore,
    Sandbox,
    ToolRegistry,
    create_skill_library,
)
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.needs("ip"),
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(400),
]

WHERE = "import socket, re, subprocess\nre.search(r'inet (10\\.\\S+)/', subprocess.run(['ip', 'addr'], capture_output=True, text=True).stdout)[1]"


def pid_of(session) -> int:
    """Number of a session's process; all hosts of the test share one kernel of Linux."""
    return session._cells.slot.current.launched.pid


@pytest.fixture
def registry() -> ToolRegistry:
    """A tool that runs in this process."""
    made = ToolRegistry()

    @made.add
    def host_pid(n: int = 0) -> list[int]:
        """Return this process's number, and what was given."""
        return [os.getpid(), n]

    return made


async def test_tools_skills_and_artifacts(on_cluster, registry, redis_servers, ray_cluster):
    """Code on another host calls tools of this one, and finds skills and artifacts in Redis."""
    redis = redis_servers("redis-server").client()
    executor = await on_cluster(
        registry=registry,
        skill_library=create_skill_library(RedisSkillStore(redis, prefix="cluster")),
        artifact_store=RedisArtifactStore(redis, prefix="cluster"),
    )
    assert (await executor.run(WHERE)).value in {node.ip for node in ray_cluster.nodes}
    assert (await executor.run("tools.host_pid(n=7)")).value == [os.getpid(), 7]
    code = "def run(n: int) -> int:\n    return n * 3\n"
    made = await executor.run(f"skills.create('triple', {code!r}, 'Three times a number')")
    assert made.error is None
    assert (await executor.run("skills.triple(n=5)")).value == 15
    result = await executor.run("artifacts.save('a', {'n': 1}); artifacts.load('a')")
    assert result.value == {"n": 1}
    assert (
        await executor.run("import sys; print('out'); sys.stderr.write('err')")
    ).stdout == "out\n"
    redis.close()


async def test_a_thousand_tool_calls(on_cluster, registry):
    """A thousand calls of a tool, eight at a time, each get their own answer."""
    executor = await on_cluster(registry=registry)
    code = "[r[1] for r in tools.map('host_pid', [{'n': n} for n in range(1000)])]"
    assert (await executor.run(code, timeout=60)).unwrap() == list(range(1000))


async def test_an_artifact_of_100_megabytes(on_cluster, redis_servers):
    """A large artifact goes to the store and comes back whole."""
    redis = redis_servers("redis-server").client()
    executor = await on_cluster(artifact_store=RedisArtifactStore(redis, prefix="big"))
    code = (
        "import hashlib, random\ndata = random.Random(1).randbytes(100_000_000)\n"
        "artifacts.save('big', data)\nartifacts.load('big') == data, hashlib.sha256(data).hexdigest()"
    )
    same, digest = (await executor.run(code, timeout=90)).unwrap()
    assert same
    assert len(digest) == 64
    redis.close()


async def test_an_interrupt_and_a_time_limit(on_cluster):
    """A cell on another host is interrupted at once, and variables stay."""
    executor = await on_cluster()
    await executor.run("x = 5")
    async for event in executor.stream("print('on')\nimport time; time.sleep(60)"):
        if isinstance(event, Printed):
            await executor.interrupt()
        elif isinstance(event, Finished):
            assert "KeyboardInterrupt" in event.result.error
            assert event.result.seconds < 20
    late = await executor.run("while True: pass", timeout=0.5)
    assert late.error.name == "ExecutionTimeout"
    assert (await executor.run("x")).value == 5


async def test_a_killed_kernel_is_replaced(on_cluster):
    """A kernel that dies says how, with its last words, and the next run has a new one."""
    executor = await on_cluster()
    result = await executor.run("print('last words'); import os, signal; os.kill(os.getpid(), 9)")
    assert result.error.name == "KernelDied"
    assert "SIGKILL" in result.error.message
    assert result.stdout == "last words\n"
    assert (await executor.run("1 + 1")).value == 2


async def test_a_fork_has_its_parents_state_and_node(on_cluster):
    """A branch begins with all variables, on the node of its parent, and goes its own way."""
    executor = await on_cluster()
    await executor.run("data = [1, 2]")
    branch = await executor.fork()
    assert (await branch.run("data.append(3); data")).value == [1, 2, 3]
    assert (await executor.run("data")).value == [1, 2]
    assert (await branch.run(WHERE)).value == (await executor.run(WHERE)).value
    other = await branch.fork()
    assert (await other.run("data")).value == [1, 2, 3]


async def test_a_confined_kernel(on_cluster, registry):
    """A confined kernel on another host has tools, no network, and can be forked."""
    executor = await on_cluster(registry=registry, kernel={"sandbox": Sandbox(level="landlock")})
    assert (await executor.run("tools.host_pid(n=1)")).value == [os.getpid(), 1]
    refused = await executor.run("import socket; socket.create_connection(('10.0.0.1', 80))")
    assert "PermissionError" in refused.error
    branch = await executor.fork()
    assert (await branch.run("tools.host_pid(n=2)")).value == [os.getpid(), 2]


async def test_a_stack_is_seen_from_here(on_cluster):
    """What a busy cell on another host is doing can be looked at."""
    executor = await on_cluster()
    running = asyncio.create_task(executor.run("def spin():\n    while True: pass\nspin()"))
    seen = ""
    while "spin" not in seen:
        seen = (await executor.peek()).text if not running.done() else "spin"
        await asyncio.sleep(0.05)
    assert not running.done()
    await executor.interrupt()
    await running


async def test_working_files_reach_the_nodes(on_cluster, tmp_path):
    """The files of a folder are where the code runs."""
    (tmp_path / "numbers.txt").write_text("1 2 3")
    (tmp_path / "helper.py").write_text("ANSWER = 42")
    executor = await on_cluster(ray={"working_dir": tmp_path})
    result = await executor.run("import helper; open('numbers.txt').read(), helper.ANSWER")
    assert result.unwrap() == ("1 2 3", 42)


async def test_sixty_sessions_are_spread_evenly(on_cluster, ray_cluster):
    """Sixty sessions are twenty on each node, all with one host actor."""
    executor = await on_cluster(ray={"resources": {"CPU": 0.1}})
    sessions = [await executor.session(f"s{n}") for n in range(60)]
    limit = asyncio.Semaphore(6)

    async def where(session) -> str:
        async with limit:
            return (await session.run(WHERE)).unwrap()

    found = Counter(await asyncio.gather(*map(where, sessions)))
    assert found == {node.ip: 20 for node in ray_cluster.nodes}
    for node in ray_cluster.nodes:
        assert sum("NodeHost" in words for words in node.ours()) == 1


async def test_no_node_has_room(on_cluster):
    """What no node has is an error that says what was asked for and what there is."""
    executor = await on_cluster(ray={"resources": {"GPU": 3}, "timeout": 1})
    with pytest.raises(PlacementError, match=r"no node had GPU 3 free within 1 s: .* has GPU 0"):
        await executor.run("1")


async def test_a_cluster_that_is_not_there(ray_cluster):
    """A cluster that cannot be reached is an error that says so, at once."""
    code = (
        "import asyncio\nfrom py_code_mode import CodeExecutor, KernelConfig, Ray, PlacementError\n"
        "async def main():\n"
        "    async with CodeExecutor(kernel=KernelConfig(placement=Ray(address='127.0.0.1:1'))) as it:\n"
        "        try:\n            await it.run('1')\n"
        "        except PlacementError as error:\n            print('told:', str(error)[:300])\n"
        "asyncio.run(main())\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=ray_cluster.env,
        cwd=ROOT,
    )
    assert "told: the Ray cluster at 127.0.0.1:1 cannot be reached" in done.stdout, done.stderr


PROGRAM = """
import asyncio, sys
from py_code_mode import CodeExecutor, KernelConfig, Ray

async def main():
    placement = Ray(address=sys.argv[1], lease=5)
    executor = CodeExecutor(kernel=KernelConfig(placement=placement))
    for n in range(3):
        session = await executor.session(str(n))
        await session.run("1")
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_program_leaves_nothing(ray_cluster, eventually):
    """When the program is killed, its kernels and host actors end when their lease is out."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, ray_cluster.address],
        env=ray_cluster.env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert (await asyncio.to_thread(program.stdout.readline)).strip() == "ready"
            assert any(node.ours() for node in ray_cluster.nodes)
        finally:
            program.kill()
    for node in ray_cluster.nodes:
        await eventually(lambda node=node: not node.ours() and not node.files(), 60)


async def test_a_node_that_is_killed(on_cluster, ray_cluster):
    """A run whose node is lost ends with a typed error, and the next one is on a living node."""
    executor = await on_cluster()
    ip = (await executor.run(WHERE)).unwrap()
    node = next(each for each in ray_cluster.nodes if each.ip == ip)
    async for event in executor.stream("print('on')\nimport time; time.sleep(100)", timeout=100):
        if isinstance(event, Printed):
            node.kill()
    assert isinstance(event, Finished)
    assert event.result.error.name == "KernelDied"
    assert f"node {ip} was lost" in event.result.error.message
    assert event.result.seconds < 60
    assert (await executor.run(WHERE)).unwrap() in {each.ip for each in ray_cluster.nodes}
