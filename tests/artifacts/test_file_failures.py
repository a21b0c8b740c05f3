"""Full disks, dead writers, open files and several processes on one folder."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from py_code_mode.artifacts import FileArtifactStore
from py_code_mode.errors import (
    ArtifactNotFoundError,
    ArtifactWriteError,
)
from tests import descriptors

ROOT = Path(__file__).parents[2]


def own_files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ".pcm").iterdir())


LIMITED = """
import resource, sys
from py_code_mode.artifacts import FileArtifactStore
from py_code_mode.errors import ArtifactWriteError
store = FileArtifactStore(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.save("sub/x", b"new" * 100_000, "new")
except ArtifactWriteError as error:
    print(error)
print(store.load("sub/x"), store.get("sub/x").description)
"""


def test_a_file_that_may_not_grow_leaves_the_old_version(folder):
    """When the system refuses to write on, the error says so and the old version is intact."""
    store = FileArtifactStore(folder)
    store.save("sub/x", "old", "former")
    run = [sys.executable, "-c", LIMITED, folder]
    said = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [
        f"artifact 'sub/x' cannot be written in {folder}: File too large",
        "old former",
    ]
    assert store.load("sub/x") == "old"
    assert [name for name in own_files(folder) if name.startswith("tmp-")] == []


@pytest.mark.parametrize("step", ["utime", "replace"])
def test_a_full_disk_at_any_step_leaves_the_old_version(folder, monkeypatch, step):
    """Whichever step finds the disk full, value and description of before are there after."""
    store = FileArtifactStore(folder)
    store.save("x", "old", "former")
    original = getattr(os, step)

    def full_from(nth):
        calls = itertools.count(1)

        def call(*args, **kwargs):
            if next(calls) >= nth:
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(*args, **kwargs)

        return call

    for nth in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, full_from(nth))
            with pytest.raises(ArtifactWriteError, match=r"'x' cannot be written .*No space left"):
                store.save("x", "new value", "new")
        for reader in (store, FileArtifactStore(folder)):
            assert (reader.load("x"), reader.get("x").description) == ("old", "former")
        assert [name for name in own_files(folder) if name.startswith("tmp-")] == []


def aged(path: Path, seconds: float) -> Path:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))
    return path


def test_what_a_dead_writer_left_is_swept_away(folder):
    """Temporary files nobody has open go, unless they are just being made."""
    FileArtifactStore(folder).save("x", 1)
    for name, age in (("tmp-old", 20), ("tmp-new", 2)):
        path = folder / ".pcm" / name
        path.write_text("half")
        aged(path, age)
    FileArtifactStore(folder).save("x", 2)
    left = [name for name in own_files(folder) if name.startswith("tmp-")]
    assert left == ["tmp-new"]


def test_a_writer_may_take_hours(folder):
    """However old a half-written artifact is, nobody sweeps it away while its writer lives."""
    with FileArtifactStore(folder).open_write("x") as writer:
        writer.write(b"first ")
        aged(next((folder / ".pcm").glob("tmp-*")), 100_000)
        FileArtifactStore(folder).save("y", 1)
        writer.write(b"second")
    assert FileArtifactStore(folder).load("x") == b"first second"


def test_what_other_processes_are_writing_takes_room(folder):
    """Half-written artifacts of other stores on the folder count, those of dead writers do not."""
    other = FileArtifactStore(folder).open_write("other")
    other.write(b"a" * 600)
    store = FileArtifactStore(folder, max_bytes=1_000)
    with pytest.raises(ArtifactWriteError, match="does not fit"):
        store.save("x", b"a" * 401)
    other.abort()
    dead = folder / ".pcm" / "tmp-dead"
    dead.write_bytes(bytes(600))
    aged(dead, 20)
    store.save("x", b"a" * 401)


def test_no_file_stays_open(folder):
    """Every verb closes what it opened, on success and on failure."""
    store = FileArtifactStore(folder)

    def verbs():
        store.save("a/b/c", 1)
        store.load("a/b/c")
        store.list()
        store.get("a/b/c")
        for bad in ("a/b", "a/b/c/d"):
            with pytest.raises(ArtifactWriteError):
                store.save(bad, 1)
            with pytest.raises(ArtifactNotFoundError):
                store.load(bad)
        store.delete("a/b/c")

    verbs()
    before = descriptors.count()
    for _ in range(20):
        verbs()
    assert descriptors.count() <= before


WRITE_MANY = """
import sys
from py_code_mode.artifacts import FileArtifactStore
store, me = FileArtifactStore(sys.argv[1]), int(sys.argv[2])
values = [b"b" * 50_000, "t" * 30_000, [1] * 3_000, ("v", 1)]
for n in range(40):
    store.save("shared/x", values[(n + me) % 4], "d")
    assert store.load("shared/x") in values
    store.save(f"own/{me}/{n}", n)
    if n % 2:
        assert store.delete(f"own/{me}/{n}")
    store.list()
"""


def test_processes_on_one_folder_see_each_other_and_never_half_a_value(folder):
    """Processes that save, load, list and delete at once end with what each of them kept."""
    store = FileArtifactStore(folder)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE_MANY, folder, str(number)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    errors = [process.communicate()[1] for process in running]
    assert errors == [""] * 3
    kept = [f"own/{me}/{n}" for me in range(3) for n in range(0, 40, 2)]
    assert [info.name for info in store.list()] == sorted([*kept, "shared/x"])
    assert all(store.load(name) == int(name.rpartition("/")[2]) for name in kept)
    assert store.get("shared/x").description == "d"
    assert len(own_files(folder)) == len(kept) + 2  # theirs, shared/x and the lock


KILLED = """
import sys
from py_code_mode.artifacts import FileArtifactStore
store = FileArtifactStore(sys.argv[1])
print("go", flush=True)
while True:
    store.save("x", b"a" * 200_000, "a")
    store.save("x", ("b",) * 1_000, "b")
"""


def test_a_writer_killed_at_any_moment_leaves_one_of_its_values(folder):
    """After kill -9 in the middle of writing, value, kind and description belong together."""
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, folder], cwd=ROOT, stdout=subprocess.PIPE
        ) as writer:
            writer.stdout.readline()
            threading.Event().wait(0.05)
            writer.kill()
        store = FileArtifactStore(folder)
        expected = {"a": b"a" * 200_000, "b": ("b",) * 1_000}
        assert store.load("x") == expected[store.get("x").description]
        store.save("y", 1)  # the lock went with its holder
