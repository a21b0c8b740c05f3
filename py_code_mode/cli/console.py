"""``py-code-mode console``: a terminal prompt on a session.

Place in the house: inside ``cli``; the prompt is ``py_code_mode.console``.
"""

from __future__ import annotations

import argparse

from py_code_mode import live
from py_code_mode.errors import ConfigError
from py_code_mode.project import add_project_arguments, project_of, project_words

__all__ = ["add_arguments"]

_EPILOG = """\
examples:
  py-code-mode console
  py-code-mode console --tools ./tools --artifacts ./data
  py-code-mode console --project ~/recon
  py-code-mode console --session default    # of a program that runs; `lab --list` lists them

keys: Tab completes, Ctrl-C breaks the cell, Ctrl-D leaves; `tools.nmap?` explains a tool

exit codes: 0 left, 1 it could not start (the reason is on stderr), 2 wrong words"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "--session", metavar="NAME", help="a live session of another program: its name or id"
    )
    add_project_arguments(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        from py_code_mode.console import attach_console, run_console
    except ImportError as error:
        raise ConfigError(
            f"the console needs {error.name}: pip install 'py-code-mode[lab]'"
        ) from error
    if arguments.session is not None:
        return attach_console(live.find_session(arguments.session).connection_file)
    project_of(arguments)  # what is wrong is said here, and not in the first cell
    return run_console(project_words(arguments))
