"""Events and results as JSON data: they come back equal, and nothing malformed comes in."""

from __future__ import annotations

import contextlib
import json
import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from py_code_mode.errors import ProtocolError
from py_code_mode.events import (
    Cleared,
    Displayed,
    Event,
    Failed,
    Finished,
    Printed,
    Started,
    ToolCalled,
    ToolLogged,
    ToolProgressed,
    Updated,
    event_from_dict,
    event_to_dict,
)
from py_code_mode.jsonform import dump_json, load_json, pack, unpack
from py_code_mode.results import ErrorInfo, ExecutionResult, Output
from tests.test_results import calls, json_data, numbers, outputs, patient, results, text

lean = settings(patient, max_examples=50)
amounts = st.floats(allow_nan=False) | st.integers(0, 10**6)
EVENTS = {
    Started: st.builds(Started, numbers),
    Printed: st.builds(Printed, st.sampled_from(["stdout", "stderr"]), text),
    Displayed: st.builds(Displayed, outputs),
    Updated: st.builds(Updated, outputs),
    Cleared: st.builds(Cleared, st.booleans()),
    Failed: st.builds(Failed, st.builds(ErrorInfo, text, text, text)),
    ToolCalled: st.builds(ToolCalled, calls),
    ToolProgressed: st.builds(ToolProgressed, text, amounts, st.none() | amounts, text),
    ToolLogged: st.builds(ToolLogged, text, text, text),
    Finished: st.builds(Finished, results),
}


def test_every_type_of_event_is_tried():
    """The tests below know each type of event that there is."""
    assert EVENTS.keys() == {*get_args(Event)}


@lean
@given(st.one_of(*EVENTS.values()))
def test_an_event_goes_through_json(event):
    """An event rebuilt from its JSON is equal to it, of the same type, and named by it."""
    data = load_json(dump_json(event_to_dict(event)))
    assert event_from_dict(data) == event
    assert data["type"].replace("_", "") == type(event).__name__.lower()


@pytest.mark.parametrize("amount", [math.inf, -math.inf, 0.0, 3], ids=repr)
def test_progress_that_json_cannot_say(amount):
    """A tool that counts in infinities is heard all the same."""
    event = ToolProgressed("t", amount, amount, "")
    assert event_from_dict(load_json(dump_json(event_to_dict(event)))) == event
    assert math.isnan(
        event_from_dict(load_json(dump_json(event_to_dict(ToolProgressed("t", math.nan))))).progress
    )


def _damage(draw: st.DrawFn, data: object) -> object:
    if not isinstance(data, (dict, list)) or not data or draw(st.integers(0, 4)) == 0:
        return draw(json_data)
    key = draw(st.sampled_from([*data] if isinstance(data, dict) else range(len(data))))
    if draw(st.booleans()):
        del data[key]
    else:
        data[key] = _damage(draw, data[key])
    return data


@lean
@given(st.data(), st.one_of(*EVENTS.values()))
def test_damaged_events_are_refused_by_name(data, event):
    """Whatever the other side sends is an event, or one of our errors, never another one."""
    damaged = _damage(data.draw, load_json(dump_json(event_to_dict(event))))
    with contextlib.suppress(ProtocolError):
        event_from_dict(damaged)


WHOLE = ExecutionResult(
    value=b"x" * 2000,
    outputs=[Output("display", {"text/plain": "a"})],
    error=ErrorInfo("E", "m"),
).to_dict()
WRONG = {
    "no object": [],
    "a missing field": {key: WHOLE[key] for key in WHOLE if key != "stdout"},
    "a number that is true": {**WHOLE, "seconds": True},
    "a text that is none": {**WHOLE, "stdout": 5},
    "an unknown kind": {**WHOLE, "outputs": [{**WHOLE["outputs"][0], "kind": "window"}]},
    "data that is none": {**WHOLE, "outputs": [{**WHOLE["outputs"][0], "data": "x"}]},
    "names that are none": {**WHOLE, "new_variables": [1]},
    "an error that is none": {**WHOLE, "error": {"name": "E"}},
    "no base64": {**WHOLE, "value": {**WHOLE["value"], "base64": ["*"]}},
    "hex": {**WHOLE, "value": {"tree": WHOLE["value"]["tree"], "buffers": ["78" * 2000]}},
    "a buffer that is none": {**WHOLE, "value": {**WHOLE["value"], "base64": [7]}},
    "a remote value that is none": {**WHOLE, "value": {"remote": {"repr": "x"}}},
    "a cut that is none": {**WHOLE, "truncated": ["x"]},
    "a call that is none": {**WHOLE, "tool_calls": [{}]},
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_malformed_results_are_refused(data):
    """A result that lacks something, or has it of another type, is no result."""
    with pytest.raises(ProtocolError):
        ExecutionResult.from_dict(data)


def test_what_a_newer_version_adds_is_left_out():
    """Fields that this version does not know do no harm."""
    data = {**WHOLE, "colour": "red", "outputs": [{**WHOLE["outputs"][0], "size": 1}]}
    assert ExecutionResult.from_dict(data) == ExecutionResult.from_dict(WHOLE)


def test_json_that_any_parser_takes():
    """What is sent is ASCII without words of Python's own, lone surrogates and nan included."""
    sent = dump_json({"a": [math.nan, math.inf, "\udc80ü"], "b": (1.5,)})
    assert sent.isascii()
    assert json.loads(sent) == {"a": ["nan", "inf", "\udc80ü"], "b": [1.5]}


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[-Infinity]", "[" * 100_000, b"\xff", "1" * 5000]
)
def test_malformed_json_is_refused(text):
    """What is no JSON is refused in our words."""
    with pytest.raises(ProtocolError, match="no JSON"):
        load_json(text)


@lean
@given(json_data)
def test_a_packed_value_shares_no_words_with_data(data):
    """Any JSON data is a packed value or refused."""
    assert unpack(load_json(dump_json(pack(data)))) == data
    with contextlib.suppress(ProtocolError):
        unpack(data)
