"""Secrets are filled in on the host and seen nowhere else."""

from __future__ import annotations

import html
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    secrets = Secrets({"KEY": secret})
    ways = [repr, json.dumps, html.escape, quote, quote_plus, lambda text: quote(text, safe="")]
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


def test_short_values_are_not_hidden():
    """A flag such as ``1`` must not blank out every other digit."""
    secrets = Secrets({"FLAG": "1"})
    secrets.fill("${FLAG}")
    assert secrets.redact("12") == "12"


def test_its_repr_shows_nothing():
    """Printing it in a log gives nothing away."""
    assert "secret" not in repr(Secrets({"KEY": "secret"}))
