"""Which packages a kernel has, judged in an interpreter whose packages we know."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest

from kernel_bootstrap.packages import require_packages
from kernel_bootstrap.wire.errors import MissingPackagesError

ZMQ = version("pyzmq")


@pytest.mark.parametrize(
    "wanted",
    [
        "pyzmq",
        "PyZMQ>=1",
        f"pyzmq=={ZMQ}",
        "pyzmq>=1,!=2,<9999",
        "nowhere; python_version < '3'",
        "nowhere; extra == 'x'",
        "pyzmq @ https://example.com/pyzmq.whl",
        "ipykernel[nothing]",
        "pyzmq>>1",  # nobody can judge it, and the package is there
    ],
)
def test_what_is_there_is_enough(wanted):
    """Requirements that are met, or are not meant for this machine, are no hindrance."""
    require_packages("skill", [wanted])


@pytest.mark.parametrize(
    ("wanted", "told", "installed"),
    [
        ("nowhere", "nowhere", None),
        ("no_where[x]>=2", "no_where[x]>=2", None),
        ("pyzmq>9999", "pyzmq>9999", ZMQ),
        (f"pyzmq!={ZMQ}", f"pyzmq!={ZMQ}", ZMQ),
        ("nowhere @ https://to:ken@example.com/x.whl", "nowhere", None),
        ("nowhere>>1", "nowhere>>1", None),
    ],
)
def test_what_is_missing_is_named(wanted, told, installed):
    """The error has the requirement and the version that is there, and no credentials."""
    with pytest.raises(MissingPackagesError) as caught:
        require_packages("skill", ["pyzmq", wanted])
    assert caught.value.missing == [{"requirement": told, "installed": installed}]
    assert told in str(caught.value)
    assert "to:ken" not in str(caught.value)
    assert isinstance(caught.value, ImportError)


def test_extras_need_what_they_bring(tmp_path, monkeypatch):
    """A package that is there without what its extra needs is not enough, at any depth."""
    info = tmp_path / "pcm_extra-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pcm-extra\nVersion: 1.0\n"
        "Requires-Dist: nowhere\n"
        "Requires-Dist: pcm-extra[two]; extra == 'one'\n"
        "Requires-Dist: pcm-extra[one]; extra == 'two'\n"
        "Requires-Dist: elsewhere>=1; extra == 'two'\n"
        "Requires-Dist: this is wrong; extra == 'two'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    require_packages("skill", ["pcm-extra"])
    with pytest.raises(MissingPackagesError) as caught:
        require_packages("skill", ["pcm-extra[one]"])
    assert caught.value.missing == [{"requirement": "elsewhere>=1", "installed": None}]


def test_without_packaging_names_are_judged_alone(monkeypatch):
    """A kernel without that library tells what is not there, and leaves versions unjudged."""
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    require_packages("skill", ["pyzmq>9999"])
    with pytest.raises(MissingPackagesError, match="nowhere>=1"):
        require_packages("skill", ["nowhere>=1"])
