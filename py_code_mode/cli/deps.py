"""``py-code-mode deps ...``: environments with the packages that skills and kernels need.

Place in the house: inside ``cli``; one function a verb. This command is the host's: no code of
an agent reaches it, and what skills declare is installed only where the allow-list has it.
"""

from __future__ import annotations

import argparse
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from py_code_mode.cli.output import complain, note, show, show_json, show_table
from py_code_mode.environments import Environment, EnvironmentStore, Need, Spec, needs_of
from py_code_mode.environments.installers import find_installer
from py_code_mode.packages import Installer, PackagePolicy, without_credentials
from py_code_mode.skills.library import create_skill_library
from py_code_mode.stores import open_skill_store

__all__ = ["add_arguments"]

DAYS = 30.0


_EPILOG = """\
examples:
  py-code-mode deps sync --skills ./skills --allow pandas --dry-run
  py-code-mode deps list --json
  py-code-mode deps prune --days 30"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--directory",
        metavar="PATH",
        type=Path,
        help="where environments are kept (default: py-code-mode/environments in the cache)",
    )
    common.add_argument("--json", action="store_true", help="print JSON")
    listing = verbs.add_parser("list", parents=[common], help="list the environments")
    listing.set_defaults(run=_list)
    prune = verbs.add_parser("prune", parents=[common], help="remove those not used for long")
    prune.add_argument("--days", type=float, default=DAYS, help="how long (default: %(default)g)")
    prune.add_argument("--dry-run", action="store_true", help="only tell what would be removed")
    prune.set_defaults(run=_prune)
    remove = verbs.add_parser("rm", parents=[common], help="remove some, to have them made anew")
    remove.add_argument("digests", nargs="+", metavar="DIGEST", help="as `list` shows them")
    remove.set_defaults(run=_remove)
    _add_sync(verbs.add_parser("sync", parents=[common], help="make the environment of skills"))


_SYNC_LISTS = {
    "--package": ("REQUIREMENT", "what is needed beside what skills declare"),
    "--allow": ("NAME", "what may be installed: pandas, 'pandas>=2,<3', 'acme-*'"),
    "--allow-url": ("URL", "beginnings of URLs that requirements may name"),
}
_SYNC_FLAGS = {
    "--allow-sources": "build source distributions, which runs their scripts as you",
    "--no-dependencies": "dependencies must be allowed by name, too",
    "--leave-out": "do without what is not allowed, instead of doing nothing",
    "--dry-run": "only tell what would be done",
}


def _add_sync(sync: argparse.ArgumentParser) -> None:
    sync.add_argument(
        "--skills",
        metavar="PATH|URL",
        default=os.environ.get("PY_CODE_MODE_SKILLS"),
        help="where the skills are: a folder, or redis://host/0 (default: $PY_CODE_MODE_SKILLS; "
        "without either only --package counts)",
    )
    for flag, (metavar, text) in _SYNC_LISTS.items():
        sync.add_argument(flag, metavar=metavar, nargs="+", action="extend", default=[], help=text)
    for flag, text in _SYNC_FLAGS.items():
        sync.add_argument(flag, action="store_true", help=text)
    sync.add_argument("--python", metavar="PATH", help="interpreter to stand on (default: ours)")
    sync.add_argument("--installer", choices=get_args(Installer), default="auto")
    sync.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS")
    sync.set_defaults(run=_sync)


def _store(arguments: argparse.Namespace) -> EnvironmentStore:
    return EnvironmentStore(PackagePolicy(directory=arguments.directory))


def _list(arguments: argparse.Namespace) -> int:
    found = _store(arguments).list()
    if arguments.json:
        show_json([each.to_dict() for each in found])
    else:
        show_table(_row(each) for each in found)
    return 0


def _row(each: Environment) -> tuple[str, ...]:
    asked = ", ".join(each.requirements) or "(ipykernel alone)"
    return each.digest, f"Python {each.python}", f"used {each.last_used}", asked


def _prune(arguments: argparse.Namespace) -> int:
    unused_for = timedelta(days=max(arguments.days, 0))
    gone = _store(arguments).prune(unused_for, dry_run=arguments.dry_run)
    if arguments.json:
        show_json([each.to_dict() for each in gone])
    else:
        show_table(("would remove" if arguments.dry_run else "removed", *_row(x)) for x in gone)
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    store = _store(arguments)
    removed: list[str] = []
    missing: list[str] = []
    for digest in arguments.digests:
        (removed if store.remove(digest) else missing).append(digest)
    if arguments.json:
        show_json({"removed": removed, "missing": missing})
    else:
        show_table(("removed", digest) for digest in removed)
    for digest in missing:
        complain(f"no environment {digest!r} in {store.directory}")
    return 1 if missing else 0


def _sync(arguments: argparse.Namespace) -> int:
    policy = _policy(arguments)
    needs = needs_of(_declared(arguments.skills), policy, arguments.package)
    answer: dict[str, Any] = {"needs": [need.to_dict() for need in needs], "made": False}
    if not arguments.json:
        show_table(_need_row(need) for need in needs)
    refused = [need for need in needs if need.refused]
    if refused and not arguments.leave_out:
        complain(
            f"nothing was done: {len(refused)} of {len(needs)} requirements are not allowed; "
            "--allow NAME allows one, --leave-out does without them"
        )
        code = 1
    else:
        wanted = [need.requirement for need in needs if not need.refused]
        answer |= _synced(policy, Spec.make(wanted, policy, arguments.python), arguments)
        code = 0
    if arguments.json:
        show_json(answer)
    return code


def _synced(policy: PackagePolicy, spec: Spec, arguments: argparse.Namespace) -> dict[str, Any]:
    """Make the environment, or tell what would be done; return what a program wants to know."""
    if not spec.requirements:
        note("no packages are needed, so no environment is")
        return {}
    store = EnvironmentStore(policy)
    ready = store.find(spec) is not None
    if arguments.dry_run:
        what = "is there" if ready else f"would be made by {find_installer(policy.installer)}"
    else:
        store.prepare(spec, report=note)
        ready, what = True, "was made" if store.made else "was there"
    python = store.directory / spec.digest / "bin" / "python"
    if not arguments.json:
        show(f"environment {spec.digest} {what}\n{python}")
    made = spec.digest in store.made
    return {"digest": spec.digest, "python": str(python), "ready": ready, "made": made}


def _policy(arguments: argparse.Namespace) -> PackagePolicy:
    return PackagePolicy(
        allow=arguments.allow,
        allow_urls=arguments.allow_url,
        allow_sources=arguments.allow_sources,
        allow_dependencies=not arguments.no_dependencies,
        installer=arguments.installer,
        directory=arguments.directory,
        timeout=arguments.timeout,
    )


def _declared(where: str | None) -> dict[str, tuple[str, ...]]:
    """Return what each skill of a store declares."""
    if where is None:
        return {}
    library = create_skill_library(open_skill_store(where, make=False))
    skills = {skill.name: skill.packages for skill in library.list()}
    for problem in library.problems():
        complain(problem.message)
    return skills


def _need_row(need: Need) -> tuple[str, ...]:
    verdict = f"refused: {need.refused}" if need.refused else "allowed"
    return without_credentials(need.requirement), ", ".join(need.skills), verdict
