"""``py-code-mode artifacts ...``: what it takes.

Place in the house: inside ``cli``; ``artifactverbs`` does the work and is imported to do it.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

__all__ = ["DEFAULT", "add_arguments"]

DEFAULT = "artifacts"
"""The folder that is meant when nobody says one."""

_WHERE = (
    f"a folder, or redis://host/0 (default: $PY_CODE_MODE_ARTIFACTS, or the folder {DEFAULT!r})"
)


_EPILOG = """\
examples:
  py-code-mode artifacts put scans/monday.json monday.json --tag raw
  py-code-mode artifacts get scans/monday.json - | jq .
  py-code-mode artifacts search open ports --artifacts redis://localhost:6379/0"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, line, add in _VERBS:
        verb = verbs.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        add(verb)
        default = os.environ.get("PY_CODE_MODE_ARTIFACTS") or DEFAULT
        verb.add_argument(
            "--artifacts", metavar="PATH|URL", default=default, help=f"the artifacts: {_WHERE}"
        )
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb.set_defaults(run=_runner(name))


def _runner(name: str) -> Any:
    def run(arguments: argparse.Namespace) -> int:
        from py_code_mode.cli.artifactverbs import VERBS

        return VERBS[name](arguments)

    return run


def _list(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="how names begin")
    verb.add_argument("--tag", help="only those with this tag")


def _show(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")


def _get(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="where to write it (default: stdout)"
    )


def _put(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("file", metavar="FILE", help="what to keep; - reads stdin")
    verb.add_argument("--description", default="", help="what it is")
    verb.add_argument("--tag", action="append", default=[], dest="tags", help="may be repeated")
    verb.add_argument("--ttl", type=float, metavar="S", help="seconds after which it is removed")


def _rm(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("names", nargs="+", metavar="NAME")


def _search(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("query", nargs="+", metavar="WORD", help="what it is about")
    verb.add_argument("--limit", type=int, default=10, metavar="N", help="how many (default: 10)")


_VERBS = (
    ("list", "list the artifacts", _list),
    ("show", "show what is known of an artifact, and the beginning of a text", _show),
    ("get", "write an artifact's bytes into a file or to stdout", _get),
    ("put", "keep a file as an artifact", _put),
    ("rm", "remove artifacts", _rm),
    ("search", "find artifacts by name, description and tags", _search),
)
