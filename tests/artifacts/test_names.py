"""Which names artifacts may have."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode.artifacts.names import check_name, name_problem
from py_code_mode.errors import ArtifactWriteError

BAD = {
    "": "empty",
    "/etc/passwd": "relative",
    "/": "relative",
    "//host/share": "relative",
    "C:": "drive letter",
    "c:/windows": "drive letter",
    "C:x": "drive letter",
    "a\\b": "backslash",
    "..\\x": "backslash",
    "..": "'..' must not be a part",
    ".": "'.' must not be a part",
    "../x": "'..' must not be a part",
    "a/../../x": "'..' must not be a part",
    "a/./b": "'.' must not be a part",
    "a//b": "'' must not be a part",
    "a/": "'' must not be a part",
    "a\0b": "control character",
    "a\nb": "control character",
    "a\x7f": "control character",
    "a\x85b": "control character",
    "a\ud800": "surrogate",
    "a\u2028b": "line break",
    "a" * 201: "200 bytes",
    "é" * 101: "200 bytes",
    "/".join(["a" * 150] * 4): "512 bytes",
    "CON": "device",
    "con.txt": "device",
    "a/nul": "device",
    "Aux .log": "device",
    "com1": "device",
    "LPT9.json": "device",
    "com³": "device",
    "conin$": "device",
    " a": "begin or end",
    "a ": "begin or end",
    "a./b": "begin or end",
    ".hidden": "begin or end",
    "a/.git/b": "begin or end",
    "a\u3000": "begin or end",
    "...": "begin or end",
    ".pcm": "store's own",
    ".pcm/lock": "store's own",
    "a/.pcm-x": "store's own",
    ".PCM/lock": "store's own",
}


@pytest.mark.parametrize("name", BAD, ids=lambda name: ascii(name)[:30])
def test_bad_names_are_refused_with_the_rule(name):
    """A name that could lead out, clash or not be kept everywhere is refused, naming the rule."""
    with pytest.raises(ArtifactWriteError, match=BAD[name]) as caught:
        check_name(name)
    caught.value.message.encode()
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "name",
    [
        "results.json",
        "a/b/c.txt",
        "a b.txt",
        "outputs/2026-01-01T10:00:00-stdout.txt",
        "日本語/ключ é.json",
        "a" * 200,
        "..a..b".strip("."),
        "console",
        "com10",
        "nul2",
        "x.meta.json",
        "-rf",
        "*",
        "~",
    ],
)
def test_good_names_are_taken_as_they_are(name):
    """Plain relative paths in any language are names."""
    assert check_name(name) == name


def test_equivalent_spellings_are_one_name():
    """A letter with its accent apart is kept as the one with its accent in place."""
    assert check_name("e\u0301.txt") == "\u00e9.txt"


@given(st.text(st.characters() | st.sampled_from("/.\\ :"), max_size=20))
def test_a_taken_name_stays_inside_and_stable(name):
    """Any text is either refused or a relative path without tricks, taken again as it is."""
    if name_problem(name) is not None:
        with pytest.raises(ArtifactWriteError):
            check_name(name)
        return
    kept = check_name(name)
    assert check_name(kept) == kept == unicodedata.normalize("NFC", name)
    assert not kept.startswith("/")
    assert not {"", ".", ".."} & set(kept.split("/"))
