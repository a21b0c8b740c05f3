"""Every store of artifacts, for the tests that all of them must pass."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from py_code_mode.artifacts import (
    ArtifactStore,
    FileArtifactStore,
    MemoryArtifactStore,
    RedisArtifactStore,
)
from tests.redis_servers import REDIS

# A new store joins the suite here: a function that opens one on an empty place; it may be given
# max_bytes and max_artifact_bytes.
STORES: dict[str, Callable[..., ArtifactStore]] = {
    "memory": lambda _, **quota: MemoryArtifactStore(**quota),
    "file": FileArtifactStore,
    "file-fsync": lambda path, **quota: FileArtifactStore(path, fsync=True, **quota),
}


@pytest.fixture(params=[*sorted(STORES), *REDIS])
def open_store(request, tmp_path) -> Callable[..., ArtifactStore]:
    if request.param in REDIS:
        server = request.getfixturevalue("redis_servers")(request.param)
        prefix = uuid.uuid4().hex
        return functools.partial(RedisArtifactStore, server.client(), prefix)
    return functools.partial(STORES[request.param], tmp_path / "data")


@pytest.fixture
def store(open_store) -> ArtifactStore:
    return open_store()


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made
