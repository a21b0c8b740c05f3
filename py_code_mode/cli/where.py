"""Flags that several commands have: where tools, skills and artifacts are.

Place in the house: bottom of ``cli``, standard library only.
"""

from __future__ import annotations

import argparse
import os

__all__ = ["add_json", "add_where", "default_of"]

_WHAT = {
    "tools": "the tools: a folder of YAML files",
    "skills": "the skills: a folder",
    "artifacts": "the artifacts: a folder",
}


def default_of(what: str) -> str | None:
    """Return what the environment says of where the tools, skills or artifacts are."""
    return os.environ.get(f"PY_CODE_MODE_{what.upper()}") or None


def add_where(parser: argparse.ArgumentParser, what: str, folder: str | None = None) -> None:
    """Add ``--tools``, ``--skills`` or ``--artifacts``.

    Args:
        parser: What gets it.
        what: ``tools``, ``skills`` or ``artifacts``.
        folder: The folder that is meant when nobody says one; None: there are none then.
    """
    rest = f"the folder {folder!r}" if folder else "none"
    parser.add_argument(
        f"--{what}",
        metavar="PATH|URL",
        default=default_of(what) or folder,
        help=f"{_WHAT[what]}, or redis://host/0 (default: $PY_CODE_MODE_{what.upper()}, or {rest})",
    )


def add_json(parser: argparse.ArgumentParser, text: str = "print JSON") -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=text)
