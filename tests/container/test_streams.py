"""A run's events over connections that break anywhere: none is lost, none comes twice."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing

import pytest

from py_code_mode.container import (
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    SessionClient,
    SessionLost,
    streaming,
)
from py_code_mode.errors import KernelStartError
from py_code_mode.events import (
    Displayed,
    Event,
    Finished,
    Printed,
    Started,
    ToolProgressed,
)
from py_code_mode.results import ExecutionResult, Output
from tests.container.scripted import EVENT_STREAM, Asked, http, serving, sse

EVENTS: list[Event] = [
    Started(1),
    Printed("stdout", "ü\n"),
    Displayed(Output("display", {"text/plain": "1"})),
    Printed("stdout", "ü\n"),
    ToolProgressed("t", 0.5),
    Finished(ExecutionResult(value={1: b"x"}, stdout="ü\nü\n", execution_count=1)),
]


class Server:
    """Has runs of ``EVENTS``; what becomes of each request, tests say by session.

    Attributes:
        script: Session -> what to do with its requests, one after another: a number of bytes of
            the stream to send, then the connection breaks; bytes to send instead; None sends it
            all. After the last of them all is sent.
        seen: Session -> its requests.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[int | bytes | None]] = {}
        self.seen: dict[str, list[Asked]] = {}
        self.runs: dict[str, str] = {}
        self.events = [*EVENTS]

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        _, _, session, verb = asked.target.partition("?")[0].split("/")
        seen = self.seen.setdefault(session, [])
        seen.append(asked)
        if verb == "interrupt":
            writer.write(http(204))
            return
        script = self.script.get(session, [])
        step = script.pop(0) if script else None
        if isinstance(step, bytes):
            writer.write(step)
            return
        after = 0
        if asked.method == "POST":
            self.runs[session] = asked.json["run"]
        else:
            run, _, number = asked.headers["last-event-id"].rpartition(".")
            assert run == self.runs[session]
            after = max(int(number) - 1, 0)  # the last one comes again
        whole = EVENT_STREAM + b": stream\n\n" + self.frames(session, after)
        writer.write(whole if step is None else whole[:step])
        await writer.drain()
        if step is not None and len(seen) % 2:
            writer.transport.abort()

    def frames(self, session: str, after: int = 0) -> bytes:
        numbered = itertools.islice(enumerate(self.events, 1), after, None)
        return b"".join(sse(self.runs[session], number, event) for number, event in numbered)

    def asked(self, session: str) -> list[str]:
        """Which requests came, in short."""
        requests = self.seen[session]
        return [f"{each.method} {each.target.rpartition('/')[2]}" for each in requests]


@pytest.fixture
def server() -> Server:
    return Server()


async def events_of(url: str, session: str) -> list[Event]:
    async with SessionClient(url, session=session) as client:
        return [event async for event in client.stream("1")]


async def test_a_connection_may_break_anywhere(server):
    """Wherever the stream breaks, once or twice, all events come, each of them once."""
    async with serving(server) as url:
        size = len(EVENT_STREAM) + 32 * len(EVENTS) + 1500
        for cut in range(0, size, 13):
            server.script[f"s{cut}"] = [cut, cut // 2 + 40]
        found = await asyncio.gather(*(events_of(url, session) for session in [*server.script]))
    assert all(events == EVENTS for events in found)
    # A run is begun once, unless its request was never answered; here it always arrived.
    for session in server.seen:
        assert server.asked(session).count("POST stream") == 1


async def test_run_is_the_stream_folded(server):
    """``run`` asks for the result alone, survives a break, and takes a server that sends all."""
    async with serving(server) as url, SessionClient(url, session="s") as client:
        server.script["s"] = [150]
        assert await client.run("code", timeout=7) == EVENTS[-1].result
    first, second = server.seen["s"]
    assert first.target == second.target == "/sessions/s/stream?events=finished"
    assert {**first.json, "run": ""} == {"code": "code", "timeout": 7, "run": ""}


GONE = http(410, {"error": {"type": "stream_gone", "message": "not kept"}})


async def test_a_request_that_never_arrived_is_sent_again(server):
    """When the server knows nothing of a run whose request broke, it is begun anew."""
    async with serving(server) as url:
        server.script["s"] = [b"", GONE]
        assert await events_of(url, "s") == EVENTS
    assert server.asked("s") == ["POST stream", "GET stream", "POST stream"]


async def test_a_run_that_is_gone(server):
    """A run whose events are no longer kept is not begun anew."""
    async with serving(server) as url:
        server.script["s"] = [300, GONE]
        with pytest.raises(ServerUnreachable, match="not kept"):
            await events_of(url, "s")
    assert server.asked("s") == ["POST stream", "GET stream"]


async def test_a_server_that_was_started_anew(server):
    """A server that has lost the session says so, and the client does."""
    async with serving(server) as url:
        lost = http(410, {"error": {"type": "session_lost", "message": "started anew"}})
        server.script["s"] = [300, lost]
        with pytest.raises(SessionLost, match="started anew"):
            await events_of(url, "s")


async def test_a_proxy_whose_server_is_away(server):
    """Failures that pass are waited out once the run has begun, and are the answer before."""
    async with serving(server) as url:
        server.script["s"] = [300, http(502), http(503, Retry_After="0"), http(429)]
        assert await events_of(url, "s") == EVENTS
        server.script["t"] = [http(503, Retry_After="9")]
        with pytest.raises(ServerBusy) as caught:
            await events_of(url, "t")
        assert caught.value.retry_after == 9
    assert server.asked("t") == ["POST stream"]


async def test_a_server_that_is_gone(server, monkeypatch):
    """A connection that cannot be made again is given up after a while."""
    monkeypatch.setattr(streaming, "RESUME_SECONDS", 0.2)
    async with serving(server) as url:
        server.script["s"] = [300, *[b""] * 100]
        with pytest.raises(ServerUnreachable):
            await events_of(url, "s")
    assert server.asked("s").count("POST stream") == 1


async def test_silence_is_a_break(server):
    """Without events or pings the stream is asked for anew, and the run goes on."""

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.method == "POST":
            server.runs["s"] = asked.json["run"]
            frames = server.frames("s")
            writer.write(EVENT_STREAM + frames[: frames.index(b"\n\n", 300) + 2])
            for _ in range(10):  # longer than the client's patience, were it not for these
                await asyncio.sleep(0.1)
                writer.write(b": ping\n\n")
                await writer.drain()
            await asyncio.sleep(60)
        await server(asked, writer)

    async with serving(slow) as url, SessionClient(url, session="s", patience=0.5) as client:
        assert [event async for event in client.stream("1")] == EVENTS
    assert server.asked("s") == ["GET stream"]


async def test_events_of_a_newer_server(server):
    """Types of events that this version does not know are left out."""
    new = {"type": "dreamt", "of": "sheep"}
    server.events = [EVENTS[0], new, *EVENTS[1:]]  # type: ignore[list-item]
    async with serving(server) as url:
        assert await events_of(url, "s") == EVENTS


BROKEN = {
    "no JSON": b"id: RUN.1\nevent: printed\ndata: {\n\n",
    "no event": b"id: RUN.1\nevent: printed\ndata: {}\n\n",
    "another run's": sse("other", 1, EVENTS[0]),
    "no number": b"id: RUN.x\nevent: printed\ndata: {}\n\n",
    "an error that is none": b"id: RUN.1\nevent: error\ndata: []\n\n",
    "endless": b"data: " + b"x" * 100_000,
}


@pytest.mark.parametrize("frame", BROKEN.values(), ids=BROKEN.keys())
async def test_events_that_are_none(server, frame):
    """Malformed events end the stream, and the run is stopped."""

    async def broken(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target.endswith("/stream"):
            writer.write(EVENT_STREAM + frame.replace(b"RUN", asked.json["run"].encode()))
        else:
            await server(asked, writer)

    async with serving(broken) as url, SessionClient(url, session="s", max_bytes=50_000) as client:
        with pytest.raises(ServerFailed):
            await client.stream("1").__anext__()
    if b"event: error" not in frame:
        assert server.asked("s") == ["POST interrupt"]


@pytest.mark.parametrize(
    ("kind", "expected"), [("kernel_start", KernelStartError), ("internal", ServerFailed)]
)
async def test_the_machinery_fails_in_mid_stream(server, kind, expected):
    """What the server's machinery says in the stream is raised, with its type."""
    server.events = [EVENTS[0], {"error": {"type": kind, "message": "why"}}]  # type: ignore[list-item]
    async with serving(server) as url, SessionClient(url, session="s") as client:
        with pytest.raises(expected, match="why") as caught:
            await client.run("1")
        assert type(caught.value) is expected
    assert server.asked("s") == ["POST stream?events=finished"]  # there is nothing to stop


async def test_who_leaves_early_stops_the_run(server):
    """Leaving the loop, and cancelling, has the server stop that run and no other."""
    server.events = EVENTS[:3]

    async def waiting(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await server(asked, writer)
        if "/stream" in asked.target:
            await writer.drain()
            await asyncio.sleep(60)

    async with serving(waiting) as url, SessionClient(url, session="s") as client:
        async with aclosing(client.stream("1")) as events:
            async for _ in events:
                break
        running = asyncio.create_task(client.run("2"))
        while "s" not in server.seen or len(server.seen["s"]) < 2:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    stream, *others = server.seen["s"]
    stops = [each.json for each in others if each.target.endswith("/interrupt")]
    runs = [each.json for each in (stream, *others) if "/stream" in each.target]
    assert sorted(stop["run"] for stop in stops) == sorted(run["run"] for run in runs)
    assert len(stops) == 2


async def test_a_session_is_made_once(server):
    """The default session is made with the first use, and by many at once only once."""
    made = 0

    async def making(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        if asked.target == "/sessions":
            made += 1
            await asyncio.sleep(0.05)
            writer.write(http(201, {"id": f"s{made}", "name": "n"}))
        elif asked.method == "DELETE":
            server.seen.setdefault("deleted", []).append(asked)
            writer.write(http(204))
        else:
            await server(asked, writer)

    async with serving(making) as url, SessionClient(url) as client:
        results = await asyncio.gather(*(client.run("1") for _ in range(5)))
        assert len(results) == 5
        assert client.default.id == "s1"
    assert made == 1
    assert [each.target for each in server.seen["deleted"]] == ["/sessions/s1"]
