"""``py-code-mode demo``.

Place in the house: inside ``cli``; the demo itself is ``py_code_mode.demo``.
"""

from __future__ import annotations

import argparse
import asyncio

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes: nothing."""
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    from py_code_mode import demo

    return asyncio.run(demo.main())
