"""Kernels in gVisor do what kernels do, but come from no template; nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import tempfile

import pytest

from py_code_mode import (
    CodeExecutor,
    ConfigError,
    KernelConfig,
    KernelError,
    Sandbox,
    ToolRegistry,
)
from py_code_mode.sandbox import find_parents
from tests import leftovers


@pytest.fixture
async def executor(can_confine, open_python, monkeypatch):
    """An executor whose kernels are in gVisor; when it is closed nothing may be left."""
    can_confine("gvisor")
    async with CodeExecutor() as other:  # what loads once, loads now
        await other.run("1")
        await other.default.set_variable("large", bytes(1_000_000))

    async def echo(n: int) -> int:
        """Give it back."""
        return n

    tools = ToolRegistry()
    tools.add(echo)
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        before = leftovers.here()
        sandbox = Sandbox(level="gvisor", processes=40)
        async with CodeExecutor(tools, kernel=KernelConfig(sandbox=sandbox, grace=4.0)) as made:
            yield made
        await leftovers.nothing_more_than(before)
    groups = [
        each
        for parent in find_parents().values()
        for each in parent.glob(f"py-code-mode-{os.getpid()}-*")
    ]
    assert groups == []


@pytest.mark.timeout(120)
async def test_what_a_session_can(executor):
    """Values, output, errors, displays, tools, artifacts, variables, shell: as elsewhere."""
    assert executor.sandbox.name == "gvisor"
    result = await executor.run(
        "import asyncio, os, sys\n"
        "print('out'); print('err', file=sys.stderr)\n"
        "display({'text/html': '<b>x</b>'}, raw=True)\n"
        "artifacts.save('a', {'n': 1})\n"
        "shell = !echo from a shell\n"
        "await asyncio.sleep(0)\n"
        "x = [tools.echo(n=n) for n in range(3)]\n"
        "x, artifacts.load('a'), list(shell), os.uname().nodename"
    )
    assert result.error is None, result.error
    assert result.value == ([0, 1, 2], {"n": 1}, ["from a shell"], "sandbox")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")
    assert [call.tool for call in result.tool_calls] == ["echo"] * 3
    assert any("text/html" in output.data for output in result.outputs)
    assert "x" in [each.name for each in await executor.default.variables()]
    assert await executor.default.get_variable("x") == [0, 1, 2]
    failed = await executor.run("1 / 0")
    assert failed.error.name == "ZeroDivisionError"


@pytest.mark.timeout(120)
async def test_limits_interrupts_and_death(executor):
    """A limit and a person's interrupt break code, what is deaf is killed, death is told."""
    session = executor.default
    await session.run("x = 1\nimport time")
    late = await session.run("print('on')\ntime.sleep(60)", timeout=0.5)
    assert (late.error.name, late.state_lost, late.stdout) == ("ExecutionTimeout", False, "on\n")
    running = asyncio.create_task(session.run("time.sleep(60)"))
    while not (await session.peek()).code:
        await asyncio.sleep(0.01)
    await session.interrupt()
    assert (await running).error.name == "KeyboardInterrupt"
    assert (await session.run("x")).value == 1
    deaf = await session.run("print('before', flush=True)\nsum(range(10**11))", timeout=0.5)
    assert (deaf.error.name, deaf.state_lost, deaf.stdout) == ("ExecutionTimeout", True, "before\n")
    died = await session.run("import os; os._exit(3)")
    assert (died.error.name, died.state_lost) == ("KernelDied", True)
    assert "code 3" in died.error.message
    assert (await session.run("1 + 1")).value == 2


@pytest.mark.timeout(120)
async def test_what_it_cannot(executor):
    """It cannot be forked, nor come from a template, which errors say."""
    await executor.run("x = 1")
    with pytest.raises(KernelError, match="gVisor"):
        await executor.default.fork()
    assert (await executor.run("x")).value == 1
    config = KernelConfig(sandbox="gvisor", provisioner="py-code-mode-template")
    async with CodeExecutor(kernel=config) as other:
        with pytest.raises(ConfigError, match="no template"):
            await other.run("1")


@pytest.mark.timeout(120)
async def test_files_and_network(executor, tmp_path, can_confine):
    """What is named can be read, or changed; loopback is the session's own."""
    (tmp_path / "read").mkdir()
    (tmp_path / "read" / "a.txt").write_text("to be read")
    (tmp_path / "write").mkdir()
    sandbox = Sandbox(
        level="gvisor",
        read=[tmp_path / "read"],
        write=[tmp_path / "write"],
        network="loopback",
    )
    async with CodeExecutor(kernel=KernelConfig(sandbox=sandbox)) as other:
        result = await other.run(
            "import os, socket\n"
            f"read, write = {str(tmp_path / 'read')!r}, {str(tmp_path / 'write')!r}\n"
            "text = open(read + '/a.txt').read()\n"
            "open(write + '/b.txt', 'w').write('written')\n"
            "try:\n    open(read + '/c.txt', 'w')\nexcept OSError as error:\n    refused = str(error)\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "client = socket.create_connection(server.getsockname())\n"
            "client.sendall(b'hello')\n"
            "text, refused, server.accept()[0].recv(5)"
        )
    assert result.error is None, result.error
    text, refused, heard = result.value
    assert (text, heard) == ("to be read", b"hello")
    assert "Read-only" in refused
    assert (tmp_path / "write" / "b.txt").read_text() == "written"
