"""``py-code-mode kernelspec ...``: our kernel in JupyterLab, VS Code and other front ends.

Place in the house: inside ``cli``; the work is done by ``py_code_mode.kernelspec``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from py_code_mode.cli.output import show, show_json, show_table
from py_code_mode.cli.where import add_json

__all__ = ["add_arguments"]

_EPILOG = """\
examples:
  py-code-mode kernelspec install
  py-code-mode kernelspec install --sys-prefix
  py-code-mode kernelspec install --name recon --display-name Recon --project ~/recon
  py-code-mode kernelspec list --json
  py-code-mode kernelspec remove recon

A notebook's tools, skills and artifacts are those of the nearest py-code-mode.toml, from its folder
upward; with --project those of that folder, wherever the notebook is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    install = verbs.add_parser("install", help="make the kernel known to Jupyter")
    install.add_argument("--name", default="py-code-mode", help="its name (default: %(default)s)")
    install.add_argument("--display-name", metavar="TEXT", help="what people see")
    install.add_argument(
        "--project", metavar="DIR", help="use this folder's py-code-mode.toml for all notebooks"
    )
    where = install.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user (the default)")
    where.add_argument(
        "--sys-prefix", action="store_true", help="into this Python environment: in a venv, a conda"
    )
    where.add_argument("--prefix", metavar="PATH", help="into PATH/share/jupyter/kernels")
    install.set_defaults(run=_install)
    listing = verbs.add_parser("list", help="list the kernels of ours that Jupyter finds")
    listing.set_defaults(run=_list)
    remove = verbs.add_parser("remove", help="make Jupyter forget the kernel")
    remove.add_argument("name", nargs="?", default="py-code-mode", metavar="NAME")
    remove.set_defaults(run=_remove)
    for verb in (install, listing, remove):
        add_json(verb)


def _install(arguments: argparse.Namespace) -> int:
    from py_code_mode.kernelspec import specs

    spec = specs.write(
        arguments.name,
        prefix=sys.prefix if arguments.sys_prefix else arguments.prefix,
        display_name=arguments.display_name,
        project=arguments.project,
    )
    if arguments.json:
        show_json(asdict(spec))
    else:
        show(f"installed {spec.name} in {spec.directory}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from py_code_mode.kernelspec import specs

    found = specs.installed()
    if arguments.json:
        show_json([asdict(spec) for spec in found])
    else:
        show_table((spec.name, spec.directory, " ".join(spec.words)) for spec in found)
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from py_code_mode.kernelspec import specs

    spec = specs.remove(arguments.name)
    if arguments.json:
        show_json(asdict(spec))
    else:
        show(f"removed {spec.name} from {spec.directory}")
    return 0
