"""A project: its tools, skills, artifacts and rules, as ``py-code-mode.toml`` says.

Place in the house: above ``stores``, below the executor, whose options it gives. The command line,
the console and the kernel of notebooks find the file from their folder upward; words of the
command line go before the environment, the environment before the file.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from py_code_mode.config import KernelConfig
from py_code_mode.errors import ConfigError
from py_code_mode.sandbox import LEVELS, Sandbox

__all__ = [
    "CONFIG_VARIABLE",
    "PROJECT_FILE",
    "Project",
    "add_project_arguments",
    "find_project_file",
    "load_project",
    "project_of",
    "project_words",
]

PROJECT_FILE = "py-code-mode.toml"
CONFIG_VARIABLE = "PY_CODE_MODE_CONFIG"
"""Environment variable that names the file instead."""

_STORES = ("tools", "skills", "artifacts")
_FLAGS = (*_STORES, "policy", "python", "sandbox")

_WHAT = {
    "tools": "the tools: a folder of YAML files",
    "skills": "the skills: a folder",
    "artifacts": "the artifacts: a folder",
}


@dataclass(frozen=True, slots=True)
class Project:
    """What there is for code to use.

    Attributes:
        file: Where it is written; None: nowhere.
        tools: Folder or url of tools, or None.
        skills: Folder or url of skills, or None.
        artifacts: Folder or url of artifacts, or None.
        policy: File of rules, or None.
        allowed_tags: Only tools with one of these tags exist; None: all.
        timeout: Seconds a cell of an agent may take; None: no word on it.
        kernel: How kernels are started.
    """

    file: Path | None = None
    tools: str | None = None
    skills: str | None = None
    artifacts: str | None = None
    policy: str | None = None
    allowed_tags: tuple[str, ...] | None = None
    timeout: float | None = None
    kernel: KernelConfig = field(default_factory=KernelConfig)

    def options(self) -> dict[str, Any]:
        """Return keyword arguments of ``CodeExecutor.create``, all but the kernel's and time's."""
        return {
            "tools": self.tools,
            "skills": self.skills,
            "artifacts": self.artifacts,
            "allowed_tags": self.allowed_tags,
            "policy": self.policy,
        }


def find_project_file(folder: str | Path | None = None) -> Path | None:
    """Return the file of the project a folder is in: the nearest one from there upward.

    Args:
        folder: Where to begin; None: the working directory.

    Raises:
        ConfigError: It lies further up and belongs to somebody else: what it says may run programs.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    start = Path(folder or Path.cwd()).absolute()
    for each in (start, *start.parents):
        file = each / PROJECT_FILE
        if file.is_file():
            if each != start and not _is_ours(file, start):
                raise ConfigError(
                    "this file of settings belongs to another user; if you trust it, name it: "
                    f"--project, or {CONFIG_VARIABLE}",
                    file=file,
                )
            return file
    return None


def _is_ours(file: Path, start: Path) -> bool:
    return file.stat().st_uid in (os.geteuid(), 0, start.stat().st_uid)


def load_project(
    where: str | Path | None = None, given: Mapping[str, str | None] | None = None
) -> Project:
    """Read the project's file, if there is one.

    Args:
        where: The file, or its folder; None: found from the working directory upward.
        given: What goes before it: ``tools``, ``skills``, ``artifacts``, ``policy``, ``python``,
            ``sandbox``.

    Raises:
        ConfigError: The file cannot be read, or something in it is wrong.
    """
    from py_code_mode.projectfile import ProjectFile, read_project_file

    file = find_project_file() if where is None else Path(where)
    if where is not None and file is not None and file.is_dir():
        file = file / PROJECT_FILE
    said = ProjectFile() if file is None else read_project_file(file)
    words = {name: value for name, value in (given or {}).items() if value}
    redis = os.environ.get("PY_CODE_MODE_REDIS") or said.redis
    stores = {name: words.get(name) or _variable(name) for name in _STORES}
    sandbox = Sandbox.of(said.kernel.sandbox)
    kernel = KernelConfig(
        python=words.get("python") or said.kernel.python,
        cwd=said.kernel.cwd,
        env=said.kernel.env,
        pass_env=said.kernel.pass_env,
        preload=said.kernel.preload,
        sandbox=dataclasses.replace(sandbox, level=words.get("sandbox") or sandbox.level),
    )
    tags = said.allowed_tags
    return Project(
        file=file,
        **{name: stores[name] or getattr(said, name) or redis for name in _STORES},
        policy=words.get("policy") or said.policy,
        allowed_tags=None if tags is None else tuple(tags),
        timeout=said.timeout,
        kernel=kernel,
    )


def _variable(what: str) -> str | None:
    return os.environ.get(f"PY_CODE_MODE_{what.upper()}") or None


def add_project_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--project``, and what goes before its file."""
    parser.add_argument(
        "--project",
        metavar="DIR",
        help=f"folder whose {PROJECT_FILE} says what is not said here "
        "(default: the nearest one, from here upward)",
    )
    for what in _STORES:
        parser.add_argument(
            f"--{what}",
            metavar="PATH|URL",
            help=f"{_WHAT[what]}, or redis://host/0 "
            f"(default: $PY_CODE_MODE_{what.upper()}, the project's, or none)",
        )
    parser.add_argument("--policy", metavar="FILE", help="rules on tools and shell commands (YAML)")
    parser.add_argument(
        "--python", metavar="PATH", help="interpreter of the kernel (default: ours)"
    )
    parser.add_argument(
        "--sandbox",
        metavar="LEVEL",
        choices=LEVELS,
        help=f"how the code is confined: {', '.join(LEVELS)} (default: the project's, or none)",
    )


def project_of(arguments: argparse.Namespace) -> Project:
    """Return the project that parsed words mean.

    Raises:
        ConfigError: Its file cannot be read, or something in it is wrong.
    """
    return load_project(arguments.project, {name: getattr(arguments, name) for name in _FLAGS})


def project_words(arguments: argparse.Namespace) -> list[str]:
    """Return the words that say the same to another program in the same folder."""
    return [
        word
        for name in ("project", *_FLAGS)
        if getattr(arguments, name)
        for word in (f"--{name}", getattr(arguments, name))
    ]
