"""``artifacts`` in a kernel: values become bytes here, and the host never looks into them."""

from __future__ import annotations

import copy
from datetime import date

import numpy as np
import pytest

from kernel_bootstrap.artifacts import Artifacts
from kernel_bootstrap.wire.errors import ArtifactNotFoundError, ArtifactWriteError
from tests.bootstrap.fakes import methods


class Shelf:
    """A host that keeps artifacts as they come."""

    def __init__(self) -> None:
        self.kept: dict[str, dict] = {}

    def __call__(self, request):
        name = request.params.get("name")
        found = self.kept.get(name)
        if request.method == "artifacts.save":
            self.kept[name] = dict(request.params)
            return {"name": name, "size": len(request.params["data"])}
        if request.method == "artifacts.list":
            return [{"name": each} for each in self.kept]
        if request.method == "artifacts.get":
            return None if found is None else {"name": name}
        if request.method == "artifacts.exists":
            return found is not None
        if request.method == "artifacts.delete":
            return self.kept.pop(name, None) is not None
        assert request.method == "artifacts.load"
        if found is None:
            raise ArtifactNotFoundError(f"no artifact named {name!r}", near=[])
        return {"kind": found["kind"], "data": found["data"]}


@pytest.fixture
def shelf():
    """What the host keeps."""
    return Shelf()


@pytest.fixture
def host(make_host, shelf):
    """A host that keeps artifacts."""
    return make_host(shelf)


@pytest.fixture
def artifacts(host):
    """``artifacts`` of a session."""
    return Artifacts(host.link)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"a": [1, 2.5, None]}, "json"),
        ("text\n", "text"),
        (b"\x00\xff", "bytes"),
        ((1, {2}), "value"),
        (float("inf"), "value"),
        (date(2026, 1, 2), "value"),
        ("\ud800", "value"),
        (None, "json"),
    ],
    ids=repr,
)
def test_what_was_saved_loads_back(artifacts, shelf, value, kind):
    """A value comes back as it was; the host gets a kind and bytes, no value."""
    assert artifacts.save("a/b", value) == {"name": "a/b", "size": len(shelf.kept["a/b"]["data"])}
    assert shelf.kept["a/b"]["kind"] == kind
    assert type(shelf.kept["a/b"]["data"]) is bytes
    back = artifacts.load("a/b")
    assert (type(back), back) == (type(value), value)


def test_an_array_loads_back(artifacts, shelf):
    """An array keeps dtype and values, and the host learns the name of its type."""
    array = np.arange(12.0).reshape(3, 4)
    artifacts.save("x", array)
    assert shelf.kept["x"]["type_name"] == "numpy.ndarray"
    back = artifacts.load("x")
    assert back.dtype == array.dtype
    assert (back == array).all()


def test_description_and_metadata_go_along(artifacts, shelf):
    """Description and metadata reach the host; without any they are empty."""
    artifacts.save("x", 1, "what it is", {"n": 1})
    assert shelf.kept["x"]["description"] == "what it is"
    assert shelf.kept["x"]["metadata"] == {"n": 1}
    artifacts.save("y", 1)
    assert (shelf.kept["y"]["description"], shelf.kept["y"]["metadata"]) == ("", {})


def test_the_other_verbs(artifacts, host):
    """``get``, ``list``, ``exists`` and ``delete`` ask the host and answer plainly."""
    artifacts.save("x", 1)
    assert artifacts.get("x") == {"name": "x"}
    assert artifacts.get("nope") is None
    assert artifacts.list() == [{"name": "x"}]
    assert (artifacts.exists("x"), artifacts.exists("nope")) == (True, False)
    assert (artifacts.delete("x"), artifacts.delete("x")) == (True, False)
    assert set(methods(host.requests)) == {
        f"artifacts.{verb}" for verb in ("save", "get", "list", "exists", "delete")
    }


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


def test_probing_is_harmless(artifacts, host):
    """``repr``, ``dir``, ``copy`` and missing attributes ask the host nothing."""
    assert repr(artifacts) == "<artifacts: save, load, get, list, exists, delete>"
    assert repr(copy.copy(artifacts)) == repr(artifacts)
    assert {"save", "load", "get", "list", "exists", "delete"} <= {*dir(artifacts)}
    assert not hasattr(artifacts, "_repr_html_")
    with pytest.raises(AttributeError):
        artifacts.lod = 1
    assert not host.requests
