"""Tool files, and which adapter each type of them becomes.

Place in the house: ``tools``, below the registry. A new type of tool is one more entry in
``TYPES``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from py_code_mode.errors import ConfigError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import ToolAdapter
from py_code_mode.tools.names import listed
from py_code_mode.yamlcheck import validate
from py_code_mode.yamlfile import KeyPath, YamlFile, read_yaml

__all__ = ["TYPES", "load_directory", "load_file", "make_adapter"]


def _cli(file: YamlFile, secrets: Secrets) -> ToolAdapter:
    from py_code_mode.tools.cli import CLIAdapter
    from py_code_mode.tools.schema import CLIFile

    said = validate(file, CLIFile).model_dump(exclude_unset=True, exclude={"type"})
    recipes = said.pop("recipes", None)
    _settle(file, said, secrets, ())
    for name, recipe in (recipes or {}).items():
        _settle(file, recipe, secrets, ("recipes", name))
    try:
        return CLIAdapter(recipes=recipes, **said)
    except ConfigError as error:
        raise file.error(error.reason, tuple((error.key or "").split("."))) from None


def _settle(file: YamlFile, said: dict[str, Any], secrets: Secrets, where: KeyPath) -> None:
    """Settle what depends on this machine: paths and secrets."""
    if os.sep in (said.get("command") or ""):
        said["command"] = str(file.beside(said["command"], (*where, "command")))
    if said.get("cwd") is not None:
        said["cwd"] = str(file.beside(said["cwd"], (*where, "cwd")))
    for name, value in said.get("env", {}).items():
        try:
            said["env"][name] = secrets.fill(value)
        except ConfigError as error:
            raise file.error(error.reason, (*where, "env", name)) from None


def _mcp(file: YamlFile, secrets: Secrets) -> ToolAdapter:
    from py_code_mode.tools.mcp.adapter import MCPAdapter
    from py_code_mode.tools.mcp.schema import MCPFile

    said = validate(file, MCPFile)
    command, cwd = said.command, said.cwd
    if command is not None and os.sep in command:
        command = str(file.beside(command, ("command",)))
    try:
        return MCPAdapter(
            command=command,
            cwd=None if cwd is None else file.beside(cwd, ("cwd",)),
            secrets=secrets,
            **said.model_dump(exclude={"type", "command", "cwd"}),
        )
    except ConfigError as error:
        key = tuple(error.key.split(".", 1)) if error.key else ()
        raise file.error(error.reason, key) from None


def _http(file: YamlFile, secrets: Secrets) -> ToolAdapter:
    from py_code_mode.tools.http.files import make_http

    return make_http(file, secrets)


def _openapi(file: YamlFile, secrets: Secrets) -> ToolAdapter:
    from py_code_mode.tools.http.files import make_openapi

    return make_openapi(file, secrets)


TYPES: dict[str, Callable[[YamlFile, Secrets], ToolAdapter]] = {
    "cli": _cli,
    "mcp": _mcp,
    "http": _http,
    "openapi": _openapi,
}
"""The literal list of types: value of the key ``type`` -> what makes the adapter."""


def load_file(path: Path, secrets: Secrets) -> tuple[YamlFile, ToolAdapter]:
    """Make the adapter a tool file asks for.

    Args:
        path: The file.
        secrets: What its ``${NAME}`` stand for.

    Returns:
        The file as read, for messages about it, and its adapter.

    Raises:
        ConfigError: Something in the file is wrong; file, line and key are named.
    """
    file = read_yaml(path)
    return file, make_adapter(file, secrets)


def make_adapter(file: YamlFile, secrets: Secrets) -> ToolAdapter:
    """Make the adapter that a file which was read asks for; see ``load_file``."""
    kind = file.data.get("type", "cli")
    factory = TYPES.get(kind) if isinstance(kind, str) else None
    if factory is None:
        text = f"this version has no tools of type {kind!r}; it has {listed(TYPES)}"
        raise file.error(text, ("type",))
    return factory(file, secrets)


def load_directory(
    path: Path, secrets: Secrets
) -> Iterator[tuple[YamlFile, ToolAdapter] | ConfigError]:
    """Load every ``*.yaml`` and ``*.yml`` of a directory, in the order of their names.

    Yields:
        For each file its adapter, or what is wrong with it.

    Raises:
        ConfigError: ``path`` is no directory that can be read.
    """
    try:
        files = sorted(path.iterdir())
    except OSError as error:  # no directory, or not readable
        raise ConfigError(f"no readable directory: {error.strerror}", file=path) from None
    for file in files:
        if file.suffix in {".yaml", ".yml"} and not file.name.startswith("."):
            try:
                yield load_file(file, secrets)
            except ConfigError as error:
                yield error
