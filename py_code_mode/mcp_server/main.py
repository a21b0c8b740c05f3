"""``py-code-mode-mcp``: words in, exit code out.

Place in the house: top of ``mcp_server``. Standard library only at the top: over stdio the pipes
must be ours, and a client that waits be answered, before anything heavy is loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from py_code_mode import __version__
from py_code_mode.errors import CodeModeError
from py_code_mode.jsonlog import JsonLines
from py_code_mode.mcp_server.options import (
    DESCRIPTION,
    EPILOG,
    Options,
    add_arguments,
    check_host,
    read_options,
)

__all__ = ["main", "serve"]

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until the client leaves, or the process is told to end.

    Args:
        argv: Words; None: those this process was started with.

    Returns:
        0 the client left, 1 failed (the reason is on stderr), 130 interrupted, 143 told to end.
        Wrong words end in ``SystemExit(2)``, as ever with argparse.
    """
    parser = argparse.ArgumentParser(
        prog="py-code-mode-mcp",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"py-code-mode-mcp {__version__}")
    add_arguments(parser)
    return serve(read_options(parser.parse_args(argv)))


def serve(options: Options) -> int:
    """Serve as the options say; see ``main`` for what is returned."""
    _log_to_stderr(as_json=options.json)
    try:
        check_host(options)
        if options.transport == "stdio":
            from py_code_mode.mcp_server.pipes import Pipes

            return _run(_stdio(options, Pipes()))
        return _run(_http(options))
    except (CodeModeError, OSError) as error:
        log.error("%s", error)  # noqa: TRY400 - whoever started it wants no traceback
        return 1
    except ModuleNotFoundError as error:
        if error.name not in ("mcp", "mcp_types"):
            raise
        log.error("pip install 'py-code-mode[mcp]' brings what it needs")  # noqa: TRY400
        return 1


def _log_to_stderr(*, as_json: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="py-code-mode-mcp: %(message)s"
    )
    logging.getLogger("py_code_mode.mcp_server").setLevel(logging.INFO)
    if as_json:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())


async def _stdio(options: Options, pipes: Any) -> int:
    from py_code_mode.mcp_server.server import serve_stdio

    return await serve_stdio(options, pipes)


async def _http(options: Options) -> int:
    from py_code_mode.mcp_server.http import serve_http

    return await serve_http(options)


def _run(serving: Coroutine[Any, Any, int]) -> int:
    """Run it to its end; a signal that ends the process ends the sessions first."""
    ended_by = 0

    async def run() -> int:
        task = asyncio.ensure_future(serving)
        loop = asyncio.get_running_loop()

        def end(number: int) -> None:
            nonlocal ended_by
            ended_by = number
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, number)
        try:
            return await task
        except asyncio.CancelledError:
            return 128 + ended_by

    return asyncio.run(run())
