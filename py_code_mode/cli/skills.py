"""``py-code-mode skills ...``.

Place in the house: inside ``cli``; one function a verb.
"""

from __future__ import annotations

import argparse
import os

from py_code_mode.cli.output import complain, show_json, show_table
from py_code_mode.skills.library import SkillLibrary, create_skill_library
from py_code_mode.stores import open_skill_store

__all__ = ["add_arguments"]

DEFAULT = "skills"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--skills",
        metavar="PATH|URL",
        default=os.environ.get("PY_CODE_MODE_SKILLS", DEFAULT),
        help="where the skills are: a folder, or redis://host/0 (default: $PY_CODE_MODE_SKILLS, "
        f"or the folder {DEFAULT!r})",
    )
    common.add_argument("--json", action="store_true", help="print JSON")
    listing = verbs.add_parser("list", parents=[common], help="list the skills")
    listing.set_defaults(run=_list)


def _library(arguments: argparse.Namespace, *, make: bool = False) -> SkillLibrary:
    return create_skill_library(open_skill_store(arguments.skills, make=make))


def _list(arguments: argparse.Namespace) -> int:
    library = _library(arguments)
    skills = library.list()
    if arguments.json:
        show_json([skill.to_dict() for skill in skills])
    else:
        show_table([(skill.name, skill.description) for skill in skills])
    for problem in library.problems():
        complain(problem.message)
    return 0
