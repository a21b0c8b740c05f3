"""What ``py-code-mode.toml`` may say, and reading it.

Place in the house: below ``project`` and ``server``, which share the file. ``docs/project.md`` has
the table of its keys. Paths in it count from its own folder.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from py_code_mode.errors import ConfigError
from py_code_mode.sandbox import Sandbox
from py_code_mode.stores import is_url
from py_code_mode.yamlcheck import validate
from py_code_mode.yamlfile import KeyPath, YamlFile

__all__ = ["KernelTable", "ProjectFile", "parse_project_file", "read_project_file"]

_UNREADABLE = "this file of settings cannot be read"

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\"' -]+?)\s*=")

SERVER_PATHS = ("tools", "skills", "artifacts", "policy", "cwd", "token_file", "state")
"""Keys of section ``[server]`` that are paths; and ``python``, if it is one and not a name."""


class KernelTable(BaseModel):
    """Section ``[kernel]``: how kernels are started."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: str | None = Field(
        default=None, description="interpreter of the kernels: a path or a name"
    )
    cwd: str | None = Field(default=None, description="working directory of the code")
    preload: list[str] = Field(
        default=[], description="modules, and scripts (`.py`), run before the code"
    )
    pass_env: list[str] = Field(default=[], description="variables kernels get of the environment")
    env: dict[str, str] = Field(default={}, description="variables kernels get besides")
    sandbox: Any = Field(default="none", description="a level of confinement, or a table of bounds")


class ProjectFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tools: str | None = Field(default=None, description="folder of tools, or redis://host/0")
    skills: str | None = Field(default=None, description="folder of skills, or redis://host/0")
    artifacts: str | None = Field(
        default=None, description="folder of artifacts, or redis://host/0"
    )
    redis: str | None = Field(
        default=None, description="server for those of the three that are not given"
    )
    policy: str | None = Field(default=None, description="file of rules for tool calls")
    allowed_tags: list[str] | None = Field(
        default=None, description="only tools with one of these tags exist"
    )
    timeout: float | None = Field(
        default=None, gt=0, description="seconds a cell of an agent may take"
    )
    kernel: KernelTable = Field(default=KernelTable(), description="how kernels are started")
    server: dict[str, Any] = Field(default={}, description="settings of the session server")


def read_project_file(file: Path) -> ProjectFile:
    """Read a project's file; paths in it become absolute.

    Raises:
        ConfigError: It cannot be read, or something in it is wrong; file, line and key are named.
    """
    try:
        return parse_project_file(file, file.read_bytes())
    except FileNotFoundError:
        raise ConfigError("there is no such file of settings", file=file) from None
    except OSError as error:
        raise ConfigError(f"{_UNREADABLE}: {error}", file=file) from error


def parse_project_file(file: Path, raw: bytes) -> ProjectFile:
    """Read what a project's file holds; see ``read_project_file``.

    Args:
        file: What messages call it, and what its paths count from.
        raw: Its bytes.

    Raises:
        ConfigError: Something in it is wrong; file, line and key are named.
    """
    try:
        text = raw.decode()
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{_UNREADABLE}: {error}", file=file) from error
    read = YamlFile(file, data, _lines(text))
    for section in ("server", "kernel"):
        if not isinstance(data.get(section, {}), dict):
            raise read.error(f"must be a table: [{section}]", (section,))
    return _absolute(validate(read, ProjectFile), read)


def _absolute(said: ProjectFile, file: YamlFile) -> ProjectFile:
    def beside(path: str | None, *, program: bool = False) -> str | None:
        if path is None or is_url(path) or (program and "/" not in path):
            return path
        return str(file.beside(path, ()))

    try:
        sandbox = Sandbox.of(said.kernel.sandbox, file.path.resolve().parent)
    except ConfigError as error:
        raise file.error(str(error), ("kernel", "sandbox")) from error
    kernel = said.kernel.model_copy(
        update={
            "python": beside(said.kernel.python, program=True),
            "cwd": beside(said.kernel.cwd),
            "sandbox": sandbox,
            "preload": [
                str(beside(each)) if each.endswith(".py") else each for each in said.kernel.preload
            ],
        }
    )
    server = dict(said.server)
    for key in (*SERVER_PATHS, "python"):
        if isinstance(server.get(key), str):
            server[key] = beside(server[key], program=key == "python")
    paths = {
        name: beside(getattr(said, name)) for name in ("tools", "skills", "artifacts", "policy")
    }
    return said.model_copy(update={**paths, "kernel": kernel, "server": server})


def _lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each key, as far as it can be seen without a parser that keeps them."""
    lines: dict[KeyPath, int] = {(): 1}
    section: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            section = _parts(header[2])
            lines.setdefault(section, number)
            if header[1] == "[[":
                counts[section] = counts.get(section, -1) + 1
                section = (*section, counts[section])
                lines.setdefault(section, number)
            continue
        key = _KEY.match(line)
        if key:
            path = (*section, *_parts(key[1]))
            for length in range(len(section) + 1, len(path) + 1):
                lines.setdefault(path[:length], number)
    return lines


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip(" \"'") for part in dotted.split("."))
