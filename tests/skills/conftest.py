"""Every store of skills, for the tests that all of them must pass."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from py_code_mode.skills import FileSkillStore, MemorySkillStore, RedisSkillStore, SkillStore
from tests.redis_servers import REDIS

# A new store joins the suite here: a function that opens one on an empty place.
STORES: dict[str, Callable[[Path], SkillStore]] = {
    "memory": lambda _: MemorySkillStore(),
    "file": FileSkillStore,
}


@pytest.fixture(params=[*sorted(STORES), *REDIS])
def store(request, tmp_path) -> SkillStore:
    if request.param in REDIS:
        server = request.getfixturevalue("redis_servers")(request.param)
        return RedisSkillStore(server.client(), prefix=uuid.uuid4().hex)
    return STORES[request.param](tmp_path / "skills")


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "skills"
    made.mkdir()
    return made
