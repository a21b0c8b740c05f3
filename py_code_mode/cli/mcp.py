"""``py-code-mode mcp``: the same as ``py-code-mode-mcp``.

Place in the house: inside ``cli``; the server is ``py_code_mode.mcp_server``.
"""

from __future__ import annotations

import argparse

from py_code_mode.mcp_server import options

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description, parser.epilog = options.DESCRIPTION, options.EPILOG
    options.add_arguments(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from py_code_mode.mcp_server.main import serve

    return serve(options.read_options(arguments))
