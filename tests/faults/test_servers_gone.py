"""Redis, and an MCP server, go away and come back in the midst of a cell."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from py_code_mode import (
    CodeExecutor,
    RedisArtifactStore,
    RedisSkillStore,
    ToolRegistry,
    create_skill_library,
)
from tests.redis_servers import Server, running
from tests.tools.mcp_servers import odd

STEPS = """
import time

def step(name):
    try:
        artifacts.save(name, [name])
        skills.create(name, "def run():\\n    return 1\\n", name)
        return artifacts.load(name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

said = [step("before")]
tools.turn(state="off")
said += [step("off"), step("off")]
tools.turn(state="on")
said += [step("after"), artifacts.load("before"), skills.before()]
said
"""


@pytest.fixture
def way() -> str:
    """How kernels come to be: it makes no difference here."""
    return "template"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A redis-server of the test's own, which writes all to disk."""
    with running("redis-server", tmp_path, "--appendonly", "yes", "--appendfsync", "always") as own:
        yield own


@pytest.mark.needs("redis-server")
async def test_redis_goes_away_and_comes_back_in_a_cell(make, server):
    """The code gets errors that say so, and afterwards all is there, with the same stores."""
    client = redis.Redis(port=server.port, socket_timeout=2)
    store = RedisArtifactStore(client, prefix="agent")
    library = create_skill_library(RedisSkillStore(client, prefix="agent"))
    tools = ToolRegistry()

    def turn(state: str) -> None:
        """Kill the server, or start it."""
        server.stop() if state == "off" else server.start()

    tools.add(turn)
    executor: CodeExecutor = await make(
        registry=tools, skill_library=library, artifact_store=store, default_timeout=60
    )
    result = await executor.run(STEPS)
    assert result.error is None, result.error
    before, *gone, after, kept, skill = result.value
    assert (before, after, kept, skill) == (["before"], ["after"], ["before"], 1)
    for said in gone:
        assert said.startswith(("ArtifactError: ", "ArtifactWriteError: "))
        assert str(server.port) in said
    names = await executor.run("sorted(each.name for each in artifacts.list())")
    assert names.value == ["after", "before"]
    client.close()


async def test_an_mcp_server_is_killed_between_and_in_calls_of_a_cell(make):
    """Between calls it is started anew; in one the code gets an error that says so, and goes on."""
    tools = ToolRegistry()
    adapter = odd()
    tools.register_adapter(adapter)

    def kill_server(pid: int) -> None:
        """Kill it."""
        os.kill(pid, signal.SIGKILL)
        # Whoever has started it waits for it: here it is only looked at.
        with contextlib.suppress(psutil.NoSuchProcess):
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.005)

    tools.add(kill_server)
    await adapter.start()
    executor: CodeExecutor = await make(registry=tools)
    result = await executor.run(
        "first = int(tools.odd.pid())\n"
        "tools.kill_server(pid=first)\n"
        "second = int(tools.odd.pid())\n"
        "try:\n"
        "    tools.odd.die()\n"
        "except tools.ToolCallError as error:\n"
        "    said = str(error)\n"
        "third = int(tools.odd.pid())\n"
        "len({first, second, third}), said"
    )
    assert result.error is None, result.error
    assert result.value[0] == 3
    assert "'odd' ended while its tool 'die' ran" in result.value[1]
    await executor.aclose()
    await adapter.aclose()
