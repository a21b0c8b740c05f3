"""What ``Ray(...)`` takes, and what it says where Ray is not installed; no cluster is needed."""

from __future__ import annotations

import sys

import pytest

from py_code_mode import CodeExecutor, ConfigError, KernelConfig, Ray


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"address": "ray://head:10001"}, "must be host:port"),
        ({"resources": {}}, "must name what a session takes"),
        ({"resources": {"CPU": 0}}, "more than 0"),
        ({"resources": {"CPU": float("nan")}}, "more than 0"),
        ({"resources": {"CPU": True}}, "must be a number"),
        ({"packages": "numpy"}, "must be a sequence"),
        ({"working_dir": "/nowhere/at/all"}, "must be a folder"),
        ({"timeout": 0}, "more than 0"),
        ({"lease": 1}, "5 or more"),
    ],
)
def test_what_is_wrong_is_said(wrong, told):
    """A value that is not of its form is an error that names it."""
    with pytest.raises(ConfigError, match=told):
        Ray(**wrong)


def test_a_front_ends_kernel_cannot_be_placed(tmp_path):
    """A kernel that has its addresses from a front end is on this machine."""
    with pytest.raises(ConfigError, match="leave placement out"):
        KernelConfig(placement=Ray(), connection_file=tmp_path / "kernel.json")


async def test_without_ray(monkeypatch):
    """Where Ray is not installed, the first run says what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)
    async with CodeExecutor(kernel=KernelConfig(placement=Ray())) as executor:
        with pytest.raises(ConfigError, match=r"pip install 'py-code-mode\[ray\]'"):
            await executor.run("1")
