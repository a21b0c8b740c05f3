"""Pieces, quotas and expiry in a folder that others change as well."""

from __future__ import annotations

import os
import time

import numpy as np
import pandas as pd
import pytest

from py_code_mode.artifacts import FileArtifactStore
from py_code_mode.errors import ArtifactError, ArtifactWriteError


def test_a_file_written_into_while_it_is_read_is_noticed(folder):
    """Whoever changes a file in place instead of replacing it spoils the reading, not the data."""
    store = FileArtifactStore(folder)
    store.save("x", bytes(5_000_000))
    reading = store.read_chunks("x")
    next(reading)
    with (folder / "x").open("r+b") as file:
        file.seek(4_000_000)
        file.write(b"!")
        os.utime(file.fileno(), ns=(1, 1))
    with pytest.raises(ArtifactError, match="was changed while it was read"):
        list(reading)


def test_what_expired_is_removed_from_the_folder(folder):
    """A listing, by whichever process, removes files that have expired, and what belongs to them."""
    info = FileArtifactStore(folder).save("dir/x", 1, ttl=0.05)
    assert (folder / "dir" / "x").exists()
    while time.time() < info.expires:
        time.sleep(0.005)
    assert FileArtifactStore(folder).list() == []
    assert not (folder / "dir").exists()
    assert list((folder / ".pcm").glob("*.json")) == []


def test_an_expired_name_that_was_saved_anew_stays(folder):
    """Removing what has expired never hits what another process has just put in its place."""
    store, other = FileArtifactStore(folder), FileArtifactStore(folder)
    info = store.save("x", 1, ttl=0.05)
    while time.time() < info.expires:
        time.sleep(0.005)
    other.save("x", 2)
    assert store._delete("x", only_expired=True) is False
    assert store.load("x") == 2


def test_files_of_others_count_against_the_quota(folder):
    """What people put into the folder takes room like everything else."""
    (folder / "by-hand.bin").write_bytes(bytes(900))
    store = FileArtifactStore(folder, max_bytes=1_000)
    with pytest.raises(ArtifactWriteError, match="use 900 of the 1,000"):
        store.save("x", bytes(101))
    assert store.save("x", bytes(100)).size == 100
    assert not list((folder / ".pcm").glob("tmp-*"))


def test_tables_and_arrays_put_there_by_hand_load_as_such(folder):
    """A Parquet or npy file of somebody else's loads as the frame or array it holds."""
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1, 2]})
    frame.to_parquet(folder / "f.parquet")
    np.save(folder / "a.npy", np.eye(2))
    (folder / "no.npy").write_bytes(b"no array")
    store = FileArtifactStore(folder)
    kinds = {info.name: info.kind for info in store.list()}
    assert kinds == {"a.npy": "npy", "f.parquet": "parquet", "no.npy": "text"}
    pd.testing.assert_frame_equal(store.load("f.parquet"), frame)
    assert (store.load("a.npy") == np.eye(2)).all()
