"""How the tests of MCP tools start their servers."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from py_code_mode import MCPAdapter
from tests.conftest import ROOT

SERVERS = Path(__file__).parent / "servers"


def odd(mood: str = "fine", count: int = 0, **settings: Any) -> MCPAdapter:
    """An adapter of the server that does what servers should not; not started."""
    args = [str(SERVERS / "odd_server.py"), mood, str(count)]
    return MCPAdapter("odd", command=sys.executable, args=args, **settings)


def proof(**settings: Any) -> MCPAdapter:
    """An adapter of the server written with the SDK, over stdio; not started."""
    args = [str(SERVERS / "sdk_server.py")]
    return MCPAdapter("proof", command=sys.executable, args=args, **settings)


@contextlib.contextmanager
def listening(transport: str, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the server written with the SDK over ``http`` or ``sse``: its address and process."""
    argv = [sys.executable, str(SERVERS / "sdk_server.py"), transport, str(port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), "the server did not start"
            yield url, process
        finally:
            process.kill()
