"""An MCP server written with the official SDK: ``sdk_server.py [stdio | http | sse]``.

Over HTTP it listens on a free port of the loopback interface and prints its address.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import sys
import warnings
from pathlib import Path
from typing import Literal

import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

warnings.simplefilter("ignore")  # log messages are deprecated in the newest protocol

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

server = MCPServer("proof")


class Forecast(BaseModel):
    """A day's weather."""

    city: str
    degrees: list[float]


@server.tool()
async def echo(x: str) -> str:
    """Give back x."""
    return f"{x}\n"


@server.tool()
async def fail() -> str:
    """Fail."""
    raise ToolError("gone wrong")


@server.tool()
async def pause() -> str:
    """Take half a second."""
    await asyncio.sleep(0.5)
    return "done"


@server.tool()
async def hang(x: str) -> str:
    """Write "on" to the file x, again and again."""
    for _ in range(6000):
        Path(x).write_text("on")
        await asyncio.sleep(0.01)
    return "done"


@server.tool()
async def forecast(
    city: str, days: int = 1, unit: Literal["c", "f"] = "c", near: str | None = None
) -> Forecast:
    """Temperatures of the next days.

    More than one line.
    """
    return Forecast(city=near or city, degrees=[3.5 + day for day in range(days)])


@server.tool()
async def numbers() -> list[int]:
    """Give a list."""
    return [1, 2, 3]


@server.tool()
def picture() -> Image:
    """Draw a pixel."""
    return Image(data=PNG, format="png")


@server.tool()
async def work(steps: int, ctx: Context) -> str:
    """Tell of progress and log."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
    await ctx.warning("nearly done", logger_name="worker")
    return "worked"


@server.tool()
async def environment() -> dict[str, str]:
    """Give the whole environment."""
    return dict(os.environ)


@server.tool()
async def die() -> str:
    """End the server."""
    os._exit(3)


async def serve(app, path: str) -> None:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0))
    listening.listen()
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}{path}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve([listening])


if __name__ == "__main__":
    transport = sys.argv[1] if len(sys.argv) > 1 else "stdio"
    if transport == "stdio":
        server.run("stdio")
    elif transport == "http":
        asyncio.run(serve(server.streamable_http_app(), "/mcp"))
    else:
        asyncio.run(serve(server.sse_app(), "/sse"))
