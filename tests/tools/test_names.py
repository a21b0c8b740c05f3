"""Tests of exact and clean names."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel_bootstrap.namespaces import Tools
from py_code_mode.errors import ConfigError
from py_code_mode.tools import clean_name
from py_code_mode.tools.names import RESERVED, check_name, near_names, unknown

# The machine may be busy: time says nothing here.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("nmap", "nmap"),
        ("a-b", "a_b"),
        ("a b", "a_b"),
        ("class", "class_"),
        ("match", "match"),  # a soft keyword is an identifier
        ("3d", "_3d"),
        ("_x", "_x_"),
        ("-x", "_x_"),
        ("__class__", "__class___"),
        ("ünïcode", "ünïcode"),
        ("ﬁle", "file"),  # NFKC, as Python does with what it reads
        ("u\u0308ber", "über"),
        ("list", "list_"),
        ("call", "call_"),
        ("map", "map_"),
        ("ToolError", "ToolError_"),
        ("weather.get-alerts", "weather.get_alerts"),
        ("github.search", "github.search"),  # only `tools` itself has a search
        ("search.github", "search_.github"),
        ("a.class", "a.class_"),
        ("工具", "工具"),
        ("✂", "__"),
    ],
)
def test_clean_names(name: str, clean: str):
    """A clean name is what the table in the module says."""
    assert clean_name(name) == clean


@patient
@given(st.text(min_size=1).filter(lambda name: all(name.split("."))))
def test_clean_names_are_identifiers(name: str):
    """Whatever a tool is called, each part of its clean name can be written after a dot."""
    parts = clean_name(name).split(".")
    assert all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
    assert parts[0] not in RESERVED


@patient
@given(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True))
def test_identifiers_stay(name: str):
    """A name that is fit to be an attribute is its own clean name."""
    if not keyword.iskeyword(name) and name not in RESERVED:
        assert clean_name(name) == name


def test_reserved_names():
    """What ``tools`` has of its own in the kernel hides no tool: all of it is reserved."""
    assert {name for name in dir(Tools) if not name.startswith("_")} == RESERVED


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\0", "a..b", ".a", "a.", "x" * 201])
def test_names_that_cannot_be(name: str):
    """A name that is empty, does not print or has empty parts is refused."""
    with pytest.raises(ConfigError, match="name"):
        check_name(name)


def test_near_names():
    """Names that look alike are offered, whatever their case, and long junk costs nothing."""
    assert near_names("NMPA", ["curl", "nmap"]) == ["nmap"]
    assert near_names("x" * 1_000_000, ["xxx"]) == []
    assert unknown("tool", "nmpa", ["nmap"]) == "no tool 'nmpa' (did you mean 'nmap'?)"
    assert unknown("tool", "zzz", ["nmap"]) == "no tool 'zzz'"
