"""A call of an MCP server's tool from a cell, beside the same call made with the bare SDK."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client

from benchmarks.bench import Bench
from benchmarks.ours import value_of
from benchmarks.rows import MS, Row, ratio_at_most
from benchmarks.samples import TIMES
from py_code_mode import CodeExecutor, MCPAdapter, ToolRegistry

__all__ = ["measure"]

SERVER = """\
from mcp.server.mcpserver import MCPServer

server = MCPServer("echo")


@server.tool()
def echo(text: str) -> str:
    return text


server.run("stdio")
"""


class _Bare:
    """The SDK's own client, which must be entered and left in one task."""

    def __init__(self, script: Path) -> None:
        self._script = script
        self._counts: asyncio.Queue[int] = asyncio.Queue()
        self._found: asyncio.Queue[list[float]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._serve())
        await self.times(1)

    async def times(self, count: int) -> list[float]:
        """Time calls one after another."""
        self._counts.put_nowait(count)
        return await self._found.get()

    async def close(self) -> None:
        assert self._task is not None
        self._counts.put_nowait(0)
        await self._task

    async def _serve(self) -> None:
        parameters = StdioServerParameters(command=sys.executable, args=[str(self._script)])
        async with Client(stdio_client(parameters)) as client:
            while count := await self._counts.get():
                self._found.put_nowait([await _timed(client) for _ in range(count)])


async def _timed(client: Any) -> float:
    started = perf_counter()
    result = await client.call_tool("echo", {"text": "x"})
    seconds = perf_counter() - started
    assert result.structured_content == {"result": "x"}
    return seconds


def measure(bench: Bench) -> list[Row]:
    """Time an echo through a server of its own on either side."""
    count = bench.pick(40, 20)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        script = Path(directory, "server.py")
        script.write_text(SERVER)
        registry, bare = ToolRegistry(), _Bare(script)
        server = MCPAdapter("echo", command=sys.executable, args=[str(script)])
        bench.run(registry.connect(server))
        executor = CodeExecutor(registry)
        try:
            bench.run(bare.start())
            value_of(bench, executor, TIMES)
            call = "tools.echo.echo(text='x')"
            assert value_of(bench, executor, call) == "x"
            found = bench.take_turns(
                "MCP calls",
                bench.pick(25, 6),
                {
                    "ours": lambda: value_of(bench, executor, f"times(lambda: {call}, {count})"),
                    "peer": lambda: bench.run(bare.times(count)),
                },
            )
        finally:
            bench.finish(executor.aclose())
            bench.finish(bare.close())
    beside, target = "the bare SDK's client in the host", ratio_at_most(1.5)
    return [
        Row("MCP tool over stdio, from a cell", MS, found["ours"], found["peer"], beside, target)
    ]
