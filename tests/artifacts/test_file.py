"""What only a folder of artifacts has to promise: people's files, links, full disks, processes."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from py_code_mode.artifacts import FileArtifactStore
from py_code_mode.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactWriteError,
    ConfigError,
)

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> list[str]:
    """Everything below the folder but the store's own."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(str(path) for path in found if path.parts[0] != ".pcm")


def own_files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ".pcm").iterdir())


# --- the folder ---------------------------------------------------------------------------


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


# --- files of others ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "kind", "value"),
    [
        ("a.json", b'{"a": 1}\r\n', "json", {"a": 1}),
        ("a.json", b"\xef\xbb\xbf[1]", "json", [1]),
        ("a.json", b"{broken", "text", "{broken"),
        ("a.json", b"\xff", "bytes", b"\xff"),
        ("a.csv", "a,ä\r\n".encode(), "text", "a,ä\r\n"),
        ("sub/a", b"", "text", ""),
        ("a.txt", "ä".encode("latin-1"), "bytes", b"\xe4"),
        ("a.bin", b"\x00" * (1 << 20) + "ä".encode()[:1], "bytes", b"\0" * (1 << 20) + b"\xc3"),
        ("a.txt", b"x" * ((1 << 20) - 1) + "ä".encode(), "text", "x" * ((1 << 20) - 1) + "ä"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_files_put_there_by_hand_are_artifacts(folder, name, content, kind, value):
    """A file without metadata is listed and loads by its suffix and what it holds."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    store = FileArtifactStore(folder)
    (info,) = store.list()
    assert (info.name, info.kind, info.size) == (name, kind, len(content))
    assert info.created == info.modified == pytest.approx((folder / name).stat().st_mtime)
    assert store.load(name) == value
    assert store.exists(name)
    store.save(name, b"mine")
    assert store.load(name) == b"mine"
    assert store.delete(name)


@pytest.mark.parametrize(
    ("before", "after", "kind", "value"),
    [
        ([1], b"[1, 2]", "json", [1, 2]),
        ([1], b"[1, ", "text", "[1, "),
        ("[1]", b"[1, 2]", "text", "[1, 2]"),
        (b"[1]", b"[1, 2]", "bytes", b"[1, 2]"),
        ("[1]", b"\xff", "bytes", b"\xff"),
        ((1,), b"[1, 2]", "json", [1, 2]),
    ],
    ids=str,
)
def test_a_file_edited_by_hand_is_described_anew(folder, before, after, kind, value):
    """A changed file has a new size, checksum and time; its description stays."""
    store = FileArtifactStore(folder)
    saved = store.save("x.json", before, "about it", {"n": 1})
    (folder / "x.json").write_bytes(after)
    for reader in (store, FileArtifactStore(folder)):
        info = reader.get("x.json")
        assert (info.kind, info.size, info.type_name) == (kind, len(after), "")
        assert (info.description, info.metadata) == ("about it", {"n": 1})
        assert (info.created, info.sha256 == saved.sha256) == (saved.created, False)
        assert reader.list() == [info]
        assert reader.load("x.json") == value


def test_a_copied_folder_keeps_kinds_and_descriptions(folder, tmp_path):
    """A copy of the folder, with new inodes and times, still knows what its files are."""
    store = FileArtifactStore(folder)
    store.save("tuple", (1, 2), "a tuple")
    store.save("raw", b"abc", "raw bytes")
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    copy = FileArtifactStore(tmp_path / "copy")
    assert copy.list() == store.list()
    assert (copy.load("tuple"), copy.load("raw")) == ((1, 2), b"abc")


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b'{"versions": [{}]}', b'{"versions": 1}'])
def test_damaged_metadata_costs_the_description_only(folder, rubbish):
    """With its metadata damaged an artifact is read like a file put there by hand."""
    FileArtifactStore(folder).save("x.json", [1], "about it")
    (sidecar,) = (path for path in (folder / ".pcm").iterdir() if path.suffix == ".json")
    sidecar.write_bytes(rubbish)
    store = FileArtifactStore(folder)
    assert store.load("x.json") == [1]
    assert store.get("x.json").description == ""


def test_damaged_data_is_noticed(folder):
    """A file whose bytes are not the ones that were written is reported, not loaded."""
    store = FileArtifactStore(folder)
    store.save("x", b"abc")
    status = (folder / "x").stat()
    (folder / "x").write_bytes(b"abd")
    os.utime(folder / "x", ns=(status.st_atime_ns, status.st_mtime_ns))
    for reader in (store, FileArtifactStore(folder)):
        with pytest.raises(ArtifactError, match=r"artifact 'x' is damaged: .*x does not hold"):
            reader.load("x")


def test_what_no_artifact_can_be_is_not_listed(folder):
    """Hidden files, names that break a rule, pipes and links are no artifacts."""
    for name in (".hidden", "con", "a\\b", "e\u0301", "trailing "):
        (folder / name).write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / os.fsdecode(b"\xff")).write_text("x")
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()
    store = FileArtifactStore(folder)
    assert store.list() == []
    assert store.get("pipe") is None
    assert store.delete("pipe") is False
    with pytest.raises(ArtifactNotFoundError):
        store.load("pipe")
    with pytest.raises(ArtifactWriteError, match="a special file of that name"):
        store.save("pipe", 1)


# --- symbolic links -----------------------------------------------------------------------


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


# --- failures -----------------------------------------------------------------------------

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


def test_what_a_dead_writer_left_is_swept_away(folder):
    """Temporary files of writers that died go when they are old, and not before."""
    FileArtifactStore(folder).save("x", 1)
    for name, age in (("tmp-old", 7_200), ("tmp-new", 60)):
        path = folder / ".pcm" / name
        path.write_text("half")
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
    FileArtifactStore(folder).save("x", 2)
    left = [name for name in own_files(folder) if name.startswith("tmp-")]
    assert left == ["tmp-new"]


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
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        verbs()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


# --- processes ----------------------------------------------------------------------------

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
