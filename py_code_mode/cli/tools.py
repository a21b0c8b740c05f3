"""``py-code-mode tools ...``: what it takes.

Place in the house: inside ``cli``; ``toolverbs`` does the work and is imported to do it.
"""

from __future__ import annotations

import argparse
from typing import Any

from py_code_mode.cli.where import add_json, add_where

__all__ = ["add_arguments"]

_EPILOG = """\
examples:
  py-code-mode tools check --tools ./tools      # for CI: 1 if a file is wrong
  py-code-mode tools search scan ports
  py-code-mode tools call nmap target=127.0.0.1 flags="-p 22"
  py-code-mode tools call weather.get_alerts --arguments '{"state": "CA"}' --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, line, add in _VERBS:
        verb = verbs.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        add(verb)
        add_where(verb, "tools", "tools")
        add_json(verb)
        verb.set_defaults(run=_runner(name))


def _runner(name: str) -> Any:
    def run(arguments: argparse.Namespace) -> int:
        from py_code_mode.cli.toolverbs import run_verb

        return run_verb(name, arguments)

    return run


def _list(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--tag", help="only those with this tag")


def _search(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("query", nargs="+", metavar="WORD", help="what the tool should do")
    verb.add_argument("--limit", type=int, default=10, metavar="N", help="how many (default: 10)")


def _show(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("names", nargs="+", metavar="NAME", help="a tool, or a group of them")


def _call(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument(
        "given",
        nargs="*",
        metavar="KEY=VALUE",
        help="arguments; a value that is JSON is read as such, any other is text",
    )
    verb.add_argument("--arguments", metavar="JSON", help="all arguments as a JSON object")


def _check(_: argparse.ArgumentParser) -> None:
    pass


_VERBS = (
    ("list", "list the tools, a call and a line each", _list),
    ("search", "find tools by what they do", _search),
    ("show", "show tools as a Python stub: parameters, types, documentation", _show),
    ("call", "call a tool and print what it returns", _call),
    ("check", "check all tool files, start their servers, and say what is wrong", _check),
)
