"""Symbolic links in the folder: never followed, whatever the verb."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path

import pytest

from py_code_mode.artifacts import FileArtifactStore
from py_code_mode.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactWriteError,
)


@pytest.fixture
def outside(tmp_path) -> Path:
    made = tmp_path / "outside"
    made.mkdir()
    (made / "secret").write_text("secret")
    return made


@pytest.mark.parametrize("name", ["link", "folder/secret", "folder/sub/new", "self", "gone"])
def test_links_are_never_followed(folder, outside, name):
    """Through a link nothing is read, written, listed or deleted, whatever it points to."""
    (folder / "link").symlink_to(outside / "secret")
    (folder / "folder").symlink_to(outside)
    (folder / "self").symlink_to("self")
    (folder / "gone").symlink_to(outside / "gone")
    store = FileArtifactStore(folder)
    with pytest.raises(ArtifactWriteError, match="symbolic link"):
        store.save(name, "mine")
    with pytest.raises(ArtifactNotFoundError):
        store.load(name)
    assert store.get(name) is None
    assert store.exists(name) is False
    assert store.delete(name) is False
    assert store.list() == []
    assert (folder / name.split("/")[0]).is_symlink()
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_a_link_inside_the_folder_is_not_followed_either(folder):
    """Even a link to a neighbour is no artifact: there is one name for each."""
    store = FileArtifactStore(folder)
    store.save("real", 1)
    (folder / "alias").symlink_to("real")
    assert [info.name for info in store.list()] == ["real"]
    assert store.get("alias") is None


@pytest.mark.parametrize("own", [".pcm", ".pcm/lock"])
def test_links_in_place_of_the_store_s_own_files_are_refused(folder, outside, own):
    """Whoever replaces the store's own files by links gains no write outside of it."""
    store = FileArtifactStore(folder)
    if "/" in own:
        (folder / ".pcm").mkdir()
    (folder / own).symlink_to(outside / "secret" if "/" in own else outside)
    with pytest.raises(ArtifactWriteError, match="artifact 'x' cannot be written"):
        store.save("x", 1)
    assert store.list() == []
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_a_parent_swapped_for_a_link_while_writing_never_leads_out(folder, outside):
    """A folder that is swapped for a link again and again lets no write or read through."""
    store, stop, aside = FileArtifactStore(folder), threading.Event(), folder / "aside"

    def swap():
        while not stop.is_set():
            # The store makes the folder anew whenever it finds it missing: any step may fail.
            with contextlib.suppress(OSError):
                (folder / "sub").rename(aside)
            with contextlib.suppress(OSError):
                (folder / "sub").symlink_to(outside)
            stop.wait(0.0005)
            with contextlib.suppress(OSError):
                (folder / "sub").unlink()
            shutil.rmtree(aside, ignore_errors=True)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(150):
            for attempt in (
                lambda: store.save("sub/secret", "mine"),
                lambda: store.load("sub/secret"),
            ):
                try:
                    found = attempt()
                except ArtifactError:
                    continue
                assert found != "secret"
    finally:
        stop.set()
        thread.join(5)
    assert (outside / "secret").read_text() == "secret"
    assert [path.name for path in outside.iterdir()] == ["secret"]
