"""Every store of artifacts, for the tests that all of them must pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from py_code_mode.artifacts import ArtifactStore, FileArtifactStore, MemoryArtifactStore

# A new store joins the suite here: a function that opens one on an empty place.
STORES: dict[str, Callable[[Path], ArtifactStore]] = {
    "memory": lambda _: MemoryArtifactStore(),
    "file": FileArtifactStore,
    "file-fsync": lambda path: FileArtifactStore(path, fsync=True),
}


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path) -> ArtifactStore:
    return STORES[request.param](tmp_path / "data")


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made
