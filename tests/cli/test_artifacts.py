"""``py-code-mode artifacts``: each verb in words for people and in JSON, and what goes wrong."""

from __future__ import annotations

import io
import os
import sys
import time

import pytest

from py_code_mode import FileArtifactStore

BIG = os.urandom(3_000_001)


@pytest.fixture(autouse=True)
def no_setting(monkeypatch):
    monkeypatch.delenv("PY_CODE_MODE_ARTIFACTS", raising=False)


@pytest.fixture
def store(tmp_path):
    """The folder that is meant when nobody says one, with three artifacts."""
    store = FileArtifactStore(tmp_path / "artifacts")
    store.save("scans/monday.json", {"open": [22]}, "Open ports", {"n": 1}, tags=["raw"])
    store.save("notes.txt", "all quiet\n")
    store.save("big.bin", BIG)
    return store


def test_list(cli, store):
    """Names, sizes, types and descriptions are listed, of all or of some."""
    said = cli("artifacts", "list")
    assert [row.split()[0] for row in said.out.splitlines()] == [
        "big.bin",
        "notes.txt",
        "scans/monday.json",
    ]
    assert "3,000,001" in said.out
    assert "Open ports" in said.out
    assert [row["name"] for row in cli("artifacts", "list", "--json", "scans/").json] == [
        "scans/monday.json"
    ]
    assert [row["name"] for row in cli("artifacts", "list", "--tag", "raw", "--json").json] == [
        "scans/monday.json"
    ]


def test_no_folder_is_an_error_and_none_is_made(cli, tmp_path):
    """A folder that is not there is said, and only ``put`` makes one."""
    said = cli("artifacts", "list", "--artifacts", "nowhere")
    assert (said.code, said.out) == (1, "")
    assert said.err == "py-code-mode: nowhere: there is no such folder of artifacts\n"
    assert not (tmp_path / "nowhere").exists()
    said = cli("artifacts", "list", "--artifacts", "ftp://host/0")
    assert "no store of artifacts takes a url of ftp://" in said.err


def test_show(cli, store):
    """What is known is shown, and the beginning of a text; nothing of it reaches the terminal raw."""
    said = cli("artifacts", "show", "scans/monday.json")
    assert said.code == 0
    for fact in ("Open ports", "application/json dict", "raw", '"open"', "{'n': 1}"):
        assert fact in said.out
    assert cli("artifacts", "show", "big.bin", "--json").json["size"] == len(BIG)
    store.save("evil.txt", "\x1b[2Jgone", "\x1b[31mred")
    said = cli("artifacts", "show", "evil.txt")
    assert "\x1b" not in said.out
    assert "\\x1b[2Jgone" in said.out


def test_get_and_put(cli, store, tmp_path):
    """Files of any size go in and come out as they were, with what was said of them."""
    (tmp_path / "in.bin").write_bytes(BIG)
    said = cli("artifacts", "put", "a/b.zip", "in.bin", "--description", "What", "--tag", "t")
    assert said.out == "a/b.zip: 3,000,001 bytes, application/zip\n"
    info = store.get("a/b.zip")
    assert (info.kind, info.description, info.tags) == ("bytes", "What", ("t",))
    assert info.author == "py-code-mode artifacts"
    assert cli("artifacts", "get", "a/b.zip", "out.bin").code == 0
    assert (tmp_path / "out.bin").read_bytes() == BIG
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "in.bin", "out.bin"]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("x.json", b'{"a": 1}', "json"),
        ("x.json", b"{", "bytes"),
        ("x.csv", "ü,1\n".encode(), "text"),
        ("x.txt", b"\xff", "bytes"),
        ("x", b"text", "bytes"),
    ],
)
def test_what_is_put_loads_as_what_it_is(cli, store, tmp_path, name, content, kind):
    """A file whose name and content agree is JSON or text to a kernel, any other is bytes."""
    (tmp_path / "file").write_bytes(content)
    assert cli("artifacts", "put", name, "file", "--json").json["kind"] == kind
    assert store.load_packed(name)[1] == content


def test_pipes(cli, store, monkeypatch):
    """``-`` is stdin and stdout."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    before = time.time()
    cli("artifacts", "put", "p.txt", "-", "--ttl", "60")
    assert before + 60 <= store.get("p.txt").expires <= time.time() + 60
    assert store.load("p.txt") == "piped"
    assert cli("artifacts", "get", "p.txt").out == "piped"


def test_get_as_json(cli, store, tmp_path):
    """With ``--json`` the bytes go into a file and what is known of them to stdout."""
    assert (
        cli("artifacts", "get", "big.bin", "out", "--json").json == store.get("big.bin").to_dict()
    )
    assert (tmp_path / "out").read_bytes() == BIG
    said = cli("artifacts", "get", "big.bin", "--json")
    assert (said.code, said.out, "name a FILE" in said.err) == (1, "", True)


def test_search_and_rm(cli, store):
    """What is found is listed; what is removed is gone; what is not there is an error with hints."""
    assert cli("artifacts", "search", "open", "ports").out.startswith("scans/monday.json")
    assert cli("artifacts", "search", "quantum").code == 1
    said = cli("artifacts", "rm", "notes.txt", "big.binn")
    assert (said.code, "did you mean 'big.bin'" in said.err) == (1, True)
    assert [info.name for info in store.list()] == ["big.bin", "scans/monday.json"]
    for verb in ("show", "get"):
        said = cli("artifacts", verb, "note")
        assert (said.code, "no artifact named 'note'" in said.err) == (1, True)
    assert cli("artifacts", "rm", "big.bin", "--json").json == ["big.bin"]


def test_a_failed_get_leaves_no_file(cli, store, tmp_path):
    """A file that could not be written whole is not there at all."""
    assert cli("artifacts", "get", "nope", "out").code == 1
    said = cli("artifacts", "get", "notes.txt", "no/such/folder/out")
    assert (said.code, "cannot be written" in said.err) == (1, True)
    said = cli("artifacts", "put", "x", "nope")
    assert (said.code, "cannot be read" in said.err) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]
