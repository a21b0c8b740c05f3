"""Limits: what is cut, how it is counted, and limits that are none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.limits import Cut, Limits, bundle_size, cut_text, fit_bundle

patient = settings(deadline=None)

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
mimes = st.sampled_from(["text/plain", "text/html", "image/png", "application/json", "a/b+json"])
bundles = st.dictionaries(mimes, st.text(max_size=80) | json_data, max_size=5)


@given(st.text(max_size=200), st.integers(0, 100))
def test_cut_text_keeps_head_and_tail(text, limit):
    """Short text stays; of longer text head and tail are left, with the number cut between."""
    cut = cut_text(text, limit)
    if len(text) <= limit:
        assert cut == text
        return
    marker = f"\n... {len(text) - limit:,} characters cut ...\n"
    head, tail = (limit + 1) // 2, limit // 2
    assert cut == text[:head] + marker + text[len(text) - tail :]


@patient
@given(bundles, st.integers(0, 60), st.integers(0, 120))
def test_fit_bundle(data, chars, room):
    """Formats are kept whole or dropped, text keeps its ends, and each loss is told."""
    before = json.dumps(data)
    fitted, cuts = fit_bundle(data, Limits(text_chars=chars, output_bytes=room))
    assert json.dumps(data) == before
    assert fitted.keys() <= data.keys()
    told = {cut.what: cut for cut in cuts}
    assert len(told) == len(cuts)
    for mime, value in data.items():
        if mime == "text/plain" and isinstance(value, str):
            assert fitted[mime] == cut_text(value, chars)
            assert (mime in told) == (len(value) > chars)
        elif mime in fitted:
            assert fitted[mime] == value
            assert mime not in told
        else:
            size = bundle_size({mime: value})
            assert told[mime] == Cut(mime, 0, size, "bytes")
    rest = {mime: value for mime, value in fitted.items() if mime != "text/plain"}
    assert not rest or bundle_size(fitted) <= room


def test_the_largest_format_goes_first():
    """When a picture and its page are too large together, the larger one goes."""
    data = {"text/plain": "x" * 10, "image/png": "p" * 50, "text/html": "h" * 100}
    fitted, cuts = fit_bundle(data, Limits(output_bytes=bundle_size(data) - 1))
    assert fitted.keys() == {"text/plain", "image/png"}
    assert cuts == [Cut("text/html", 0, bundle_size({"text/html": "h" * 100}), "bytes")]


@pytest.mark.parametrize("value", [-1, 1.0, True, None, "1"], ids=repr)
def test_limits_are_non_negative_integers(value):
    """A limit that is no size is refused where it is set, and where it arrives."""
    with pytest.raises(ValueError, match=r"Limits\.outputs must be a non-negative int"):
        Limits(outputs=value)
    with pytest.raises(ProtocolError, match=r"Limits\.outputs"):
        Limits.from_dict({"outputs": value})


def test_limits_travel():
    """Limits come back from plain data as they were; unknown ones are refused."""
    limits = Limits(outputs=3, spill_bytes=0)
    assert Limits.from_dict(json.loads(json.dumps(limits.to_dict()))) == limits
    with pytest.raises(ProtocolError, match="colour"):
        Limits.from_dict({"colour": 1})


@patient
@given(json_data)
def test_a_cut_is_read_or_refused(data):
    """Whatever stands where a cut should, the answer is a cut or ``ProtocolError``."""
    try:
        cut = Cut.from_dict(data)
    except ProtocolError:
        return
    assert Cut.from_dict(cut.to_dict()) == cut


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": 1},
        {"unit": None},
        {"kept": "1"},
        {"total": True},
        {"artifact": 5},
        {"kept": 1.5},
    ],
    ids=repr,
)
def test_a_cut_with_a_wrong_field_is_refused(wrong):
    """Each field of a cut must have its type."""
    good = Cut("stdout", 1, 2, "characters", "a").to_dict()
    assert Cut.from_dict(good) == Cut("stdout", 1, 2, "characters", "a")
    with pytest.raises(ProtocolError):
        Cut.from_dict(good | wrong)


def test_a_cut_reads_as_a_sentence():
    """A cut says what was cut, how much is left, and where all of it is."""
    assert str(Cut("stdout", 1000, 20000)) == "stdout: 1,000 of 20,000 characters kept"
    shown = str(Cut("outputs", 1, 2, "outputs", "outputs/a.jsonl"))
    assert shown == "outputs: 1 of 2 outputs kept; all of it: artifact 'outputs/a.jsonl'"
    half = Cut("stdout", 1, 3, artifact="a", whole=False)
    assert str(half) == "stdout: 1 of 3 characters kept; its beginning: artifact 'a'"
    assert Cut.from_dict(half.to_dict()) == half
