"""Our server under the names that the MCP conformance suite asks for: a cell for each of its tools.

Run as a program; it prints its address on stderr. Only names are changed on the way in: what answers
is the server itself, real kernels and stores included.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import sys
from typing import Any

import uvicorn

from py_code_mode import CodeExecutor
from py_code_mode.mcp_server.server import create_server

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="

CELLS = {
    "test_simple_text": "print('This is a simple text response for testing.')",
    "test_image_content": f"display({{'image/png': {PNG!r}}}, raw=True)",
    "test_audio_content": "display({'audio/wav': 'UklGRiQAAABXQVZF'}, raw=True)",
    "test_error_handling": "raise ValueError('This tool intentionally returns an error')",
    "test_tool_with_progress": (
        "import time\nfor done in (0, 50, 100):\n    print(done)\n    time.sleep(0.25)"
    ),
}
RESOURCES = {
    "test://static-text": "artifact:///static.txt",
    "test://static-binary": "artifact:///static.bin",
}
PROMPTS = {"test_simple_prompt": "code_mode"}


async def rename(ctx: Any, call_next: Any) -> Any:
    """Give what is asked for the name it has here."""
    params = dict(ctx.params or {})
    if ctx.method == "tools/call" and params.get("name") in CELLS:
        params |= {"name": "run_code", "arguments": {"code": CELLS[params["name"]]}}
    elif ctx.method == "resources/read":
        params["uri"] = RESOURCES.get(params.get("uri", ""), params.get("uri"))
    elif ctx.method == "prompts/get":
        params["name"] = PROMPTS.get(params.get("name", ""), params.get("name"))
    return await call_next(dataclasses.replace(ctx, params=params or None))


async def make_executor() -> CodeExecutor:
    executor = CodeExecutor()
    executor.artifact_store.save("static.txt", "This is the content of the static text resource.")
    executor.artifact_store.save("static.bin", b"\x00\xff")
    return executor


async def main() -> None:
    server = create_server(make_executor)
    server.middleware.append(rename)
    app = server.streamable_http_app(host="127.0.0.1")
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stderr.write(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp\n")
    sys.stderr.flush()
    await uvicorn.Server(uvicorn.Config(app, log_config=None)).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(main())
