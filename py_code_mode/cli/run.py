"""``py-code-mode run``: what it takes.

Place in the house: inside ``cli``; ``running`` does the work and is imported to do it.
"""

from __future__ import annotations

import argparse

from py_code_mode.cli.where import add_json
from py_code_mode.project import add_project_arguments

__all__ = ["add_arguments"]

_DESCRIPTION = """\
Run Python in a kernel that has your tools, skills and artifacts, as an agent's code would run.
Several files are cells of one session, one after another, to the first that fails. What they print
comes as it is printed; the value of the last expression is shown at the end."""

_EPILOG = """\
examples:
  py-code-mode run -c 'tools.list()' --tools ./tools
  py-code-mode run prepare.py analyse.py --artifacts ./data --notebook analysis.ipynb
  echo 'skills.search("ports")' | py-code-mode run - --skills ./skills --json

exit codes:
  0 all cells ran   1 one failed   2 wrong words   130 interrupted"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("files", nargs="*", metavar="FILE", help="Python files; - reads stdin")
    parser.add_argument(
        "-c", "--code", action="append", default=[], metavar="CODE", help="code; may be repeated"
    )
    add_project_arguments(parser)
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="S",
        help="seconds each cell may take; 0: no limit (default: the project's, or no limit)",
    )
    parser.add_argument(
        "--notebook", metavar="FILE", help="write the cells and what they showed; .html: as a page"
    )
    add_json(parser, "print the results as a JSON list when all is done, and nothing else")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from py_code_mode.cli.running import run

    return run(arguments)
