"""Files that people write and that may come from anywhere: tools, rules, a project's settings.

Place in the house: ``tests.fuzz.targets``. They are written to a file and read by what the host
reads them with; nothing that they name is started.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from functools import cache
from pathlib import Path

import yaml

from py_code_mode.errors import ConfigError
from py_code_mode.governance.rules import Rules
from py_code_mode.projectfile import read_project_file
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import StartingAdapter
from py_code_mode.tools.loader import load_file
from tests.fuzz.draw import Draw
from tests.fuzz.texts import PROJECT, RULES, TOOLS, YAML_PIECES, YAML_WORDS

__all__ = ["settings"]


@cache
def _file(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix="py-code-mode-fuzz-")) / name


@cache
def _trees() -> tuple[str, ...]:
    """What the files say, as JSON, which is YAML, too."""
    return tuple(json.dumps(yaml.safe_load(text), default=str) for text in (*TOOLS[:-1], RULES))


def settings(data: bytes) -> None:
    """A file is read, or a ``ConfigError`` names it."""
    draw = Draw(data)
    which, how = draw.below(8), draw.below(4)
    if which == 7:
        file = _file("py-code-mode.toml")
        text = draw.spliced(PROJECT, YAML_PIECES)
    else:
        file = _file("policy.yaml" if which == 6 else "tool.yaml")
        if how == 3:
            text = draw.spliced(RULES if which == 6 else draw.pick(TOOLS), YAML_PIECES)
        else:
            trees = _trees()
            seed = trees[-1] if which == 6 else draw.pick(trees[:-1])
            text = json.dumps(draw.changed(json.loads(seed), YAML_WORDS, trees))
    raw = text.encode("utf-8", "surrogatepass")
    file.write_bytes(draw.damaged(raw) if how == 0 else raw)
    try:
        _read(file)
    except ConfigError as error:
        assert error.file is not None, "the error names no file"
        str(error).encode()  # it is printed, and logged


def _read(file: Path) -> None:
    if file.suffix == ".toml":
        read_project_file(file)
    elif file.name == "policy.yaml":
        Rules.from_yaml(file)
    else:
        _, adapter = load_file(file, Secrets())
        if not isinstance(adapter, StartingAdapter):
            json.dumps([info.to_dict() for info in adapter.tools()], default=str)
