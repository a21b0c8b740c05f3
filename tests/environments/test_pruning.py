"""Environments that nobody uses go, all else stays."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from py_code_mode import ConfigError, PackagePolicy
from py_code_mode.environments import EnvironmentStore
from py_code_mode.environments.locks import FileLock
from py_code_mode.environments.record import RECORD

DAY = 24 * 60 * 60
MONTH = timedelta(days=30)


def environment(directory: Path, digest: str, *, days: float) -> Path:
    """Lay down what an environment that was used so many days ago looks like."""
    path = directory / digest
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").symlink_to("/bin/sh")
    data = {
        "digest": digest, "requirements": ["x"], "constraints": [], "python": "3.11.7",
        "installer": "pip", "created": "2024-01-01T00:00:00+00:00", "seconds": 1.5,
        "distributions": {"x": "1"}, "kernels_own": [],
    }  # fmt: skip
    (path / RECORD).write_text(json.dumps(data))
    os.utime(path / RECORD, (time.time() - days * DAY,) * 2)
    path.with_suffix(".lock").touch()
    return path


@pytest.fixture
def store(tmp_path: Path) -> EnvironmentStore:
    return EnvironmentStore(PackagePolicy(directory=tmp_path))


def test_old_ones_go_and_new_ones_stay(store):
    """What was not used for so long is removed, its lock too; a dry run only tells."""
    old = environment(store.directory, "a" * 20, days=31)
    new = environment(store.directory, "b" * 20, days=29)
    assert [each.directory for each in store.prune(MONTH, dry_run=True)] == [old]
    assert old.exists()
    assert [each.directory for each in store.prune(MONTH)] == [old]
    assert not old.exists()
    assert not old.with_suffix(".lock").exists()
    assert [each.directory for each in store.list()] == [new]


def test_one_in_use_stays(store):
    """An environment that a process uses is kept, however old."""
    old = environment(store.directory, "a" * 20, days=400)
    user = FileLock(old.with_suffix(".lock"))
    assert user.try_lock(shared=True)
    assert store.prune(MONTH) == []
    user.release()
    assert len(store.prune(MONTH)) == 1


def test_what_a_broken_build_left_goes(store):
    """A directory without a record is no environment, and is removed whatever its age."""
    broken = environment(store.directory, "a" * 20, days=0)
    (broken / RECORD).unlink()
    assert store.prune(MONTH) == []
    assert not broken.exists()


def test_nothing_else_is_touched(store):
    """Directories that are not ours stay, whatever directory is given."""
    environment(store.directory, "a" * 20, days=400)
    precious = store.directory / "precious"
    precious.mkdir()
    unlocked = store.directory / ("c" * 20)
    unlocked.mkdir()
    store.prune(timedelta(0))
    assert precious.is_dir()
    assert unlocked.is_dir()


@pytest.mark.parametrize(
    "wrong",
    [b"", b"[]", b"{}", b'{"digest": "' + b"b" * 20 + b'"}', b"[" * 100_000, b"\xff", None],
    ids=["empty", "list", "dict", "other", "deep", "bytes", "types"],
)
def test_a_wrong_record_is_no_record(store, wrong):
    """Kernels can write where their packages are, so a record is looked at before it counts."""
    path = environment(store.directory, "a" * 20, days=0)
    if wrong is None:
        data = json.loads((path / RECORD).read_text())
        wrong = json.dumps({**data, "distributions": {"x": ["1"]}}).encode()
    (path / RECORD).write_bytes(wrong)
    assert store.list() == []


def test_an_interpreter_that_is_gone_makes_it_unusable(store):
    """An environment whose interpreter was uninstalled is listed, and is not whole."""
    path = environment(store.directory, "a" * 20, days=0)
    (path / "bin" / "python").unlink()
    (path / "bin" / "python").symlink_to(store.directory / "gone")
    (found,) = store.list()
    assert not found.is_whole


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(tmp_path):
    """Whoever locks a file that its owner has just removed locks the one that is there now."""
    owner, later = FileLock(tmp_path / "x.lock"), FileLock(tmp_path / "x.lock")
    assert owner.try_lock(shared=False)
    later.descriptor = os.open(later.path, os.O_RDONLY)
    owner.remove()
    assert later.try_lock(shared=False)
    assert os.path.samestat(os.fstat(later.descriptor), later.path.stat())
    assert not owner.try_lock(shared=True)
    later.release()


def test_one_is_removed_by_its_name(store):
    """``remove`` takes an environment away however new it is, unless a process uses it."""
    path = environment(store.directory, "a" * 20, days=0)
    user = FileLock(path.with_suffix(".lock"))
    assert user.try_lock(shared=True)
    with pytest.raises(ConfigError, match="a running process uses it"):
        store.remove(path.name)
    user.release()
    assert store.remove(path.name)
    assert not store.remove(path.name)
    assert [*store.directory.iterdir()] == []
    assert not store.remove("../" + store.directory.name)
