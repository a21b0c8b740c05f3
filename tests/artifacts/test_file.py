"""What a folder of artifacts promises: readable files, private folders, nothing left over."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from py_code_mode.artifacts import FileArtifactStore
from py_code_mode.errors import (
    ArtifactNotFoundError,
    ConfigError,
)


def files(folder: Path) -> list[str]:
    """Everything below the folder but the store's own."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(str(path) for path in found if path.parts[0] != ".pcm")


def own_files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ".pcm").iterdir())


def test_a_missing_folder_is_made_for_this_user_alone_and_the_log_says_so(tmp_path, caplog):
    """A folder that does not exist is made, private, and that is logged once."""
    path = tmp_path / "deep" / "data"
    with caplog.at_level(logging.INFO):
        store = FileArtifactStore(str(path))
        FileArtifactStore(path)
    store.save("a/b/c", 1)
    for made in (path, path / "a", path / "a" / "b", path / ".pcm"):
        assert made.stat().st_mode & 0o777 == 0o700
    assert (path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o600
    assert [record.message for record in caplog.records] == [
        f"the artifacts folder {path} did not exist and was made"
    ]


def test_a_path_that_is_no_folder_is_a_config_error(tmp_path):
    """A file where the folder should be is refused, naming it."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match="file: artifacts must be kept in a folder"):
        FileArtifactStore(file)


def test_reading_leaves_a_folder_as_it_is(folder):
    """Listing and loading files of others writes nothing, so a read-only folder will do."""
    (folder / "a.txt").write_text("hello")
    store = FileArtifactStore(folder)
    assert store.load("a.txt") == "hello"
    assert [info.name for info in store.list()] == ["a.txt"]
    assert store.delete("b") is False
    assert [path.name for path in folder.iterdir()] == ["a.txt"]


def test_a_folder_that_went_away_is_empty_and_comes_back(folder):
    """Without its folder the store is empty; saving makes the folder again."""
    store = FileArtifactStore(folder)
    store.save("a", 1)
    shutil.rmtree(folder)
    assert store.list() == []
    assert store.get("a") is None
    with pytest.raises(ArtifactNotFoundError):
        store.load("a")
    store.save("a", 2)
    assert store.load("a") == 2


def test_artifacts_are_files_people_can_open(folder):
    """JSON, text and bytes lie under their own names as what they are."""
    store = FileArtifactStore(folder)
    store.save("results.json", {"open": [22]})
    store.save("notes/today.txt", "grüße\n")
    store.save("image.png", b"\x89PNG")
    assert json.loads((folder / "results.json").read_text()) == {"open": [22]}
    assert (folder / "notes" / "today.txt").read_bytes() == "grüße\n".encode()
    assert (folder / "image.png").read_bytes() == b"\x89PNG"
    assert files(folder) == ["image.png", "notes", "notes/today.txt", "results.json"]


def test_everything_is_there_when_opened_anew(folder):
    """A store opened on the same folder has the same values and the same knowledge of them."""
    values = {"a.json": [1], "b/c": ("t",), "d": b"\xff", "e": "text"}
    first = FileArtifactStore(folder)
    for name, value in values.items():
        first.save(name, value, f"about {name}", {"n": 1})
    second = FileArtifactStore(folder)
    assert second.list() == first.list()
    assert {name: second.load(name) for name in values} == values


def test_deleting_leaves_nothing_behind(folder):
    """With the artifact go its metadata and the folders it leaves empty, and no others."""
    store = FileArtifactStore(folder)
    store.save("a/b/c", 1)
    store.save("a/d", 2)
    store.delete("a/b/c")
    assert files(folder) == ["a", "a/d"]
    store.delete("a/d")
    assert files(folder) == []
    assert own_files(folder) == ["lock"]
