"""The command line as its user meets it: words in; exit code, text and complaints out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from py_code_mode.cli import main


@dataclass(frozen=True)
class Said:
    """What a command left.

    Attributes:
        code: Its exit code.
        out: What it printed.
        err: What it complained of.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch) -> Callable[..., Said]:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for what in ("TOOLS", "SKILLS", "ARTIFACTS", "REDIS", "CONFIG"):
        monkeypatch.delenv(f"PY_CODE_MODE_{what}", raising=False)

    def run(*words: object) -> Said:
        try:
            code = main([str(word) for word in words])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Said(code, *capsys.readouterr())

    return run
