"""What every adapter must do, whatever is behind it; a new one is one more entry in ``KINDS``."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from py_code_mode import MCPAdapter
from py_code_mode.errors import ToolCallError, ToolError, ToolNotFoundError
from py_code_mode.tools import CLIAdapter, FunctionAdapter, ToolAdapter, ToolInfo, clean_name
from py_code_mode.tools.base import StartingAdapter
from py_code_mode.tools.http import Endpoint, HTTPAdapter, Param
from tests.tools.http_app import running
from tests.tools.mcp_servers import listening, proof


@dataclass
class Kind:
    """Adapters of one kind, their tools called ``name``.

    Attributes:
        echo: Its tool gives back its argument ``x``, as text.
        fail: Its tool fails, saying "gone wrong".
        pause: Its tool takes half a second.
        hang: Its tool writes "on" to the file of its argument ``x`` again and again for a
            minute: work that goes on can be seen there.
        stops: Whether the work ends with a cancelled call: a thread cannot be stopped.
    """

    echo: Callable[[], ToolAdapter]
    fail: Callable[[], ToolAdapter]
    pause: Callable[[], ToolAdapter]
    hang: Callable[[], ToolAdapter]
    stops: bool = True


def command(script: str, args: str = "{x}") -> Callable[[], CLIAdapter]:
    return lambda: CLIAdapter("name", command="sh", args=f"-c '{script}' {args}")


def function(tool: Callable[..., object]) -> Callable[[], FunctionAdapter]:
    def make() -> FunctionAdapter:
        adapter = FunctionAdapter()
        adapter.add(tool, name="name")
        return adapter

    return make


def echo(x: str) -> str:
    return f"{x}\n"


async def echo_async(x: str) -> str:
    return f"{x}\n"


def fail() -> None:
    raise ValueError("gone wrong")


async def fail_async() -> None:
    raise ValueError("gone wrong")


def pause() -> None:
    time.sleep(0.5)


async def pause_async() -> None:
    await asyncio.sleep(0.5)


RELEASE = threading.Event()


def hang(x: str) -> None:
    RELEASE.clear()
    while not RELEASE.wait(0.01):
        Path(x).write_text("on")


async def hang_async(x: str) -> None:
    for _ in range(6000):
        Path(x).write_text("on")
        await asyncio.sleep(0.01)


def echo_steps(x: str) -> Generator[None, None, str]:
    yield
    return f"{x}\n"


def fail_steps() -> Iterator[int]:
    yield 1
    raise ValueError("gone wrong")


def pause_steps() -> Iterator[int]:
    yield 1
    time.sleep(0.5)


def hang_steps(x: str) -> Iterator[None]:
    for _ in range(6000):
        Path(x).write_text("on")
        time.sleep(0.01)
        yield


async def fail_stream() -> AsyncIterator[int]:
    yield 1
    raise ValueError("gone wrong")


async def pause_stream() -> AsyncIterator[int]:
    yield 1
    await asyncio.sleep(0.5)


async def hang_stream(x: str) -> AsyncIterator[None]:
    for _ in range(6000):
        Path(x).write_text("on")
        await asyncio.sleep(0.01)
        yield


class Served:
    """One tool of an MCP server under the name ``name``, its server started by the first call."""

    def __init__(self, adapter: MCPAdapter, tool: str) -> None:
        self._adapter = adapter
        self._tool = f"proof.{tool}"
        self._start = asyncio.Lock()

    async def start(self) -> Sequence[str]:
        async with self._start:
            return [] if self._adapter.tools() else await self._adapter.start()

    def tools(self) -> Sequence[ToolInfo]:
        infos = [info for info in self._adapter.tools() if info.name == self._tool]
        return [dataclasses.replace(info, name="name") for info in infos]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        await self.start()
        return await self._adapter.call(self._tool if name == "name" else name, arguments)

    async def aclose(self) -> None:
        await self._adapter.aclose()


def served(tool: str) -> Callable[[], Served]:
    return lambda: Served(proof(), tool)


WEB: dict[str, str] = {}


def served_by_http(tool: str) -> Callable[[], Served]:
    return lambda: Served(MCPAdapter("proof", transport="http", url=WEB["url"]), tool)


@pytest.fixture(scope="module", autouse=True)
def web() -> Iterator[None]:
    """Run the server that listens."""
    with listening("http") as (url, _):
        WEB["url"] = url
        yield


class Alone:
    """The one endpoint of an API, under the name the suite uses."""

    def __init__(self, path: str, *params: Param) -> None:
        self.api = HTTPAdapter(
            "api", base_url=running(), endpoints=[Endpoint("name", path=path, params=params)]
        )

    def tools(self) -> list[ToolInfo]:
        return [dataclasses.replace(info, name="name") for info in self.api.tools()]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return await self.api.call(f"api.{name}", arguments)

    async def aclose(self) -> None:
        await self.api.aclose()


X = Param("x", required=True)


KINDS = {
    "command": Kind(
        echo=command('echo "$0"'),
        fail=command("echo gone wrong >&2; exit 1", ""),
        pause=command("sleep 0.5", ""),
        hang=command('(while true; do echo on > "$0"; sleep 0.01; done) & wait'),
    ),
    "declared command": Kind(
        echo=lambda: CLIAdapter(
            "name",
            command="cat",
            stdin="{x}\n",
            params={"x": {"type": "string", "required": True}},
        ),
        fail=lambda: CLIAdapter("name", command="sh", stdin="echo gone wrong >&2; exit 1"),
        pause=lambda: CLIAdapter("name", command="sleep", args="0.5", ok_exit_codes=[0, 1]),
        hang=lambda: CLIAdapter(
            "name",
            command="sh",
            stdin='(while true; do echo on > "$0"; sleep 0.01; done) & wait',
            args="-c 'script=$(cat); eval \"$script\"' {x}",
            params={"x": {"type": "path", "outside": True}},
        ),
    ),
    "sync function": Kind(
        function(echo), function(fail), function(pause), function(hang), stops=False
    ),
    "async function": Kind(
        function(echo_async), function(fail_async), function(pause_async), function(hang_async)
    ),
    "generator": Kind(
        function(echo_steps), function(fail_steps), function(pause_steps), function(hang_steps)
    ),
    "async generator": Kind(
        function(echo), function(fail_stream), function(pause_stream), function(hang_stream)
    ),
    "MCP server": Kind(served("echo"), served("fail"), served("pause"), served("hang")),
    "MCP server over HTTP": Kind(*map(served_by_http, ("echo", "fail", "pause", "hang"))),
    "HTTP endpoint": Kind(
        echo=lambda: Alone("/echo", X),
        fail=lambda: Alone("/status/500"),
        pause=lambda: Alone("/pause"),
        hang=lambda: Alone("/hang", X),
    ),
}


async def ready(adapter: ToolAdapter) -> ToolAdapter:
    """Start an adapter if it needs that."""
    if isinstance(adapter, StartingAdapter):
        await adapter.start()
    return adapter


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
async def echoing(kind: Kind) -> AsyncIterator[ToolAdapter]:
    adapter = await ready(kind.echo())
    yield adapter
    await adapter.aclose()


def test_it_is_an_adapter(echoing: ToolAdapter):
    """It has the three methods of the seam."""
    assert isinstance(echoing, ToolAdapter)


def test_it_lists_its_tools(echoing: ToolAdapter):
    """It lists tools with names, parameters that can be keywords, and plain data."""
    (info,) = echoing.tools()
    assert isinstance(info, ToolInfo)
    assert info.name == clean_name(info.name) == "name"
    assert [param.name for param in info.params] == ["x"]
    assert info.to_dict()["params"][0]["name"] == "x"


@pytest.mark.parametrize("value", ["plain", "a b", "it's; $(id)", "ü\n日", "", "x" * 10_000])
async def test_it_passes_values(echoing: ToolAdapter, value: str):
    """A value goes in and comes out as it was."""
    assert await echoing.call("name", {"x": value}) == f"{value}\n"


async def test_unknown_tool(echoing: ToolAdapter):
    """A tool it does not have is not found."""
    with pytest.raises(ToolNotFoundError):
        await echoing.call("other", {})


async def test_unknown_argument(echoing: ToolAdapter):
    """An argument it does not take is an error that lists those it takes, and is not retried."""
    with pytest.raises(ToolCallError, match=r"no argument 'y'.*it takes 'x'") as caught:
        await echoing.call("name", {"x": "a", "y": "b"})
    assert caught.value.wrong_arguments is True


async def test_arguments_are_not_changed(echoing: ToolAdapter):
    """The caller's arguments stay as they are."""
    arguments = {"x": "a"}
    await echoing.call("name", arguments)
    assert arguments == {"x": "a"}


async def test_failure(kind: Kind):
    """A tool that fails raises a ``ToolCallError`` that says why; the next call works."""
    adapter = await ready(kind.fail())
    for _ in range(2):
        with pytest.raises(ToolCallError, match="gone wrong"):
            await adapter.call("name", {})
    await adapter.aclose()


@pytest.mark.alone
async def test_calls_overlap(kind: Kind):
    """Four calls of half a second at once take under a second, and the loop runs meanwhile."""
    adapter = await ready(kind.pause())
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticker = asyncio.create_task(tick())
    start = time.monotonic()
    await asyncio.gather(*(adapter.call("name", {}) for _ in range(4)))
    assert time.monotonic() - start < 1
    assert ticks > 10
    ticker.cancel()
    await adapter.aclose()


async def test_replies_do_not_mix(echoing: ToolAdapter):
    """Each of many calls at once gets its own reply."""
    replies = await asyncio.gather(*(echoing.call("name", {"x": str(n)}) for n in range(40)))
    assert replies == [f"{n}\n" for n in range(40)]


@pytest.mark.alone
async def test_cancellation_stops_the_work(kind: Kind, tmp_path: Path, eventually):
    """A cancelled call ends at once, and so does everything it had started."""
    adapter, file = await ready(kind.hang()), tmp_path / "file"
    task = asyncio.create_task(adapter.call("name", {"x": str(file)}))
    await eventually(file.exists)
    start = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - start < 1

    async def still_writes() -> bool:
        file.unlink(missing_ok=True)
        for _ in range(10):
            await asyncio.sleep(0.01)
            if file.exists():
                return True
        return False

    if not kind.stops:
        RELEASE.set()
    while await still_writes():
        assert time.monotonic() - start < 5
    await adapter.aclose()


async def test_cancelling_one_call_leaves_the_others(kind: Kind):
    """Cancelling one call does nothing to the others."""
    adapter = await ready(kind.pause())
    first, second = (asyncio.create_task(adapter.call("name", {})) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    await second
    assert first.cancelled()
    await adapter.aclose()


async def test_closing_twice(kind: Kind):
    """Closing twice, used or unused, is fine; a closed adapter refuses with a ``ToolError``."""
    unused, used = kind.echo(), kind.echo()
    await used.call("name", {"x": "a"})
    before = threading.active_count()
    for adapter in (unused, used):
        await adapter.aclose()
        await adapter.aclose()
        with pytest.raises(ToolError):
            await adapter.call("name", {"x": "a"})
    assert threading.active_count() <= before
