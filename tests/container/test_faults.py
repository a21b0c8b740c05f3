"""What happens to a client when connections, servers and kernels break, for real."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from py_code_mode.container import (
    NotAuthorized,
    ServerBusy,
    ServerUnreachable,
    SessionClient,
    SessionLost,
    SessionNotFound,
    streaming,
)
from py_code_mode.errors import ArtifactNotFoundError, ArtifactWriteError
from py_code_mode.events import Finished, Printed
from tests.container.conftest import TOKEN, ServerProcess


class Proxy:
    """Passes bytes on to a server, and breaks its connections when told to.

    Attributes:
        stuck: Whether it passes nothing on, and keeps the connections.
        cuts: How many connections it broke.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.stuck = False
        self.cuts = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        """Listen."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self
            server.close()
            self.stuck = False
            self.cut()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """Break all connections."""
        for writer in [*self._writers]:
            writer.transport.abort()
            self.cuts += 1

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, far_writer}
        self._tasks |= {task for task in [asyncio.current_task()] if task is not None}
        back = asyncio.create_task(self._copy(far_reader, writer))
        there = asyncio.create_task(self._copy(reader, far_writer))
        await asyncio.wait({back, there}, return_when=asyncio.FIRST_COMPLETED)
        for task in (back, there):
            task.cancel()
        for each in (writer, far_writer):
            each.transport.abort()
            self._writers.discard(each)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                while self.stuck:
                    await asyncio.sleep(0.02)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass


@pytest.fixture
async def proxy(server) -> AsyncIterator[Proxy]:
    async with Proxy(server.port).running() as one:
        yield one


PRINTING = """
import time
for number in range(150):
    print(number)
    time.sleep(0.01)
number
"""


def check(events: list[Any]) -> None:
    """All that was printed came, once and in order, and the result last."""
    printed = "".join(event.text for event in events if isinstance(event, Printed))
    assert printed == "".join(f"{number}\n" for number in range(150))
    assert isinstance(events[-1], Finished)
    assert events[-1].result.value == 149
    assert events[-1].result.stdout == printed


async def test_streams_outlive_their_connections(proxy):
    """Runs whose connections break again and again lose nothing, and nothing comes twice."""
    async with SessionClient(proxy.url, TOKEN) as client:
        sessions = [await client.session() for _ in range(4)]
        for session in sessions:
            await session.start()
        begun = proxy.cuts

        async def follow(session: Any) -> list[Any]:
            return [event async for event in session.stream(PRINTING)]

        following = asyncio.gather(*map(follow, sessions))
        while not following.done():
            await asyncio.sleep(0.13)
            proxy.cut()
        for events in await following:
            check(events)
        assert proxy.cuts - begun > 20
        assert (await sessions[0].run("number")).execution_count == 2  # it ran once


async def test_a_run_outlives_its_connection(proxy):
    """``run`` gives the whole result though its connection broke before, and runs the code once."""
    async with SessionClient(proxy.url, TOKEN) as client:
        await client.run("count = 0")
        running = asyncio.create_task(client.run("import time; time.sleep(0.6); count += 1; count"))
        for _ in range(4):
            await asyncio.sleep(0.1)
            proxy.cut()
        assert (await running).value == 1


async def test_a_network_that_hangs(proxy):
    """A connection that says nothing for too long is made anew; the run goes on meanwhile."""
    async with SessionClient(proxy.url, TOKEN, patience=0.6) as client:
        await client.start()
        running = asyncio.create_task(client.run("import time; time.sleep(0.3); 'end'"))
        await asyncio.sleep(0.1)
        proxy.stuck = True
        await asyncio.sleep(0.8)
        proxy.stuck = False
        assert (await running).value == "end"


async def test_tokens(server):
    """Without the right token nothing is told, and a session of another token is not there."""
    for token in (None, "wrong", TOKEN + "x"):
        async with SessionClient(server.url, token) as stranger:
            for work in (stranger.run("1"), stranger.artifacts.list(), stranger.list_tools()):
                with pytest.raises(NotAuthorized) as caught:
                    await work
                assert caught.value.status == 401


@pytest.fixture(scope="module")
def fragile(tmp_path_factory) -> Iterator[ServerProcess]:
    """A server that is small and impatient, and may be killed."""
    one = ServerProcess(tmp_path_factory.mktemp("fragile"), resume_seconds="0.5", max_sessions="2")
    one.start()
    yield one
    one.stop()


async def test_a_server_that_is_killed(fragile, monkeypatch):
    """A killed server takes its kernels along; started anew it says what it lost, and blanks nothing."""
    port = fragile.port
    async with SessionClient(fragile.url, TOKEN) as client:
        await client.run("x = 1")
        kernel = (await client.run("import os; os.getpid()")).value
        running = asyncio.create_task(client.run("import time; time.sleep(60)"))
        while not await is_running(client.default):
            await asyncio.sleep(0.02)
        fragile.kill()
        await asyncio.to_thread(fragile.start, port)
        with pytest.raises(SessionLost, match="anew"):
            await asyncio.wait_for(running, 20)
        for work in (client.run("x"), client.variables(), client.interrupt()):
            with pytest.raises(SessionLost, match="anew"):
                await work
        await gone(kernel)
        await client.reset()  # says that the variables may go
        assert (await client.run("'x' in dir()")).value is False

        monkeypatch.setattr(streaming, "RESUME_SECONDS", 0.3)
        running = asyncio.create_task(client.run("import time; time.sleep(60)"))
        while not await is_running(client.default):
            await asyncio.sleep(0.02)
        fragile.kill()
        with pytest.raises(ServerUnreachable):
            await asyncio.wait_for(running, 20)
    await asyncio.to_thread(fragile.start, port)


async def is_running(session: Any) -> bool:
    return (await session.info())["state"] == "running"


async def gone(pid: int) -> None:
    """Wait until a process is no more."""
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


STREAMER = """
import asyncio, sys
from py_code_mode.container import SessionClient

async def main(url, token, session):
    client = SessionClient(url, token, session)
    async for event in client.stream("import time\\nprint('begun')\\ntime.sleep(60)"):
        print(event, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_client_that_is_killed(fragile):
    """The run of a client that was killed is interrupted after a while; its session goes on."""
    async with SessionClient(fragile.url, TOKEN) as client:
        await client.run("x = 5")
        other = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STREAMER, fragile.url, TOKEN, str(client.default.id)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert other.stdout is not None
        while b"begun" not in await asyncio.wait_for(other.stdout.readline(), 30):
            pass
        other.kill()
        await other.wait()
        assert (await asyncio.wait_for(client.run("x"), 20)).value == 5


async def test_a_session_that_was_ended_elsewhere(client, server):
    """A session that another client has ended is not there any more."""
    await client.run("1")
    async with SessionClient(server.url, TOKEN) as other:
        for session in await other.sessions():
            if session.id == client.default.id:
                ended = SessionClient(server.url, TOKEN, session.id)
                ended.default._owned = True
                await ended.aclose()
    with pytest.raises(SessionNotFound):
        await client.run("1")


async def test_a_session_to_come_back_to(server):
    """A client can leave its session for another one, which finds the variables."""
    async with SessionClient(server.url, TOKEN, keep=True) as first:
        await first.run("x = 7")
        session = first.default.id
    async with SessionClient(server.url, TOKEN, session) as second:
        assert (await second.execute("x")).value == 7
        second.default._owned = True


async def test_a_full_server(fragile):
    """A server with as many sessions as it may have says when to come back."""
    async with SessionClient(fragile.url, TOKEN) as client:
        await client.session()
        await client.session()
        with pytest.raises(ServerBusy) as caught:
            await client.start()
        assert caught.value.status == 429
        assert 0 < caught.value.retry_after <= 3600


async def test_artifacts(client, tmp_path):
    """Values come back from the server as they were, files byte for byte; what is none is not there."""
    store = client.artifacts
    value = {"a": (1, 2.5), 3: {4}}
    info = await store.save("made/value", value, "a value")
    assert (info.name, info.kind, info.description) == ("made/value", "value", "a value")
    assert await store.load("made/value") == value
    for name, each in {"text": "ü\n", "data": b"\0\xff", "json": [1, {"a": None}]}.items():
        await store.save(name, each)
        assert await store.load(name) == each
    assert (await client.run("artifacts.load('made/value')")).value == value
    await client.run("artifacts.save('theirs', {1: 2})")
    assert await store.load("theirs") == {1: 2}

    data = random.Random(1).randbytes(5_000_000)
    (tmp_path / "big.bin").write_bytes(data)
    await store.upload(tmp_path / "big.bin", "files/big ü.bin", "big")
    assert (await store.download("files/big ü.bin", tmp_path / "back")).read_bytes() == data
    assert await store.load("files/big ü.bin") == data
    assert [each.name for each in await store.list("files/")] == ["files/big ü.bin"]
    assert (await store.get("made/value")).sha256 == info.sha256
    assert await store.exists("text")
    assert await store.delete("text")
    assert not await store.delete("text")
    assert not await store.exists("text")
    assert await store.get("text") is None
    with pytest.raises(ArtifactNotFoundError):
        await store.load("text")
    with pytest.raises(ArtifactWriteError):
        await store.save("../x", 1)
    assert {each.name for each in tmp_path.iterdir()} == {"big.bin", "back"}


async def test_what_the_code_has(client):
    """Tools and skills are listed and found."""
    assert [tool["name"] for tool in await client.list_tools()] == ["echo"]
    assert [tool["name"] for tool in await client.search_tools("say")] == ["echo"]
    assert [skill["name"] for skill in await client.list_skills()] == ["double"]
    assert [skill["name"] for skill in await client.search_skills("double")] == ["double"]
