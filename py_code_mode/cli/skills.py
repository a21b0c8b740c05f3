"""``py-code-mode skills ...``: what it takes.

Place in the house: inside ``cli``; ``skillverbs`` does the work and is imported to do it.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

__all__ = ["DEFAULT", "add_arguments"]

DEFAULT = "skills"
"""The folder that is meant when nobody says one."""

_WHERE = f"a folder, or redis://host/0 (default: $PY_CODE_MODE_SKILLS, or the folder {DEFAULT!r})"


_EPILOG = """\
examples:
  py-code-mode skills search scan ports
  py-code-mode skills test --tools ./tools        # for CI: 1 if an example fails
  py-code-mode skills sync ./skills redis://localhost:6379/0?prefix=my-agent --dry-run --diff"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, line, add in _VERBS:
        verb = verbs.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        add(verb)
        if name != "sync":
            default = os.environ.get("PY_CODE_MODE_SKILLS") or DEFAULT
            verb.add_argument(
                "--skills", metavar="PATH|URL", default=default, help=f"the skills: {_WHERE}"
            )
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb.set_defaults(run=_runner(name))


def _runner(name: str) -> Any:
    def run(arguments: argparse.Namespace) -> int:
        from py_code_mode.cli.skillverbs import VERBS

        return VERBS[name](arguments)

    return run


def _list(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--tag", help="only those with this tag")


def _show(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--version", type=int, metavar="N", help="a former version")
    verb.add_argument("--source", action="store_true", help="print the source and nothing else")


def _search(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("query", nargs="+", metavar="WORD", help="what the skill should do")
    verb.add_argument("--limit", type=int, default=5, metavar="N", help="how many (default: 5)")


def _add(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "files", nargs="+", metavar="FILE", help="<name>.py; - reads one from stdin, with --name"
    )
    verb.add_argument("--name", help="what it is to be called, if not as its file")
    verb.add_argument("--description", default="", help="one line: what it does")
    verb.add_argument("--replace", action="store_true", help="replace skills of the same names")


def _rm(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("names", nargs="+", metavar="NAME")


def _test(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    verb.add_argument("--tools", metavar="PATH", help="folder of tools the skills may call")
    verb.add_argument("--artifacts", metavar="PATH", help="folder of artifacts they may use")
    verb.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds a skill has (default: 60)"
    )


def _sync(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("source", metavar="SOURCE", help="a folder, or redis://host/0")
    verb.add_argument("target", metavar="TARGET", help="what is to become like it")
    verb.add_argument("--dry-run", action="store_true", help="only say what would change")
    verb.add_argument("--diff", action="store_true", help="show how sources change")
    verb.add_argument("--delete", action="store_true", help="remove what only the target has")


_VERBS = (
    ("list", "list the skills", _list),
    ("show", "show a skill: parameters, versions, uses and source", _show),
    ("search", "find skills by what they do", _search),
    ("add", "add skills from files", _add),
    ("rm", "remove skills", _rm),
    ("test", "run the examples of skills in a real session", _test),
    ("sync", "make one store of skills like another", _sync),
)
