"""``py-code-mode doctor``: what it takes.

Place in the house: inside ``cli``; ``checks`` does the work and is imported to do it.
"""

from __future__ import annotations

import argparse

from py_code_mode.cli.where import add_json, add_where

__all__ = ["add_arguments"]

_DESCRIPTION = """\
Check the installation: that a kernel starts, runs code, and reaches tools on the host; which extras
are installed; which outside programs are there; and, with --tools, whether tool files are right.
What must work and does not makes the exit code 1; what is only missing is said."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = _DESCRIPTION
    add_where(parser, "tools")
    parser.add_argument(
        "--python", metavar="PATH", help="interpreter of the kernel (default: ours)"
    )
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from py_code_mode.cli.checks import check

    return check(arguments)
