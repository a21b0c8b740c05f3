"""``artifacts`` in a kernel: values become bytes here, and the host never looks into them."""

from __future__ import annotations

import asyncio
import copy
import io
import pickle
import random
from datetime import date

import numpy as np
import pandas as pd
import pytest

from kernel_bootstrap.artifacts import Artifacts
from kernel_bootstrap.wire.codec import dumps, loads
from kernel_bootstrap.wire.errors import ArtifactError, ArtifactWriteError
from kernel_bootstrap.wire.limits import Limits
from py_code_mode.artifactcalls import ArtifactAnswers
from py_code_mode.artifacts import MemoryArtifactStore
from py_code_mode.requests import MODELS
from py_code_mode.toolcalls import Origin
from tests.bootstrap.fakes import methods

PIECE = 64 * 1024
LIMITS = Limits(request_bytes=2 * PIECE, reply_bytes=2 * PIECE)
BIG = random.Random(1).randbytes(10 * PIECE + 123)


@pytest.fixture
def store():
    """Where the host keeps artifacts."""
    return MemoryArtifactStore()


@pytest.fixture
def host(make_host, store):
    """A host that answers about artifacts as the real one does."""
    answers, origin = ArtifactAnswers(store, LIMITS), Origin("session", "cell")

    def answer(request):
        params = MODELS[request.method](**request.params)
        return asyncio.run(answers.table[request.method](origin, params))

    return make_host(answer)


@pytest.fixture
def artifacts(host):
    """``artifacts`` of a session."""
    return Artifacts(host.link, lambda: LIMITS)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"a": [1, 2.5, None]}, "json"),
        ("text\n", "text"),
        (b"\x00\xff", "bytes"),
        (b"", "bytes"),
        ((1, {2}), "value"),
        (float("inf"), "value"),
        (date(2026, 1, 2), "value"),
        ("\ud800", "value"),
        (None, "json"),
        (BIG, "bytes"),
        ("ü" * 100_000, "text"),
        (list(range(100_000)), "json"),
        (tuple(range(100_000)), "value"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_was_saved_loads_back(artifacts, store, value, kind):
    """A value of any size comes back as it was; the host gets a kind and bytes, no value."""
    info = artifacts.save("a/b", value)
    assert info == store.get("a/b").to_dict()
    assert (info["kind"], info["session"]) == (kind, "session")
    back = artifacts.load("a/b")
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize("length", [12, 100_000])
def test_an_array_loads_back_and_can_be_written_to(artifacts, store, length):
    """An array keeps dtype and values, and the host learns the name of its type."""
    array = np.arange(float(length)).reshape(2, -1)
    artifacts.save("x", array)
    assert (store.get("x").kind, store.get("x").type_name) == ("npy", "numpy.ndarray")
    back = artifacts.load("x")
    assert back.dtype == array.dtype
    assert (back == array).all()
    back[0, 0] = 7


def test_what_is_said_goes_along(artifacts, store):
    """Description, metadata, tags and time to live reach the host; without any they are empty."""
    artifacts.save("x", 1, "what it is", {"n": 1}, tags=["a", "b"], ttl=60)
    info = store.get("x")
    assert (info.description, info.metadata, info.tags) == ("what it is", {"n": 1}, ("a", "b"))
    assert info.expires > info.created
    artifacts.save("y", BIG, "big", {"n": 2}, tags=["c"], content_type="application/zip")
    info = store.get("y")
    assert (info.description, info.metadata, info.tags) == ("big", {"n": 2}, ("c",))
    assert info.content_type == "application/zip"
    artifacts.save("z", 1)
    info = store.get("z")
    assert (info.description, info.metadata, info.tags, info.expires) == ("", {}, (), None)
    with pytest.raises(ArtifactWriteError, match="list of words"):
        artifacts.save("z", 1, tags="abc")


def test_the_other_verbs(artifacts, host):
    """``get``, ``list``, ``search``, ``exists`` and ``delete`` ask the host and answer plainly."""
    x = artifacts.save("dir/x", 1, "ports of a host", tags=["t"])
    y = artifacts.save("y", 2)
    assert artifacts.get("dir/x") == x
    assert artifacts.get("nope") is None
    assert artifacts.list() == [x, y]
    assert artifacts.list("dir/") == artifacts.list(tag="t") == artifacts.search("ports") == [x]
    assert (artifacts.exists("y"), artifacts.exists("nope")) == (True, False)
    assert (artifacts.delete("y"), artifacts.delete("y")) == (True, False)
    assert set(methods(host.requests)) == {
        f"artifacts.{verb}" for verb in ("save", "get", "list", "search", "exists", "delete")
    }


def test_files_of_any_size_come_and_go(artifacts, store, tmp_path):
    """A file is saved and written back piece by piece; only then it is there."""
    (tmp_path / "in.bin").write_bytes(BIG)
    info = artifacts.save_file("f.bin", tmp_path / "in.bin", "a file", tags=["t"])
    assert (info["size"], info["kind"], info["tags"]) == (len(BIG), "bytes", ["t"])
    assert store.load("f.bin") == BIG
    out = artifacts.load_file("f.bin", tmp_path / "out.bin")
    assert out.read_bytes() == BIG
    with pytest.raises(FileNotFoundError):
        artifacts.save_file("g", tmp_path / "nope")
    with pytest.raises(artifacts.ArtifactNotFoundError):
        artifacts.load_file("nope", tmp_path / "nope")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.bin", "out.bin"]
    assert [info.name for info in store.list()] == ["f.bin"]


def test_an_artifact_opens_as_a_file(artifacts):
    """It is read from anywhere, as bytes or as text."""
    artifacts.save("x", BIG)
    with artifacts.open("x") as file:
        assert file.read(10) == BIG[:10]
        assert file.seek(-5, io.SEEK_END) == len(BIG) - 5
        assert file.read() == BIG[-5:]
        assert file.read() == b""
        file.seek(PIECE)
        assert file.tell() == PIECE
        assert file.read() == BIG[PIECE:]
        with pytest.raises(ValueError, match="cannot seek"):
            file.seek(-1)
    artifacts.save("t", "eins\nzwei ü\n" * 10_000)
    with artifacts.open("t", "r") as file:
        assert [*file] == ["eins\n", "zwei ü\n"] * 10_000
    with pytest.raises(ValueError, match="mode must be"):
        artifacts.open("x", "a")
    with pytest.raises(artifacts.ArtifactNotFoundError):
        artifacts.open("nope")


def test_a_reader_notices_that_its_version_is_gone(artifacts):
    """What was replaced while a file is read is an error, never a mixture."""
    artifacts.save("x", BIG)
    with artifacts.open("x") as file:
        file.read(10)
        artifacts.save("x", b"new" * len(BIG))
        with pytest.raises(ArtifactError, match="was replaced"):
            file.read()


def test_an_artifact_is_written_as_a_file(artifacts, store):
    """It is there when its file is closed; a block that raises, or a lost file, leaves nothing."""
    with artifacts.open("x", "wb", description="d") as file:
        for start in range(0, len(BIG), 1_000):
            file.write(BIG[start : start + 1_000])
        assert store.get("x") is None
    assert file.info["size"] == len(BIG)
    assert (store.load("x"), store.get("x").description) == (BIG, "d")
    with pytest.raises(ZeroDivisionError), artifacts.open("y", "wb") as file:
        [file.write(BIG[: PIECE // size]) for size in (1, 0)]
    lost = artifacts.open("z", "wb")
    lost.write(BIG)
    del lost
    assert [info["name"] for info in artifacts.list()] == ["x"]
    with pytest.raises(ValueError, match="closed"):
        file.write(b"x")


def test_a_failing_upload_says_why_and_leaves_nothing(make_host, tmp_path):
    """A quota that is passed on the way ends the upload with the store's own words."""
    store = MemoryArtifactStore(max_artifact_bytes=3 * PIECE)
    answers, origin = ArtifactAnswers(store, LIMITS), Origin("session", "cell")

    def answer(request):
        params = MODELS[request.method](**request.params)
        return asyncio.run(answers.table[request.method](origin, params))

    artifacts = Artifacts(make_host(answer).link, lambda: LIMITS)
    with pytest.raises(ArtifactWriteError, match="max_artifact_bytes"):
        artifacts.save("x", BIG)
    (tmp_path / "f").write_bytes(BIG)
    with pytest.raises(ArtifactWriteError, match="max_artifact_bytes"):
        artifacts.save_file("x", tmp_path / "f")
    with pytest.raises(ArtifactWriteError), artifacts.open("x", "wb") as file:
        file.write(BIG)
    assert artifacts.list() == []
    assert origin.uploads._open == {}


def test_what_arrives_damaged_is_refused(artifacts, store):
    """Bytes that are not those of the checksum are an error, large or small."""
    artifacts.save("x", BIG)
    info, data = store._kept["x"]
    store._kept["x"] = info, data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(ArtifactError, match="is damaged"):
        artifacts.load("x")


def test_errors_are_within_reach(artifacts):
    """A missing artifact raises a class that is found on ``artifacts`` itself."""
    with pytest.raises(artifacts.ArtifactNotFoundError, match="no artifact named 'nope'") as caught:
        artifacts.load("nope")
    assert isinstance(caught.value, (artifacts.ArtifactError, KeyError))


def test_what_cannot_be_kept_is_refused_by_name(artifacts, host):
    """A value of a type that cannot be kept names its type, and nothing is sent."""
    with pytest.raises(ArtifactWriteError, match="object"):
        artifacts.save("x", [object()])
    assert not host.requests


def test_what_is_known_is_a_dict_that_shows_itself(artifacts):
    """It has its facts as items and attributes, shows its content, and crosses as a plain dict."""
    info = artifacts.save("x.txt", "<b>bold</b>", "Some <i>text</i>")
    assert (info["size"], info.size) == (11, 11)
    assert repr(info) == "<Artifact 'x.txt' (text, 11 bytes): Some <i>text</i>>"
    shown = info._repr_mimebundle_()
    assert shown["text/plain"] == repr(info)
    assert "&lt;b&gt;bold&lt;/b&gt;" in shown["text/html"]
    assert "Some &lt;i&gt;text" in shown["text/html"]
    for plain in (loads(dumps(info)), pickle.loads(pickle.dumps(info)), copy.copy(info)):
        assert type(plain) is dict
        assert plain == info
    assert {"size", "keys"} <= {*dir(info)}
    with pytest.raises(AttributeError):
        info.nope  # noqa: B018
    artifacts.delete("x.txt")
    assert "cannot be shown: no artifact named" in info._repr_mimebundle_()["text/html"]


def test_probing_is_harmless(artifacts, host):
    """``repr``, ``dir``, ``copy`` and missing attributes ask the host nothing."""
    verbs = "save, load, get, list, search, exists, delete, open, save_file, load_file"
    assert repr(artifacts) == f"<artifacts: {verbs}>"
    assert repr(copy.copy(artifacts)) == repr(artifacts)
    assert {*verbs.split(", ")} <= {*dir(artifacts)}
    assert not hasattr(artifacts, "_repr_html_")
    with pytest.raises(AttributeError):
        artifacts.lod = 1
    assert not host.requests


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": 1}, "name must be text"),
        ({"description": 5}, "description must be text"),
        ({"metadata": [1]}, "metadata must be a dict"),
        ({"metadata": {"a": object()}}, "of JSON data"),
        ({"tags": "abc"}, "list of words"),
        ({"tags": [1]}, "list of words"),
        ({"ttl": "soon"}, "number of seconds"),
        ({"ttl": float("nan")}, "number of seconds"),
        ({"ttl": 10**400}, "number of seconds"),
    ],
)
def test_wrong_arguments_are_refused_in_plain_words(artifacts, host, said, words):
    """A wrong argument is an ArtifactWriteError that says what it must be; nothing is sent."""
    with pytest.raises(ArtifactWriteError, match=words):
        artifacts.save(**{"name": "x", "data": 1, **said})
    assert host.requests == []


def test_a_name_that_cannot_be_is_not_found(artifacts):
    """Whoever looks for a name that no artifact can have finds none."""
    for name in ("", "../x", "x" * 5_000):
        assert (artifacts.get(name), artifacts.exists(name), artifacts.delete(name)) == (
            None,
            False,
            False,
        )
    with pytest.raises(ArtifactError, match="must be text"):
        artifacts.load(None)


def test_a_file_of_text_takes_text(artifacts, store):
    """What is printed, or written by libraries, into a file opened as text loads as text."""
    with artifacts.open("t.csv", "w") as file:
        print("a,b", file=file)
        file.write("ü,1\n")
        pd.DataFrame({"a": ["x"], "b": [2]}).to_csv(file, index=False, header=False)
    assert store.load("t.csv") == "a,b\nü,1\nx,2\n"
    assert (store.get("t.csv").kind, store.get("t.csv").content_type) == ("text", "text/csv")
    with pytest.raises(TypeError), artifacts.open("b", "wb") as file:
        file.write("text")
    assert not store.exists("b")
