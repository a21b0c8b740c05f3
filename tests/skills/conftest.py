"""Every store of skills, for the tests that all of them must pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from py_code_mode.skills import FileSkillStore, MemorySkillStore, SkillStore

# A new store joins the suite here: a function that opens one on an empty place.
STORES: dict[str, Callable[[Path], SkillStore]] = {
    "memory": lambda _: MemorySkillStore(),
    "file": FileSkillStore,
}


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path) -> SkillStore:
    return STORES[request.param](tmp_path / "skills")


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "skills"
    made.mkdir()
    return made
