"""Cells that a person sends to a session's kernel, from JupyterLab or a console."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from jupyter_client.asynchronous import AsyncKernelClient

from py_code_mode import ToolRegistry, live
from py_code_mode.events import Finished, Printed, Started, ToolCalled


@pytest.fixture
async def join():
    """Connect further clients to a session's kernel, as a front end does."""
    clients = []

    async def connect(executor):
        (session,) = [each for each in live.live_sessions() if each.name == "default"]
        client = AsyncKernelClient(connection_file=session.connection_file)
        client.load_connection_file()
        client.start_channels()
        clients.append(client)
        await client.wait_for_ready(timeout=30)
        return client

    yield connect
    for client in clients:
        client.stop_channels()


def _double(x: int) -> int:
    return 2 * x


@pytest.fixture
async def executor(make_executor):
    """An executor with a tool, whose kernel is up."""
    registry = ToolRegistry()
    registry.add(_double, name="double")
    executor = await make_executor(registry=registry)
    await executor.run("data = [1, 2, 3]")
    return executor


async def test_a_persons_cell(executor, join, eventually):
    """It sees the agent's variables, calls tools, and stands in the transcript as a person's."""
    client = await join(executor)
    reply = await client.execute("mine = tools.double(x=sum(data)); print(mine); mine", reply=True)
    assert reply["content"]["status"] == "ok"
    await eventually(lambda: len(executor.transcript.cells) == 2)
    agents, persons = executor.transcript.cells
    assert agents.metadata.py_code_mode.origin == "agent"
    assert persons.metadata.py_code_mode.origin == "jupyter"
    assert persons.source == "mine = tools.double(x=sum(data)); print(mine); mine"
    kinds = [output.output_type for output in persons.outputs]
    assert kinds == ["stream", "execute_result", "display_data"]
    assert "by a person" in persons.outputs[-1].data["text/plain"]
    (call,) = persons.metadata.py_code_mode.tool_calls
    assert (call.tool, call.outcome) == ("double", "ok")
    assert (await executor.run("mine + 1")).value == 13


async def test_an_error_of_a_person(executor, join, eventually):
    """It is told like an agent's own."""
    client = await join(executor)
    await client.execute("1 / 0", reply=True)
    await eventually(lambda: len(executor.transcript.cells) == 2)
    assert executor.transcript.cells[1].outputs[0].ename == "ZeroDivisionError"


async def test_listening(executor, join):
    """Whoever listens to the session hears of all cells in turn, and who sent them."""
    client = await join(executor)
    events = []

    async def listen():
        async with aclosing(executor.stream()) as stream:
            async for event in stream:
                events.append(event)
                if sum(isinstance(each, Finished) for each in events) == 2:
                    return

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await client.execute("print(tools.double(x=4))", reply=True)
    await executor.run("2 + 2")
    await asyncio.wait_for(listening, 10)
    first, printed = events[0], next(each for each in events if isinstance(each, Printed))
    assert first == Started(2, origin="jupyter", code="print(tools.double(x=4))")
    assert printed == Printed("stdout", "8\n")
    assert [each.call.tool for each in events if isinstance(each, ToolCalled)] == ["double"]
    assert Started(3, origin="agent", code="2 + 2") in events
    assert events[-1].result.value == 4


async def test_listening_ends_with_the_session(executor):
    """Closing the session ends the stream of those who listen to it."""

    async def listen():
        return [event async for event in executor.stream()]

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await executor.aclose()
    assert await asyncio.wait_for(listening, 10) == []


async def test_an_agent_waits_for_a_person(executor, join, eventually):
    """A run does not break a person's cell; it waits for it, within its own limit."""
    client = await join(executor)
    client.execute("import time\nfor i in range(2000): time.sleep(0.01)")
    await eventually(lambda: executor.default._cells.slot.current.others.current)
    result = await executor.run("1 + 1", timeout=0.3)
    assert result.error.name == "CellNotRun"
    assert "a person sent from Jupyter" in result.error.message
    waiting = asyncio.create_task(executor.run("1 + 1", timeout=30))
    await asyncio.sleep(0)
    await executor.interrupt()  # of the person's cell, the one that runs
    assert (await waiting).value == 2
    persons = executor.transcript.cells[1:-1]
    assert [cell.metadata.py_code_mode.origin for cell in persons] == ["agent", "jupyter"]
    (error,) = [each for each in persons[1].outputs if each.output_type == "error"]
    assert error.ename == "KeyboardInterrupt"


async def test_a_person_interrupts_the_agent(executor, join):
    """An interrupt from a front end breaks the agent's cell; the session goes on."""
    client = await join(executor)
    code = "import time\nprint('begun', flush=True)\ntime.sleep(60)"
    running = asyncio.create_task(executor.run(code))
    # Before its code runs, an interrupt has nothing to break.
    while (await client.get_iopub_msg(timeout=10))["msg_type"] != "stream":
        pass
    client.control_channel.send(client.session.msg("interrupt_request", {}))
    assert (await asyncio.wait_for(running, 10)).error.name == "KeyboardInterrupt"
    assert (await executor.run("len(data)")).value == 3


async def test_a_front_end_cannot_end_the_session(executor, join):
    """A shutdown that somebody else asks for is refused, on either channel."""
    client = await join(executor)
    for channel in (client.control_channel, client.shell_channel):
        channel.send(client.session.msg("shutdown_request", {"restart": False}))
        while (reply := await channel.get_msg(timeout=10))["msg_type"] != "shutdown_reply":
            pass
        assert reply["content"]["status"] == "error"
        assert "close or reset that instead" in reply["content"]["evalue"]
    assert (await executor.run("len(data)")).value == 3


async def test_a_hostile_kernel_makes_no_end_of_it(executor):
    """Cells that a kernel invents neither hold up a run for ever nor fill the host."""
    forge = (
        "import uuid\n"
        "kernel = get_ipython().kernel\n"
        "for number in range(50):\n"
        "    header = {'msg_id': uuid.uuid4().hex, 'session': 'x', 'msg_type': 'execute_request'}\n"
        "    said = {'code': 'x' * 100, 'execution_count': number}\n"
        "    kernel.session.send(kernel.iopub_socket, 'execute_input', said, parent=header)\n"
    )
    assert (await executor.run(forge)).is_ok
    result = await executor.run("1 + 1", timeout=0.5)
    assert result.error.name == "CellNotRun"
    await executor.reset()
    assert (await executor.run("1 + 1")).value == 2


async def test_live_sessions(executor, make_executor):
    """Sessions of several executors are found by name, with their notebooks; closed ones are not."""
    other = await make_executor()
    await (await other.session("second")).run("print('hello')")
    ids = {each.name: each for each in live.live_sessions()}
    assert {"default", "second"} <= set(ids)
    assert ids["default"].id != ids["second"].id
    found = live.find_session("second")
    assert Path(found.connection_file).parent.stat().st_mode & 0o777 == 0o700
    notebook = await asyncio.to_thread(live.fetch_notebook, found)
    assert "".join(notebook["cells"][0]["outputs"][0]["text"]) == "hello\n"
    await other.aclose()
    assert "second" not in {each.name for each in live.live_sessions()}


class Debugger:
    """Speaks the debug adapter protocol with a kernel, as JupyterLab does."""

    def __init__(self, client):
        self._client, self._seq = client, 0

    async def ask(self, command, **arguments):
        """Send a request; return the body of its answer."""
        answer = await self.request(command, **arguments)
        assert answer["success"], answer
        return answer.get("body")

    async def request(self, command, **arguments):
        """Send a request; return its answer."""
        self._seq += 1
        said = {"type": "request", "seq": self._seq, "command": command, "arguments": arguments}
        message = self._client.session.msg("debug_request", said)
        self._client.control_channel.send(message)
        while True:
            reply = await self._client.control_channel.get_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return reply["content"]

    async def stopped(self):
        """Wait until a breakpoint is hit; return the thread's number."""
        while True:
            content = (await self._client.get_iopub_msg(timeout=30))["content"]
            if content.get("event") == "stopped":
                return content["body"]["threadId"]


async def test_a_debugger(executor, join):
    """Variables can be inspected, and a breakpoint in a person's cell holds it until it goes on."""
    client = await join(executor)
    if executor.sandbox.name != "none":
        refused = await Debugger(client).request("initialize")
        assert "the debugger needs a port" in refused["message"]
        return
    debugger, code = Debugger(client), "a = len(data)\nb = a + tools.double(x=a)\nb"
    await debugger.ask("initialize", clientID="test", adapterID="", pathFormat="path")
    await debugger.ask("attach")
    names = [v["name"] for v in (await debugger.ask("inspectVariables"))["variables"]]
    assert "data" in names
    path = (await debugger.ask("dumpCell", code=code))["sourcePath"]
    await debugger.ask("setBreakpoints", breakpoints=[{"line": 2}], source={"path": path})
    await debugger.ask("configurationDone")
    client.execute(code)
    thread = await debugger.stopped()
    frame, *_ = (await debugger.ask("stackTrace", threadId=thread))["stackFrames"]
    assert frame["line"] == 2
    await debugger.ask("continue", threadId=thread)
    assert (await executor.run("b")).value == 9
