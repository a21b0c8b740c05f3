"""Files that people put into the folder, edit, copy or damage."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from py_code_mode.artifacts import FileArtifactStore
from py_code_mode.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactWriteError,
)


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


def test_what_a_former_version_remembered_is_still_read(folder):
    """Metadata written before there were tags, types and expiry is not lost."""
    FileArtifactStore(folder).save("x.csv", "a,b", "Old", {"n": 1})
    (sidecar,) = (folder / ".pcm").glob("*.json")
    said = json.loads(sidecar.read_text())
    said["versions"][0]["info"] = dict(list(said["versions"][0]["info"].items())[:9])
    sidecar.write_text(json.dumps(said))
    info = FileArtifactStore(folder).get("x.csv")
    assert (info.description, info.metadata, info.content_type) == ("Old", {"n": 1}, "text/csv")
    assert (info.tags, info.session, info.author, info.expires) == ((), "", "", None)
