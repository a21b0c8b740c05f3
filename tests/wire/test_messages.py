"""Messages: requests, replies, cancellations and failures survive the wire, garbage is refused."""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_bootstrap.wire import errors
from kernel_bootstrap.wire.errors import (
    CROSSING,
    CodeModeError,
    ProtocolError,
    ToolCallError,
    ToolNotFoundError,
    ValueNotEncodableError,
)
from kernel_bootstrap.wire.messages import Cancel, Failure, Reply, Request, parse
from tests.examples import examples
from tests.wire.strategies import any_text, buffers, same, trees, values

ids = st.integers(0, 2**53)
text = st.text(max_size=12)


def sent(message: Any) -> Any:
    """What the other side parses of ``message``."""
    data, parts = message.to_wire()
    wire = json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
    return parse(json.loads(wire), [bytes(part) for part in parts])


@examples(30)
@given(ids, text, st.dictionaries(any_text, values, max_size=3))
def test_requests_arrive(id_, method, params):
    """A request keeps its id, its method and every parameter."""
    came = sent(Request(id_, method, params))
    assert (came.id, came.method) == (id_, method)
    assert same(came.params, params)


@examples(30)
@given(ids, values)
def test_replies_arrive(id_, value):
    """A reply's value is unwrapped as it was sent."""
    came = sent(Reply(id_, value))
    assert (came.id, came.failure) == (id_, None)
    assert same(came.unwrap(), value)


def test_cancellations_arrive():
    """A cancellation is its id."""
    assert sent(Cancel(7)) == Cancel(7)


@examples(30)
@given(st.sampled_from(sorted(CROSSING)), text, st.dictionaries(text, values, max_size=3))
def test_failures_arrive(kind, message, details):
    """A failure raises the same class with the same sentence and details."""
    came = sent(Reply(1, failure=Failure(kind, message, details)))
    with pytest.raises(CROSSING[kind]) as caught:
        came.unwrap()
    assert caught.value.message == message
    assert same(caught.value.details, details)


class OddToolError(ToolCallError):
    """A subclass that only one side knows."""


def test_exceptions_become_the_nearest_class_that_crosses():
    """A subclass arrives as its known base, a stranger as the root, with its text."""
    failure = Failure.from_exception(OddToolError("it broke", exit_code=3))
    assert failure == Failure("ToolCallError", "it broke", {"exit_code": 3})
    assert sent(Reply(1, failure=failure)).failure.to_exception().exit_code == 3
    assert Failure.from_exception(ZeroDivisionError("x")) == Failure(
        "CodeModeError", "ZeroDivisionError: x"
    )
    missing = Failure.from_exception(ToolNotFoundError("no x", near=["y"])).to_exception()
    assert type(missing) is ToolNotFoundError
    assert missing.near == ["y"]


def test_unknown_kinds_of_failure_are_the_root():
    """A newer side may name a class this one lacks."""
    assert type(Failure("BrandNewError", "x").to_exception()) is CodeModeError


def test_every_class_of_the_tree_crosses():
    """No error class is forgotten in CROSSING."""
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, CodeModeError)
    }
    assert classes == CROSSING


def test_details_that_cannot_cross_are_left_out():
    """A failure is told even if its details are not plain data."""
    came = sent(Reply(1, failure=Failure("ToolError", "x", {"socket": object()})))
    assert came.failure == Failure("ToolError", "x", {})


def test_a_parameter_that_cannot_cross_is_named():
    """The sender learns which parameter it was."""
    with pytest.raises(ValueNotEncodableError, match=r"'object' at \['a'\]\[0\]"):
        Request(1, "m", {"a": [object()]}).to_wire()


def parses_or_refuses(data: Any, parts: list[bytes]) -> None:
    try:
        message = parse(data, parts)
    except ProtocolError:
        return
    assert isinstance(message, (Request, Reply, Cancel))


fields = st.sampled_from(["kind", "id", "method", "params", "value", "failure", "message"])
kinds = st.sampled_from(["request", "reply", "cancel", "other"])


@examples(80)
@given(st.one_of(trees, st.dictionaries(fields, trees)), kinds, st.booleans(), buffers)
def test_garbage_is_refused(data, kind, whole, parts):
    """Whatever arrives is a message or a ProtocolError."""
    if whole and isinstance(data, dict):
        data = {"id": 1, **data, "kind": kind}
    parses_or_refuses(data, parts)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"kind": "cancel"},
        {"kind": "cancel", "id": -1},
        {"kind": "cancel", "id": True},
        {"kind": "cancel", "id": 1.0},
        {"kind": "request", "id": 1},
        {"kind": "request", "id": 1, "method": 1, "params": {}},
        {"kind": "request", "id": 1, "method": "m", "params": []},
        {"kind": "request", "id": 1, "method": "m", "params": {"$": "dict", "k": [1], "v": [1]}},
        {"kind": "reply", "id": 1, "failure": None},
        {"kind": "reply", "id": 1, "failure": {"kind": "ToolError"}},
        {"kind": "reply", "id": 1, "failure": {"kind": "ToolError", "message": 1}},
        {"kind": "reply", "id": 1, "failure": {"kind": "x", "message": "", "details": 1}},
        {"kind": "reply", "id": 1, "value": {"$": "nothing"}},
        {"kind": ["request"], "id": 1},
    ],
    ids=str,
)
def test_messages_that_break_the_table_are_refused(data):
    """Missing, extra-typed and unknown fields are a ProtocolError."""
    with pytest.raises(ProtocolError):
        parse(data)


DEEP = json.loads('{"a":' * 900 + "1" + "}" * 900)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "cancel", "id": DEEP},
        {"kind": "request", "id": 1, "method": DEEP},
        {"kind": DEEP, "id": 1},
        {"kind": "cancel", "id": -(10**4299)},
    ],
    ids=["id", "method", "kind", "long id"],
)
def test_messages_that_cannot_be_printed_are_refused(data):
    """A refusal shows no data that is nested deeper than the rest of the stack lasts."""
    left = sys.getrecursionlimit() - 200 - len(inspect.stack())

    def further_down(frames: int) -> None:
        if frames:
            further_down(frames - 1)
        else:
            with pytest.raises(ProtocolError):
                parse(data)

    further_down(left)
