"""Files that people write and that may come from anywhere: tools, rules, a project's settings.

Place in the house: ``tests.fuzz.targets``. Nothing that they name is started
or read.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import yaml

from py_code_mode.errors import ConfigError
from py_code_mode.governance.rules import Rules
from py_code_mode.projectfile import parse_project_file
from py_code_mode.replies import describe_tool
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import StartingAdapter
from py_code_mode.tools.loader import make_adapter
from py_code_mode.yamlfile import parse_yaml
from tests.fuzz.draw import Draw
from tests.fuzz.texts import PROJECT, RULES, TOOLS, YAML_PIECES, YAML_WORDS

__all__ = ["settings"]


_TOOL, _RULES, _PROJECT = (Path("/x") / name for name in ("a.yaml", "rules.yaml", "project.toml"))


@cache
def _trees() -> tuple[str, ...]:
    """What the files say, as JSON, which is YAML, too."""
    return tuple(json.dumps(yaml.safe_load(text), default=str) for text in (*TOOLS[:-1], RULES))


def settings(data: bytes) -> None:
    """A file is read, or a ``ConfigError`` names it."""
    draw = Draw(data)
    which, how = draw.below(8), draw.below(4)
    if which == 7:
        file = _PROJECT
        text = draw.spliced(PROJECT, YAML_PIECES)
    else:
        file = _RULES if which == 6 else _TOOL
        if how == 3:
            text = draw.spliced(RULES if which == 6 else draw.pick(TOOLS), YAML_PIECES)
        else:
            trees = _trees()
            seed = trees[-1] if which == 6 else draw.pick(trees[:-1])
            text = json.dumps(draw.changed(json.loads(seed), YAML_WORDS, trees))
    raw = text.encode("utf-8", "surrogatepass")
    try:
        _read(file, draw.damaged(raw) if how == 0 else raw)
    except ConfigError as refused:
        named = refused.file
    else:
        named = file
    assert named == file, "the error names no file"


def _read(file: Path, raw: bytes) -> None:
    if file == _PROJECT:
        parse_project_file(file, raw)
    elif file == _RULES:
        Rules._read(parse_yaml(file, raw), None)
    else:
        adapter = make_adapter(parse_yaml(file, raw), Secrets())
        if not isinstance(adapter, StartingAdapter):
            json.dumps([describe_tool(info) for info in adapter.tools()], default=str)
