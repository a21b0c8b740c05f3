"""``py-code-mode lab``: open live sessions in JupyterLab.

Place in the house: inside ``cli``; the work is done by ``py_code_mode.lab``.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from py_code_mode import live
from py_code_mode.cli.output import note, show, show_json, show_table
from py_code_mode.errors import KernelError

__all__ = ["add_arguments"]

_EXAMPLES = """\
sessions are those of all programs of this user on this machine; JupyterLab is started if it does
not run, and ends by itself when no session has been there for some minutes

exit codes: 0 opened, listed, stopped; 1 there is no such session, or JupyterLab did not come up

examples:
  py-code-mode lab                     # every live session, and a browser on the first one
  py-code-mode lab --session default
  py-code-mode lab --list --json
  py-code-mode lab --stop              # stops JupyterLab; sessions go on
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EXAMPLES
    parser.set_defaults(run=_run)
    parser.add_argument("--session", metavar="NAME", help="only this one: its name or id")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="only list live sessions")
    what.add_argument("--stop", action="store_true", help="stop JupyterLab; sessions go on")
    parser.add_argument(
        "--no-browser", action="store_true", help="print the pages' addresses, open no browser"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.stop:
        return _stop(as_json=arguments.json)
    wanted = arguments.session
    sessions = live.live_sessions() if wanted is None else [live.find_session(wanted)]
    if arguments.list:
        _list(sessions, as_json=arguments.json)
        return 0
    if not sessions:
        raise KernelError(
            "no session lives: run a program that uses py-code-mode, or `py-code-mode console`"
        )
    from py_code_mode.lab import open_sessions

    pages = open_sessions(sessions, browser=not arguments.no_browser)
    if arguments.json:
        show_json([{"session": page.session, "url": page.url} for page in pages])
    else:
        show_table([page.session, page.url] for page in pages)
    return 0


def _list(sessions: list[live.LiveSession], *, as_json: bool) -> None:
    if as_json:
        show_json([_told(session) for session in sessions])
        return
    if not sessions:
        note("no session lives")
        return
    show_table([each.id, each.program, each.since] for each in sessions)


def _told(session: live.LiveSession) -> dict[str, Any]:
    told = {"id": session.id, **asdict(session)}
    del told["key"]
    return told


def _stop(*, as_json: bool) -> int:
    from py_code_mode.lab import stop_server

    stopped = stop_server()
    if as_json:
        show_json({"stopped": stopped})
    else:
        show("JupyterLab was stopped" if stopped else "JupyterLab does not run")
    return 0
