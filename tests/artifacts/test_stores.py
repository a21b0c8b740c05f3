"""What every store of artifacts promises."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from pathlib import PurePath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from py_code_mode.artifacts import ArtifactInfo, ArtifactStore, Details, MemoryArtifactStore
from py_code_mode.errors import ArtifactError, ArtifactNotFoundError, ArtifactWriteError

VALUES = {
    "json": {"ports": [22, 80], "open": True, "ratio": 0.5, "none": None},
    "list": [1, [2, [3]]],
    "none": None,
    "text": "grüße\r\n",
    "empty text": "",
    "bytes": bytes(range(256)),
    "empty bytes": b"",
    "tuple": (1, "a"),
    "nan": float("inf"),
    "time": dt.datetime(2026, 1, 2, 3, 4, 5, 6, dt.UTC),
    "keys": {1: "a", None: "b"},
}


def test_it_is_an_artifact_store(store):
    """Every store has the methods of the protocol."""
    assert isinstance(store, ArtifactStore)
    assert repr(store)


def test_an_empty_store_knows_nothing(store):
    """Nothing saved: nothing listed, known, there or deleted."""
    assert store.list() == []
    assert store.get("x") is None
    assert store.exists("x") is False
    assert store.delete("x") is False


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_what_was_saved_loads_as_it_was(store, value):
    """A value of any kind loads back equal and of the same type."""
    store.save("x", value)
    loaded = store.load("x")
    assert loaded == value
    assert type(loaded) is type(value)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.recursive(
        st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    st.text(st.characters(), max_size=20),
)
def test_any_value_and_description_come_back(store, value, description):
    """Whatever value and description are made of, both come back."""
    store.save("x", value, description)
    assert store.load("x") == value
    assert store.get("x").description == description


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(st.characters(), min_size=1, max_size=8), min_size=1, max_size=3))
def test_any_name_is_refused_or_works(store, parts):
    """A name of any characters is refused, or can be saved, listed, loaded and deleted."""
    name = "/".join(parts)
    try:
        info = store.save(name, name.encode("utf-8", "replace"))
    except ArtifactWriteError:
        assert store.get(name) is None
        assert store.list() == []
        return
    assert [found.name for found in store.list()] == [info.name]
    assert store.load(name) == name.encode()
    assert store.exists(info.name)
    assert store.delete(name)
    assert store.list() == []


def test_what_is_known_about_it(store):
    """Size, checksum, times, kind, type, description and metadata are kept and listed."""
    before = time.time()
    metadata = {"tags": ["a"], "deep": {"n": 1}}
    info = store.save(
        "b/x.json", {"a": 1}, "Scan results", metadata, tags=["ports", "monday", "ports"], ttl=60
    )
    _, data = store.load_packed("b/x.json")
    assert before - 0.01 <= info.created == info.modified <= time.time() + 0.01
    assert info == ArtifactInfo(
        name="b/x.json",
        description="Scan results",
        kind="json",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        created=info.created,
        modified=info.modified,
        metadata=metadata,
        type_name="dict",
        content_type="application/json",
        tags=("ports", "monday"),
        session="",
        author="",
        expires=info.expires,
    )
    assert before + 60 <= info.expires <= time.time() + 60
    store.save("a", b"1")
    assert store.get("b/x.json") == info
    assert [found.name for found in store.list()] == ["a", "b/x.json"]
    assert store.list()[1] == info
    assert store.exists("b/x.json")


def test_info_is_json_and_back(store):
    """What is known about an artifact crosses as JSON and is the same on the other side."""
    info = store.save("x", (1, 2), metadata={"a": [1]}, tags=["t"], ttl=60)
    assert ArtifactInfo.from_dict(json.loads(json.dumps(info.to_dict()))) == info


@pytest.mark.parametrize(
    "change",
    [
        {"name": 1},
        {"kind": "pickle"},
        {"kind": []},
        {"size": -1},
        {"size": True},
        {"created": "now"},
        {"modified": float("nan")},
        {"metadata": None},
        {"metadata": {"a": (1,)}},
        {"content_type": "<script>"},
        {"content_type": ""},
        {"tags": "abc"},
        {"tags": [""]},
        {"session": "s" * 201},
        {"author": None},
        {"expires": float("inf")},
        {"extra": 1},
    ],
)
def test_bad_info_is_refused(change):
    """Untrusted data that is no artifact's info is refused, naming the key."""
    good = MemoryArtifactStore().save("x", 1).to_dict()
    with pytest.raises(
        ArtifactError, match=next(iter(change)) if "extra" not in change else "keys"
    ):
        ArtifactInfo.from_dict({**good, **change})
    for bad in (None, [], {}, {key: good[key] for key in good if key != "size"}):
        with pytest.raises(ArtifactError):
            ArtifactInfo.from_dict(bad)


def test_info_of_the_first_version_is_read():
    """Info that was written before there were tags, types and expiry is completed."""
    whole = MemoryArtifactStore().save("x.csv", "a,b").to_dict()
    old = {key: whole[key] for key in list(whole)[:9]}
    assert "content_type" not in old
    assert ArtifactInfo.from_dict(old).to_dict() == whole
    assert whole["content_type"] == "text/csv"


def test_saving_again_replaces_and_keeps_the_first_time(store):
    """A second save replaces value, description and metadata; created stays, modified moves."""
    first = store.save("x", [1], "one", {"a": 1})
    time.sleep(0.002)
    second = store.save("x", "two")
    assert store.load("x") == "two"
    assert (second.kind, second.description, second.metadata) == ("text", "", {})
    assert second.created == first.created < second.modified
    assert store.get("x") == second
    assert len(store.list()) == 1


def test_deleted_is_gone(store):
    """Delete says whether there was something; afterwards there is nothing, and created is new."""
    first = store.save("a/b/c", 1)
    assert store.delete("a/b/c") is True
    assert store.delete("a/b/c") is False
    assert store.list() == []
    assert store.get("a/b/c") is None
    time.sleep(0.002)
    assert store.save("a", 1).created > first.created  # the folders went with the last in them


def test_an_unknown_name_lists_near_ones(store):
    """Loading what is not there raises an error with the names that may have been meant."""
    store.save("results.json", 1)
    for load in (store.load, store.load_packed):
        with pytest.raises(ArtifactNotFoundError, match=r"did you mean 'results\.json'") as caught:
            load("result.json")
        assert caught.value.near == ["results.json"]
    with pytest.raises(ArtifactNotFoundError, match=r"artifacts\.list\(\) shows"):
        store.load("zzz")


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../b", "a\0", "a\\b", ".pcm/lock", "\ud800", "x" * 600]
)
def test_bad_names_are_refused_for_writing_and_unknown_for_reading(store, name):
    """A name that breaks a rule cannot be saved, and nothing of that name is ever there."""
    with pytest.raises(ArtifactWriteError, match="an artifact cannot be named"):
        store.save(name, 1)
    with pytest.raises(ArtifactNotFoundError, match="it could not be"):
        store.load(name)
    assert store.get(name) is None
    assert store.exists(name) is False
    assert store.delete(name) is False
    assert store.list() == []


def test_equivalent_spellings_are_one_artifact(store):
    """A name typed with its accents apart and in place is the same artifact."""
    info = store.save("e\u0301", 1)
    assert info.name == "\u00e9"
    assert store.load("\u00e9") == store.load("e\u0301") == 1
    assert store.get("e\u0301") == info
    assert store.exists("e\u0301")
    assert store.delete("e\u0301")


def test_an_artifact_is_no_folder_and_a_folder_no_artifact(store):
    """Below an artifact nothing can be saved, and where a folder is no artifact."""
    store.save("a", 1)
    with pytest.raises(ArtifactWriteError, match="'a' is an artifact, not a folder"):
        store.save("a/b", 2)
    store.save("c/d", 3)
    with pytest.raises(ArtifactWriteError, match="artifact 'c': there is a folder of that name"):
        store.save("c", 4)
    assert store.get("c") is None
    assert store.get("a/b") is None
    assert store.delete("c") is False
    assert store.delete("a/b") is False
    assert [(info.name, store.load(info.name)) for info in store.list()] == [("a", 1), ("c/d", 3)]


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"metadata": {"a": (1, 2)}}, "metadata must be JSON"),
        ({"metadata": {1: 2}}, "metadata must be JSON"),
        ({"metadata": {"a": float("nan")}}, "metadata must be JSON"),
        ({"metadata": {"a": "x" * 70_000}}, "the metadata has 70,0"),
        ({"description": "x" * 70_000}, "the description has 70,000 bytes"),
        ({"tags": ("",)}, "tags must be"),
        ({"tags": tuple(map(str, range(101)))}, "at most 100 words"),
        ({"content_type": "no type"}, "content_type must be like 'image/png'"),
        ({"content_type": "text/<b>"}, "content_type must be"),
        ({"expires": float("nan")}, "expires must be seconds"),
        ({"expires": 1.0}, "would have expired already"),
    ],
    ids=str,
)
def test_bad_beside_the_data_is_refused_and_nothing_is_kept(store, details, reason):
    """Metadata that is no JSON, malformed tags and types, and over-long texts are refused."""
    with pytest.raises(ArtifactWriteError, match=reason):
        store.save_packed("x", "bytes", b"", Details(**details))
    with pytest.raises(ArtifactWriteError, match="no kind 'pickle'"):
        store.save_packed("x", "pickle", b"")
    assert store.list() == []


def test_what_cannot_be_packed_is_refused_and_the_old_stays(store):
    """A value that cannot be kept is refused by type; what was there before is untouched."""
    store.save("x", 1)
    with pytest.raises(ArtifactWriteError, match="type object"):
        store.save("x", object())
    assert store.load("x") == 1


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda b: memoryview(b * 2)[::2]])
def test_packed_bytes_are_kept_undecoded(store, wrap):
    """Packed bytes in any buffer come back as they were, whether or not they decode."""
    data = b"{{{not json" if wrap is not memoryview else b"\xff\xfe"
    expected = bytes(wrap(data))
    info = store.save_packed("x", "json", wrap(data), Details("d", {"a": 1}, type_name="some.Type"))
    assert (info.kind, info.type_name, info.size) == ("json", "some.Type", len(expected))
    assert store.load_packed("x") == (info, expected)
    with pytest.raises(ArtifactError, match=r"artifact 'x' cannot be read: .*not valid json"):
        store.load("x")


@pytest.mark.parametrize("verb", ["load", "get", "exists", "delete", "read_chunks", "show"])
def test_a_name_that_is_no_text_is_a_type_error(store, verb):
    """Given a number or a path for a name, every verb says what a name must be."""
    for name in (1, None, PurePath("x")):
        with pytest.raises(TypeError, match="artifact's name must be str, not"):
            getattr(store, verb)(name)
        with pytest.raises(TypeError, match="artifact's name must be str, not"):
            store.save(name, 1)


@pytest.mark.parametrize(
    "said",
    [
        {"tags": "abc"},
        {"tags": 5},
        {"tags": [1]},
        {"metadata": [1]},
        {"metadata": 5},
        {"description": 5},
        {"ttl": "soon"},
        {"ttl": 10**400},
        {"expires": "tomorrow"},
    ],
    ids=str,
)
def test_wrong_arguments_of_save_are_refused_by_name(store, said):
    """What is no tags, metadata, description or time is refused, and named; a text is no tags."""
    (key,) = said
    with pytest.raises(ArtifactWriteError, match=key):
        store.save("x", 1, **said)
    assert store.list() == []
