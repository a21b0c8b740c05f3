"""``py-code-mode peek``: what a live session is doing.

Place in the house: inside ``cli``; the program that has the session looks.
"""

from __future__ import annotations

import argparse

from py_code_mode import live
from py_code_mode.cli.output import show, show_json
from py_code_mode.errors import KernelError
from py_code_mode.peek import Peek

__all__ = ["add_arguments"]

_EXAMPLES = """\
sessions are those of all programs of this user on this machine; `py-code-mode lab --list` lists
them; the cell goes on

exit codes: 0 told, 1 there is no such session, or its program does not answer

examples:
  py-code-mode peek                      # the only session
  py-code-mode peek --session default@4711
  py-code-mode peek --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EXAMPLES
    parser.set_defaults(run=_run)
    parser.add_argument("--session", metavar="NAME", help="which: its name or id")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(arguments: argparse.Namespace) -> int:
    session = _only() if arguments.session is None else live.find_session(arguments.session)
    answer = live.ask_host(session, "peek", "running")
    seen = Peek.from_dict(answer)
    if arguments.json:
        show_json(answer)
    else:
        show(seen.text)
    return 0


def _only() -> live.LiveSession:
    sessions = live.live_sessions()
    if len(sessions) == 1:
        return sessions[0]
    if not sessions:
        raise KernelError("no session lives: run a program that uses py-code-mode")
    ids = ", ".join(each.id for each in sessions)
    raise KernelError(f"there are {len(sessions)} sessions: say which by --session: {ids}")
