"""Frames as a kernel describes them: checked, bounded, without secrets."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode.errors import ProtocolError
from py_code_mode.secrets import Secrets
from py_code_mode.stackframes import (
    StackFrame,
    Variable,
    hide_in_frame,
    read_frame,
    read_frames,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["file", "line", "function", "code", "locals", "omitted", "name", "shape"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
FRAME = {"file": "a.py", "line": 3, "function": "f", "code": "x", "locals": [], "omitted": 0}


def variable(**changed: object) -> dict[str, object]:
    plain = {"name": "x", "type": "int", "shape": None, "length": None, "size": 28, "preview": "1"}
    return {**plain, **changed}


@given(JSON)
def test_anything_may_come(data):
    """What is no frame is none; nothing raises."""
    assert read_frame(data) is None or isinstance(read_frame(data), StackFrame)
    assert isinstance(read_frames(data), tuple)


@pytest.mark.parametrize(
    "changed",
    [
        {"line": "3"},
        {"line": True},
        {"locals": "none"},
        {"locals": {}},
        {"locals": [1]},
        {"locals": [variable(shape=["x"])]},
        {"locals": [variable(name=1)]},
        {"omitted": None},
    ],
    ids=str,
)
def test_what_is_malformed_is_no_frame(changed):
    """A field of another type makes it none; strict readers say which."""
    assert read_frame({**FRAME, **changed}) is None
    with pytest.raises((ProtocolError, TypeError)):
        StackFrame.from_dict({**FRAME, **changed})


def test_a_flood_is_cut():
    """Texts, numbers and the number of variables are bounded, whatever comes."""
    huge = variable(
        name="n" * 10_000,
        type="t" * 10_000,
        preview="p\n" * 10_000,
        length=10**100,
        shape=[1] * 999,
    )
    frame = read_frame(
        {**FRAME, "line": 10**100, "code": "c" * 10**6, "file": "f" * 10**6, "locals": [huge] * 999}
    )
    assert frame is not None
    assert len(json.dumps(asdict(frame))) < 400_000
    assert len(frame.locals) == 100
    assert (frame.locals[0].shape, frame.locals[0].length) == (None, None)
    assert len(read_frames([FRAME] * 999)) == 100


def test_a_frame_comes_back_as_it_was():
    """Through JSON and back it is equal."""
    known = Variable("df", "pandas.DataFrame", (2, 3), 2, 48, "DataFrame (2, 3)")
    frame = StackFrame("Cell In[1]", 2, "f", "return df", (known,), 4)
    assert StackFrame.from_dict(json.loads(json.dumps(asdict(frame)))) == frame
    assert str(frame).splitlines() == [
        "f, line 2 of Cell In[1]: return df",
        "  df: DataFrame = DataFrame (2, 3)",
        "  and 4 more variables",
    ]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("'so abcd-1234 it is'", "'so *** it is'"),
        ("'a\\\\nb-secret'", "'***'"),
        ("'" + "k" * 30 + "…", "'***"),
        ("['x', '" + "k" * 25 + "…', 'y']", "['x', '***', 'y']"),
        ("'harmless'", "'harmless'"),
    ],
)
def test_secrets_are_hidden_in_previews(shown, expected):
    """Whole ones, ones that a repr escapes, and long ones whose end was cut off."""
    secrets = Secrets({"A": "abcd-1234", "B": "a\\nb-secret", "C": "k" * 200})
    told = Variable("v", "str", None, 1, 1, shown)
    frame = hide_in_frame(StackFrame("f", 1, "f", shown, (told,)), secrets.redact_preview)
    assert (frame.locals[0].preview, frame.code) == (expected, expected)
