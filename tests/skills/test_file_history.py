"""The history of a folder of skills: hand edits, damage, several processes, other people's rights."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from py_code_mode.errors import SkillError, SkillValidationError
from py_code_mode.skills import FileSkillStore, SkillUsage, counts, disk, parse_skill

ROOT = Path(__file__).parents[2]
HIDDEN = ".py-code-mode"


def save(store: FileSkillStore, value: int, creator: str = "") -> None:
    store.save(parse_skill("x", f"def run(): return {value}\n"), creator=creator)


def values(store: FileSkillStore) -> list[tuple[int, str, str]]:
    """Number, creator and last character of the source of each version of x."""
    found = [(v, store.load("x", version=v.number)) for v in store.versions("x")]
    return [(version.number, version.creator, skill.source[-2]) for version, skill in found]


def test_a_hand_written_file_is_version_one(folder):
    """A file that nobody saved through the store has one version, of nobody, as old as the file."""
    (folder / "x.py").write_text("def run(): return 1\n")
    os.utime(folder / "x.py", (1000, 1000))
    store = FileSkillStore(folder)
    (version,) = store.versions("x")
    assert (version.number, version.creator, version.time) == (1, "", 1000.0)
    loaded = store.load("x")
    assert (loaded.number, loaded.created, loaded.modified) == (1, 1000.0, 1000.0)
    assert not (folder / HIDDEN).exists()
    save(store, 2, "ann")
    assert values(store) == [(2, "ann", "2"), (1, "", "1")]


def test_a_hand_edit_becomes_a_version(folder):
    """What was edited by hand is a version at once, and is still one after the next save."""
    store = FileSkillStore(folder)
    save(store, 1, "ann")
    (folder / "x.py").write_text("def run(): return 2\n")
    os.utime(folder / "x.py", (5000, 5000))
    assert values(store) == [(2, "", "2"), (1, "ann", "1")]
    assert (store.load("x").number, store.load("x").modified) == (2, 5000.0)
    save(store, 3, "bob")
    assert values(store) == [(3, "bob", "3"), (2, "", "2"), (1, "ann", "1")]
    assert store.versions("x")[1].time == 5000.0
    assert store.load("x").creator == "ann"


def test_a_broken_hand_edit_is_kept_too(folder):
    """A file that does not parse keeps its place among the versions when it is replaced."""
    store = FileSkillStore(folder)
    save(store, 1)
    (folder / "x.py").write_bytes(b"def run(:\n# \xff")
    save(store, 3)
    assert [version.number for version in store.versions("x")] == [3, 2, 1]
    with pytest.raises(SkillValidationError, match="skill 'x', line 2: cannot decode"):
        store.load("x", version=2)
    assert store.load("x", version=1).source == "def run(): return 1\n"


def test_the_present_file_may_be_broken_and_former_versions_load(folder):
    """A broken hand edit does not hide what was there before."""
    store = FileSkillStore(folder)
    save(store, 1)
    (folder / "x.py").write_text("def run(:\n")
    assert [version.number for version in store.versions("x")] == [2, 1]
    assert store.load("x", version=1).number == 1
    with pytest.raises(SkillValidationError, match=r"x\.py:1"):
        store.load("x", version=2)


@pytest.mark.needs("git")
def test_git_does_not_see_the_hidden_folder(folder):
    """The hidden folder tells git to pass it over."""
    save(FileSkillStore(folder), 1)
    assert (folder / HIDDEN / ".gitignore").read_text() == "*\n"
    subprocess.run(["git", "init", "-q", folder], check=True)
    status = ["git", "-C", folder, "status", "--porcelain", "-uall"]
    assert subprocess.run(status, check=True, capture_output=True).stdout == b"?? x.py\n"


@pytest.mark.parametrize("linked", [".py-code-mode/versions/x/1.py", ".py-code-mode/versions/x"])
def test_links_in_the_history_lead_nowhere(folder, tmp_path, linked):
    """A version that somebody replaced by a link to a file elsewhere is not read."""
    store = FileSkillStore(folder)
    save(store, 1)
    save(store, 2)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    path = folder / linked
    (secrets / "log.json").write_bytes((folder / HIDDEN / "versions/x/log.json").read_bytes())
    (secrets / "1.py").write_text("def run(): return 'secret'\n")
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    path.symlink_to(secrets / path.name if path.suffix else secrets)
    assert store.load("x", version=1) is None
    assert store.load("x").number == 2


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"versions": [1]}', b'{"versions": [], "creator": 1, "created": "x"}'],
)
def test_damaged_files_count_as_none(folder, damage):
    """A log or counts that cannot be read are as if they were not there, and are made anew."""
    store = FileSkillStore(folder)
    save(store, 1, "ann")
    store.add_usage({"x": SkillUsage(1)})
    (folder / HIDDEN / "versions" / "x" / "log.json").write_bytes(damage)
    (folder / HIDDEN / "usage.json").write_bytes(damage)
    (folder / HIDDEN / "usage-0.jsonl").write_bytes(damage)
    assert values(store) == [(1, "", "1")]
    assert store.usage() == {}
    assert store.load("x").creator == ""
    save(store, 2, "bob")
    store.add_usage({"x": SkillUsage(2)})
    assert values(store) == [(2, "bob", "2"), (1, "", "1")]
    assert store.usage() == {"x": SkillUsage(2)}


def test_a_failed_save_leaves_the_versions(folder, monkeypatch):
    """When the disk is full, versions stay as they were, without rubbish beside them."""
    store = FileSkillStore(folder)
    save(store, 1, "ann")
    calls, fsync = [], os.fsync

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SkillError, match="No space left"):
            save(store, 2, "bob")
    assert values(store) == [(1, "ann", "1")]
    assert not list(folder.rglob("*.tmp"))
    save(store, 3, "cat")
    assert values(store) == [(2, "cat", "3"), (1, "ann", "1")]


def test_a_folder_that_cannot_be_written_still_reads(folder, monkeypatch):
    """On a read-only folder skills load, and counting uses fails with a clear error."""
    (folder / "x.py").write_text("def run(): return 1\n")
    store = FileSkillStore(folder)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert store.load("x").number == 1
    assert len(store.versions("x")) == 1
    with pytest.raises(SkillError, match="cannot count uses: Read-only file system"):
        store.add_usage({"x": SkillUsage(1)})
    assert store.usage() == {}


def test_a_lock_that_is_never_let_go_is_an_error(folder, monkeypatch):
    """A process that holds the lock too long gives a clear error, not a wait without end."""
    store = FileSkillStore(folder)
    save(store, 1)
    monkeypatch.setattr(disk, "_PATIENCE", 0.05)
    with (
        disk.exclusive(folder / HIDDEN / "lock", threading.Lock(), make=True),
        pytest.raises(SkillError, match="another process has held the lock"),
    ):
        save(store, 2)
    save(store, 3)
    assert values(store) == [(2, "", "3"), (1, "", "1")]


def test_counts_are_cheap_and_are_gathered(folder):
    """A batch of runs is a line in a journal, which is added to the counts when it has grown."""
    store = FileSkillStore(folder)
    save(store, 1)
    for count in range(1, 2501):
        store.add_usage({"x": SkillUsage(1, count % 2, 0.5, float(count))})
        if count % 100 == 0:
            assert store.usage("x") == {"x": SkillUsage(count, count // 2, count / 2, count)}
    names = sorted(path.name for path in (folder / HIDDEN).glob("usage*"))
    assert len(names) == 2
    assert names[0] == "usage-1.jsonl"
    assert FileSkillStore(folder).usage() == {"x": SkillUsage(2500, 1250, 1250.0, 2500.0)}


def test_a_journal_cut_short_loses_one_batch(folder):
    """A line that was cut off by a crash is passed over, and the next one counts."""
    store = FileSkillStore(folder)
    save(store, 1)
    store.add_usage({"x": SkillUsage(1)})
    journal = folder / HIDDEN / "usage-0.jsonl"
    journal.write_bytes(journal.read_bytes() + b'\n{"x": [1, 0')
    store.add_usage({"x": SkillUsage(2)})
    assert store.usage() == {"x": SkillUsage(3)}


def test_a_crash_while_counts_are_gathered_counts_nothing_twice(folder, monkeypatch):
    """A journal that was added to the counts, but not removed, is not counted again."""
    store = FileSkillStore(folder)
    save(store, 1)
    monkeypatch.setattr(counts, "_MAX_JOURNAL", 10)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        store.add_usage({"x": SkillUsage(1)})
    assert (folder / HIDDEN / "usage-0.jsonl").exists()
    assert store.usage() == {"x": SkillUsage(1)}
    store.add_usage({"x": SkillUsage(1)})
    assert store.usage() == {"x": SkillUsage(2)}


WORK = """
import sys
from py_code_mode.skills import FileSkillStore, SkillUsage, parse_skill
store = FileSkillStore(sys.argv[1], max_versions=1000)
for n in range(10):
    store.save(parse_skill("x", f"def run(): return '{sys.argv[2]} {n}'"), creator=sys.argv[2])
    store.add_usage({"x": SkillUsage(1, n % 2, 0.5, float(n))})
"""


def test_processes_that_save_at_once_lose_nothing(folder):
    """Of processes that save and count at once, every version and every use is kept."""
    running = [
        subprocess.Popen([sys.executable, "-c", WORK, folder, str(number)], cwd=ROOT)
        for number in range(4)
    ]
    assert [process.wait() for process in running] == [0] * 4
    store = FileSkillStore(folder, max_versions=1000)
    versions = store.versions("x")
    assert [version.number for version in versions] == list(range(40, 0, -1))
    sources = {store.load("x", version=version.number).source for version in versions}
    assert len(sources) == 40
    assert all(
        f"'{version.creator} " in store.load("x", version=version.number).source
        for version in versions
    )
    assert store.usage("x") == {"x": SkillUsage(40, 20, 20.0, 9.0)}
