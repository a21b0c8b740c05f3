"""A directory with servers: those that start, those that do not, and what is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from py_code_mode.errors import ConfigError, ToolCallError, ToolError
from py_code_mode.tools import ToolInfo, ToolRegistry, loader
from py_code_mode.tools.base import StartingAdapter
from py_code_mode.tools.reports import Log, Progress, report_log, report_progress, reporting


class Server:
    """An adapter that must be started; its file says how it behaves."""

    made: list[Server]

    def __init__(self, name: str, mood: str, key: str) -> None:
        self.name, self.mood, self.key = name, mood, key
        self.started = self.closed = False
        Server.made.append(self)

    async def start(self) -> Sequence[str]:
        await asyncio.sleep(0.02)
        if self.mood == "bad":
            raise ToolError(f"server {self.name!r} did not start: {self.key}")
        self.started = True
        return [f"{self.name} is slow today"] if self.mood == "slow" else []

    def tools(self) -> Sequence[ToolInfo]:
        assert self.started
        return [ToolInfo(f"{self.name}.echo"), ToolInfo(f"{self.name}.fail")]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        report_progress(1, 2, f"with {self.key}")
        report_log(f"key {self.key}", "debug")
        if name.endswith("fail"):
            raise ToolCallError(f"the key is {self.key}", key=self.key)
        return {"key": self.key, **arguments}

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of tool files of the type ``server``."""

    def make(file, secrets) -> Server:
        return Server(file.data["name"], file.data["mood"], secrets.fill("${KEY}"))

    monkeypatch.setitem(loader.TYPES, "server", make)
    Server.made = []
    for name, mood in (("a", "good"), ("b", "bad"), ("c", "slow")):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\ntype: server\nmood: {mood}\n")
    return tmp_path


async def test_a_server_that_does_not_start_stops_no_other(directory, caplog):
    """The others offer their tools; the problem names file and server, and is in the log."""
    registry = await ToolRegistry.from_dir(directory, secrets={"KEY": "hidden!"})
    assert [info.name for info in registry.list_tools()] == ["a.echo", "a.fail", "c.echo", "c.fail"]
    bad, slow = registry.problems
    assert bad.file == directory / "b.yaml"
    assert "server 'b' did not start: ***" in str(bad)
    assert "c is slow today" in str(slow)
    assert "did not start" in caplog.text
    assert "hidden!" not in caplog.text
    assert [server.closed for server in Server.made] == [False, True, False]
    await registry.aclose()
    assert all(server.closed for server in Server.made)


async def test_secrets_do_not_come_out(directory):
    """Results and errors of a tool show no secret, whatever the server puts into them."""
    registry = await ToolRegistry.from_dir(directory, secrets={"KEY": "hidden!"})
    assert await registry.call_tool("a.echo", {"x": "hi"}) == {"key": "***", "x": "hi"}
    with pytest.raises(ToolCallError) as caught:
        await registry.call_tool("a.fail", {})
    assert caught.value.message == "the key is ***"
    assert caught.value.details == {"key": "***"}
    told: list[object] = []
    with reporting(told.append):
        await registry.call_tool("a.echo", {})
    assert told == [Progress(1, 2, "with ***"), Log("debug", "key ***")]
    await registry.aclose()


async def test_a_secret_that_is_not_set_leaves_the_file_out(directory, monkeypatch):
    """The file is wrong for this machine; the error says which name is missing."""
    monkeypatch.delenv("KEY", raising=False)
    with pytest.raises(ConfigError, match="KEY"):
        await ToolRegistry.from_dir(directory)
    registry = await ToolRegistry.from_dir(directory, lenient=True)
    assert len(registry.problems) == 3
    assert registry.list_tools() == []


async def test_servers_in_python(directory):
    """``connect`` starts an adapter and offers its tools; one that fails is closed."""
    registry = ToolRegistry()
    good, bad = Server("good", "slow", ""), Server("bad", "bad", "")
    assert isinstance(good, StartingAdapter)
    assert await registry.connect(good, tags=["web"]) == ["good is slow today"]
    assert registry.get_tool("good.echo").tags == {"web"}
    with pytest.raises(ToolError, match="did not start"):
        await registry.connect(bad)
    assert bad.closed
    await registry.aclose()


async def test_starting_is_cancelled_as_a_whole(directory):
    """Whoever gives up loading leaves no server behind."""
    task = asyncio.create_task(ToolRegistry.from_dir(directory, secrets={"KEY": "hidden!"}))
    while len(Server.made) < 3:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(server.closed for server in Server.made)
