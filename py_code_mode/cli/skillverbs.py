"""The work of ``py-code-mode skills``, one function a verb.

Place in the house: inside ``cli``, above the library and, for ``test``, the executor.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from py_code_mode.cli.output import complain, moment, show, show_json, show_table
from py_code_mode.errors import ConfigError, SkillNotFoundError
from py_code_mode.skills.library import SkillLibrary, create_skill_library
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import SkillUsage
from py_code_mode.skills.sync import SkillChanges, compare, sync
from py_code_mode.stores import is_url, open_skill_store

__all__ = ["VERBS", "open_library"]

_CREATOR = "py-code-mode skills"


def open_library(where: str, *, make: bool = False) -> SkillLibrary:
    """Open the library at a path or url.

    Args:
        where: A folder or url.
        make: Whether a folder that does not exist is made; without it, that is an error.
    """
    return create_skill_library(open_skill_store(where, make=make))


def _list(arguments: argparse.Namespace) -> int:
    library = open_library(arguments.skills)
    skills = [skill for skill in library.list() if arguments.tag in (None, *skill.tags)]
    usage = library.usage()
    if arguments.json:
        show_json([_brief(skill, usage) for skill in skills])
    else:
        show_table(
            [
                (skill.name, _used(usage.get(skill.name, SkillUsage())), skill.description)
                for skill in skills
            ]
        )
    for problem in library.problems():
        complain(problem.message)
    return 0


def _search(arguments: argparse.Namespace) -> int:
    library = open_library(arguments.skills)
    found = library.search(" ".join(arguments.query), arguments.limit)
    if arguments.json:
        usage = library.usage()
        show_json([_brief(skill, usage) for skill in found])
    else:
        show_table([(skill.name, skill.description) for skill in found])
    return 0 if found else 1


def _show(arguments: argparse.Namespace) -> int:
    library = open_library(arguments.skills)
    skill = library.find(arguments.name)
    if arguments.version is not None:
        former = library.get(arguments.name, arguments.version)
        if former is None:
            kept = ", ".join(str(version.number) for version in library.versions(arguments.name))
            raise SkillNotFoundError(
                f"version {arguments.version} of {arguments.name!r} is not kept; there are {kept}"
            )
        skill = former
    versions = library.versions(skill.name)
    if arguments.json:
        data = _brief(skill, library.usage(skill.name)) | skill.to_dict(source=True)
        show_json(data | {"versions": [version.to_dict() for version in versions]})
    elif arguments.source:
        show(skill.source.rstrip("\n"))
    else:
        _show_facts(skill, library.usage(skill.name).get(skill.name, SkillUsage()))
        show()
        show_table([(f"version {v.number}", moment(v.time), v.creator) for v in versions])
        show("\n" + skill.source.rstrip("\n"))
    return 0


def _show_facts(skill: Skill, usage: SkillUsage) -> None:
    facts = {
        "skill": f"{'async ' if skill.is_async else ''}{skill.call}",
        "description": skill.description,
        "tags": ", ".join(skill.tags),
        "version": skill.version,
        "tools": ", ".join(skill.tools),
        "packages": ", ".join(skill.packages),
        "creator": skill.creator,
        "created": moment(skill.created),
        "modified": moment(skill.modified),
        "uses": _used(usage) if usage.uses else "none",
    }
    show_table([(f"{name}:", text) for name, text in facts.items() if text])


def _add(arguments: argparse.Namespace) -> int:
    if arguments.name is not None and len(arguments.files) > 1:
        raise ConfigError("--name is for one file")
    library = open_library(arguments.skills, make=True)
    made = []
    for file in arguments.files:
        if file == "-" and arguments.name is None:
            raise ConfigError("a skill from stdin needs --name")
        made.append(
            library.create(
                arguments.name or Path(file).stem,
                sys.stdin.read() if file == "-" else _read(file),
                arguments.description,
                replace=arguments.replace,
                creator=_CREATOR,
            )
        )
        if not arguments.json:
            show(f"added {made[-1].name}, version {made[-1].number}")
    if arguments.json:
        show_json([skill.to_dict() for skill in made])
    return 0


def _read(file: str) -> str:
    import importlib.util

    try:
        return importlib.util.decode_source(Path(file).read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read it: {error.strerror}", file=file) from error
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise ConfigError(f"cannot decode it: {error}", file=file) from error


def _rm(arguments: argparse.Namespace) -> int:
    library = open_library(arguments.skills)
    removed: list[str] = []
    missing: list[str] = []
    for name in arguments.names:
        (removed if library.delete(name) else missing).append(name)
    if arguments.json:
        show_json({"removed": removed, "missing": missing})
    else:
        for name in removed:
            show(f"removed {name}")
    for name in missing:
        complain(f"no skill named {name!r}")
    return 1 if missing else 0


def _test(arguments: argparse.Namespace) -> int:
    from py_code_mode.cli.skilltests import run_tests

    return run_tests(open_library(arguments.skills), arguments)


def _sync(arguments: argparse.Namespace) -> int:
    source = open_skill_store(arguments.source, make=False)
    if arguments.dry_run and not is_url(arguments.target) and not Path(arguments.target).is_dir():
        from py_code_mode.skills.memory import MemorySkillStore

        target: Any = MemorySkillStore()  # a dry run makes no folder
    else:
        target = open_skill_store(arguments.target)
    work = compare if arguments.dry_run else sync
    changes = work(source, target, delete=arguments.delete)
    if arguments.json:
        show_json(changes.to_dict() | {"dry_run": arguments.dry_run})
    else:
        _show_changes(changes, dry_run=arguments.dry_run, diff=arguments.diff)
    for problem in changes.problems:
        complain(problem.message)
    return 1 if changes.problems else 0


def _show_changes(changes: SkillChanges, *, dry_run: bool, diff: bool) -> None:
    for change in changes.changes:
        show(f"{change.kind:8} {change.name}")
        if diff:
            show(change.diff.rstrip("\n"))
    for name in changes.kept:
        show(f"{'kept':8} {name}, which only the target has")
    counts = [f"{len(changes.names(kind))} {kind}" for kind in ("added", "changed", "removed")]
    show(f"{'would be: ' if dry_run else ''}{', '.join(counts)}, {len(changes.same)} the same")


def _brief(skill: Skill, usage: dict[str, SkillUsage]) -> dict[str, Any]:
    return skill.to_dict() | usage.get(skill.name, SkillUsage()).to_dict()


def _used(usage: SkillUsage) -> str:
    rate = usage.success_rate
    return "" if rate is None else f"{usage.uses}x {rate:.0%}"


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "search": _search,
    "add": _add,
    "rm": _rm,
    "test": _test,
    "sync": _sync,
}
