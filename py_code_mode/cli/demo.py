"""``py-code-mode demo``.

Place in the house: inside ``cli``; the demo itself is ``py_code_mode.demo``.
"""

from __future__ import annotations

import argparse

from py_code_mode.cli import loop
from py_code_mode.cli.where import add_json

__all__ = ["add_arguments"]

_DESCRIPTION = """\
Run the cells of a small agent, which call a command and a function, use a skill, save data and draw
a chart, and show what comes back. It needs no server and no network; a notebook of it is left in
the folder demo-output."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = _DESCRIPTION
    add_json(parser, "print what came back as JSON when all is done")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from py_code_mode import demo

    return loop.run(demo.main(as_json=arguments.json))
