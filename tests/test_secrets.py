"""Secrets are filled in on the host and seen nowhere else."""

from __future__ import annotations

import html
import json
from collections import OrderedDict
from itertools import pairwise
from pathlib import PurePosixPath
from urllib.parse import quote, quote_plus

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_bootstrap.wire.codec import encode
from kernel_bootstrap.wire.media import Media, ResourceLink
from py_code_mode.errors import ConfigError
from py_code_mode.secrets import Secrets


def test_names_are_filled_in(monkeypatch):
    """The mapping comes before the environment, the environment before a default."""
    monkeypatch.setenv("FROM_ENV", "environment")
    monkeypatch.setenv("BOTH", "environment")
    secrets = Secrets({"BOTH": "mapping"})
    assert secrets.fill("Bearer ${BOTH}, ${FROM_ENV}") == "Bearer mapping, environment"
    assert secrets.fill("${NOT_SET_ANYWHERE:-default} $$${BOTH} $$ $x") == "default $mapping $ $x"


def test_a_missing_name_is_an_error(monkeypatch):
    """Nothing is sent with a hole in it; the error names the hole."""
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE"):
        Secrets().fill("a ${NOT_SET_ANYWHERE}")


def test_what_was_filled_in_is_hidden(monkeypatch):
    """Texts, bytes, and containers of them lose every secret, the longer one first."""
    monkeypatch.setenv("KEY", "abcdef")
    secrets = Secrets({"LONG": "abcdefgh"})
    assert secrets.redact("abcdef") == "abcdef"
    secrets.fill("${KEY}")
    assert secrets.redact("x abcdefgh y abcdef") == "x *** y ***"
    assert secrets.redact([b"abcdef", {"abcdef": ("abcdef", 1)}]) == [b"***", {"***": ("***", 1)}]


def test_a_secret_is_hidden_however_it_is_written():
    """Source, JSON, HTML and addresses write quotes, ampersands and letters in their own way."""
    secret = "p&ss'w\"o/r d\\<ü>"

    def twice(text):
        return json.dumps(json.dumps(text)[1:-1])

    def for_markup(text):
        return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")

    secrets = Secrets({"KEY": secret})
    ways = [repr, json.dumps, html.escape, quote, quote_plus, lambda text: quote(text, safe="")]
    ways += [twice, for_markup, ascii, lambda text: repr(text.encode())[1:]]
    for way in (*ways, lambda text: json.dumps(text, ensure_ascii=False)):
        found = secrets.redact(f"a {way(secret)} b")
        assert found.replace("'", "").replace('"', "") == "a *** b", way
    assert secrets.redact(b"\xff" + secret.encode() + b"\xfe") == b"\xff***\xfe"


@given(
    st.lists(st.sampled_from(["abcd", "xyzw", "ab", "cd", "x", "yz", "w", "-"]), max_size=12),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_pieces_of_a_text_hide_what_goes_over_their_borders(parts, cuts):
    """However a text is divided, its pieces show together what the redacted text shows."""
    secrets = Secrets({"A": "abcd", "B": "xyzw"})
    text = "".join(parts)
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(borders)]
    found = secrets.redact_pieces(pieces)
    assert len(found) == len(pieces)
    assert "".join(found) == secrets.redact(text)


def test_what_holds_no_secret_is_not_copied():
    """Large results without secrets are passed on as they are."""
    value = {"a": [1, "b", (b"c",)]}
    found = Secrets({"KEY": "secret"}).redact(value)
    assert found is value


VALUES = [
    {"key-4711-x"},
    frozenset(["key-4711-x"]),
    PurePosixPath("/data/key-4711-x"),
    bytearray(b"key-4711-x"),
    OrderedDict({"key-4711-x": 1}),
    np.array(["key-4711-x", "b"]),
    np.array([b"key-4711-x"]),
    np.array(["key-4711-x", None], dtype=object),
    np.str_("key-4711-x"),
    np.array([("key-4711-x", 1)], dtype=[("a", "U20"), ("b", "i4")]),
    pd.DataFrame({"a": ["key-4711-x", "b"], "key-4711-x": [1, 2]}),
    pd.Series(["key-4711-x"], index=["key-4711-x"], name="key-4711-x"),
    pd.Categorical(["key-4711-x", "a"]),
    pl.DataFrame({"a": ["key-4711-x", "b"], "key-4711-x": [1, 2]}),
    Media(b"a key-4711-x", "text/plain", "key-4711-x"),
    ResourceLink(uri="http://h/?k=key-4711-x"),
    [{"deep": (np.array(["key-4711-x"]),)}],
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_that_are_more_than_text_hide_it_too(value):
    """Sets, paths, arrays, frames and pictures are searched; those without a secret stay themselves."""
    tree, buffers = encode(Secrets({"KEY": "key-4711-x"}).redact(value))
    assert "key-4711-x" not in json.dumps(tree)
    for data in map(bytes, buffers):
        assert not any(
            "key-4711-x".encode(each) in data for each in ("utf-8", "utf-16-le", "utf-32-le")
        )
    assert Secrets({"KEY": "another-one"}).redact(value) is value


def test_what_was_cut_hides_what_is_left_of_a_secret():
    """Where a text was shortened, the beginning or the end of a secret is hidden as well."""
    secrets = Secrets({"KEY": "key-4711-secret", "LONG": "x" * 300 + "y" * 300})
    assert secrets.redact("a key-4711-s...") == "a ***..."
    assert secrets.redact("x" * 200 + "...") == "***..."
    cut = "head key-47\n... 1,234 characters cut ...\n1-secret tail"
    assert secrets.redact(cut) == "head key-47\n... 1,234 characters cut ...\n*** tail"
    assert secrets.redact("wait... keyhole") == "wait... keyhole"


def test_names_of_ours_stay():
    """Keys of records are not hidden, however common the word that is a secret."""
    assert Secrets({"K": "name"}).redact_values([{"name": "a name"}]) == [{"name": "a ***"}]
    assert Secrets({"A": "aaaa", "B": "bbbb"}).redact({"aaaa": 1, "bbbb": 2}) == {
        "***": 1,
        "*** (2)": 2,
    }


def test_short_values_are_not_hidden():
    """A flag such as ``1`` must not blank out every other digit."""
    secrets = Secrets({"FLAG": "1"})
    secrets.fill("${FLAG}")
    assert secrets.redact("12") == "12"


def test_its_repr_shows_nothing():
    """Printing it in a log gives nothing away."""
    assert "secret" not in repr(Secrets({"KEY": "secret"}))
