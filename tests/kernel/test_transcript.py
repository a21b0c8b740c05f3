"""One cell as its messages tell it: recorded scripts in, events and a result out."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from kernel_bootstrap.wire.limits import Cut, Limits
from kernel_bootstrap.wire.messages import VALUE_MIME
from py_code_mode.events import (
    Cleared,
    Displayed,
    Failed,
    Printed,
    Started,
    ToolCalled,
    Updated,
)
from py_code_mode.kernel.transcript import MAX_TOOL_CALLS
from py_code_mode.outputs import Output, RemoteValue
from py_code_mode.results import ErrorInfo, ToolCall
from tests.kernel.scripts import (
    BUSY,
    ERROR,
    IDLE,
    INPUT,
    REPLY,
    display,
    message,
    play,
    reply_telling,
    result_with,
    run,
    stream,
)

# --- the end -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", list(itertools.permutations([REPLY, IDLE])), ids=["reply", "idle"]
)
def test_a_cell_is_done_after_reply_and_idle_in_either_order(order):
    """Neither the reply nor the idle alone ends a cell; both do, whichever comes first."""
    transcript, _ = play(BUSY, INPUT)
    assert not transcript.done
    transcript.feed(message(order[0]))
    assert not transcript.done
    transcript.feed(message(stream("late\n")))
    transcript.feed(message(order[1]))
    assert transcript.done
    assert transcript.idle
    result = transcript.result(seconds=0.25)
    assert result.is_ok
    assert result.stdout == "late\n"
    assert (result.seconds, result.execution_count) == (0.25, 3)


def test_busy_is_no_idle():
    """Only ``idle`` ends a cell: busy, starting and states that do not exist are passed over."""
    for state in ("busy", "starting", "terminating", None, 5, ["idle"]):
        transcript, events = play(REPLY, ("status", {"execution_state": state}))
        assert not transcript.idle
        assert events == []


def test_late_messages_still_count():
    """What comes after the end, before anybody asks, is part of the cell."""
    transcript, _ = play(BUSY, INPUT, REPLY, IDLE, stream("later"))
    assert transcript.done
    assert transcript.result(seconds=0).stdout == "later"


def test_messages_of_other_types_are_passed_over():
    """Types that say nothing about a cell's result change nothing."""
    others = ["comm_open", "comm_close", "kernel_info_reply", "iopub_welcome", "debug_event", ""]
    transcript, events = play(*((kind, {"data": {"text/plain": "x"}}) for kind in others))
    assert events == []
    assert transcript.result(seconds=0).outputs == []


# --- execute_input -----------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "read"), [(7, 7), (None, 0), ("7", 0), (True, 0), (1.0, 0)])
def test_execute_input_starts_the_cell(count, read):
    """The input's number is the cell's; anything that is no integer counts as 0."""
    _, events = play(("execute_input", {"code": "1", "execution_count": count}))
    assert events == [Started(read)]


# --- stream ------------------------------------------------------------------------------------


def test_streams_are_kept_apart_and_in_order():
    """Text of both streams is kept in the order it came, and joined for each stream."""
    transcript, events = play(
        stream("a\n"), stream("b\n"), stream("oops\n", "stderr"), stream("c\n"), REPLY, IDLE
    )
    result = transcript.result(seconds=0)
    assert events == [
        Printed("stdout", "a\n"),
        Printed("stdout", "b\n"),
        Printed("stderr", "oops\n"),
        Printed("stdout", "c\n"),
    ]
    assert (result.stdout, result.stderr) == ("a\nb\nc\n", "oops\n")
    assert [(o.kind, o.name, o.text) for o in result.outputs] == [
        ("stream", "stdout", "a\nb\n"),
        ("stream", "stderr", "oops\n"),
        ("stream", "stdout", "c\n"),
    ]


def test_carriage_returns_are_rendered():
    """Progress in one line leaves its last state, across messages."""
    result = run(stream("1%\r"), stream("50%\r"), stream("100%\n"))
    assert result.stdout == "100%\n"


def test_received_bytes_are_counted():
    """The bytes of each stream are counted as the mirror counts them."""
    transcript, _ = play(stream("aü\ud800"), stream("€", "stderr"), stream("b"))
    assert transcript.received == {"stdout": 1 + 2 + 3 + 1, "stderr": 3}


@pytest.mark.parametrize("name", ["stdin", "", None, 5, ["stdout"], "__class__"])
def test_streams_of_other_names_are_passed_over(name):
    """Only stdout and stderr are streams."""
    transcript, events = play(stream("x", name))
    assert events == []
    assert transcript.result(seconds=0).outputs == []


# --- display_data and its updates --------------------------------------------------------------


def test_display_data():
    """A display keeps its formats, its metadata and its id."""
    data = {"text/plain": "<Figure>", "image/png": "aGk=", "application/vnd.x+json": {"a": [1]}}
    content = {
        "data": data,
        "metadata": {"image/png": {"width": 3}},
        "transient": {"display_id": "d"},
    }
    transcript, events = play(("display_data", content))
    (output,) = transcript.result(seconds=0).outputs
    assert output == Output("display", data, {"image/png": {"width": 3}}, "d")
    assert output.png == b"hi"
    assert events == [Displayed(output)]


def test_formats_that_are_no_formats_are_left_out():
    """A format is text, or JSON under a type that says so; the rest of a bundle is dropped."""
    odd = {"text/plain": "x", "image/png": {"a": 1}, "text/html": None, "application/json": [1]}
    (output,) = run(display(odd)).outputs
    assert output.data == {"text/plain": "x", "application/json": [1]}


def test_update_display_data():
    """An update replaces every display of its id in place, and no other."""
    transcript, events = play(
        display({"text/plain": "one"}, "a"),
        display({"text/plain": "other"}, "b"),
        display({"text/plain": "one again"}, "a"),
        display({"text/plain": "two"}, "a", "update_display_data"),
        display({"text/plain": "nobody's"}, "z", "update_display_data"),
    )
    outputs = transcript.result(seconds=0).outputs
    assert [output.text for output in outputs] == ["two", "other", "two"]
    assert {output.kind for output in outputs} == {"display"}
    assert [type(event) for event in events] == [Displayed] * 3 + [Updated] * 2
    assert events[3].output.display_id == "a"


@pytest.mark.parametrize("display_id", [None, 5, ["a"], {"a": 1}])
def test_updates_without_an_id_are_passed_over(display_id):
    """An update that names no display updates none."""
    _, events = play(
        display({"text/plain": "one"}, "a"),
        ("update_display_data", {"data": {}, "transient": {"display_id": display_id}}),
    )
    assert len(events) == 1


# --- clear_output ------------------------------------------------------------------------------


def test_clear_output_at_once():
    """Clearing without waiting leaves nothing of what was shown."""
    transcript, events = play(
        stream("a"), display({"text/plain": "x"}), ("clear_output", {"wait": False})
    )
    assert events[-1] == Cleared(wait=False)
    result = transcript.result(seconds=0)
    assert (result.stdout, result.outputs) == ("", [])


def test_clear_output_that_waits():
    """Clearing that waits leaves what was shown until something new is."""
    before = [stream("a"), display({"text/plain": "x"}), ("clear_output", {"wait": True})]
    transcript, events = play(*before)
    assert events[-1] == Cleared(wait=True)
    assert [output.text for output in transcript.result(seconds=0).outputs] == ["a", "x"]
    for new in (stream("b"), display({"text/plain": "b"})):
        transcript, _ = play(*before, new)
        assert [output.text for output in transcript.result(seconds=0).outputs] == ["b"]


# --- execute_result ----------------------------------------------------------------------------


def test_execute_result_without_a_value():
    """A result of plain Jupyter is shown; its value is unknown, so it is None."""
    result = run(("execute_result", {"data": {"text/plain": "5"}, "metadata": {}}))
    assert result.value is None
    assert [(o.kind, o.text) for o in result.outputs] == [("result", "5")]
    assert result.is_ok


@pytest.mark.parametrize("packed", [False, True], ids=["in the tree", "packed"])
@pytest.mark.parametrize("value", [5, (1, {2}), b"\x00" * 5000, {"a": [float("nan")]}], ids=str)
def test_execute_result_with_a_value(value, packed):
    """The value is exact, and its MIME type is not among what is shown."""
    result = run(result_with(value, packed=packed))
    assert repr(result.value) == repr(value)
    (output,) = result.outputs
    assert output == Output("result", {"text/plain": repr(value)})


@pytest.mark.parametrize("packed", [False, True], ids=["in the tree", "packed"])
def test_values_with_buffers(packed):
    """An array's bytes come from the message's buffers, beside a packed tree or not."""
    array = np.arange(50_000.0)
    value = run(result_with([array, array + 1], packed=packed)).value
    assert (value[0] == array).all()
    assert (value[1] == array + 1).all()


def test_a_result_that_shows_nothing_still_has_a_value():
    """An object that displays itself has a value and no result among the outputs."""
    told = result_with([1, 2])
    del told.content["data"]["text/plain"]
    result = run(told)
    assert result.value == [1, 2]
    assert result.outputs == []


def test_a_value_that_stayed_is_remote():
    """An object that cannot cross comes as a description, with the pictures that were shown."""
    remote = {"type": "a.B", "repr": "<B>", "reason": "no way", "handle": "Out[3]"}
    data = {"text/plain": "<B>", "text/html": "<b>B</b>", VALUE_MIME: {"v": 1, "remote": remote}}
    value = run(("execute_result", {"data": data, "metadata": {}})).value
    assert value == RemoteValue("a.B", "<B>", "no way", "Out[3]", value.data)
    assert value.data == {"text/plain": "<B>", "text/html": "<b>B</b>"}


MALFORMED = {
    "no object": 5,
    "list": [1],
    "unknown tag": {"v": 1, "value": {"$": "nothing"}},
    "missing buffer": {"v": 1, "value": {"$": "bytes", "b": [0]}},
    "remote is none": {"v": 1, "remote": "x"},
    "packed without buffer": {"v": 1, "packed": True},
}


@pytest.mark.parametrize("carried", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_value_is_remote_and_says_why(carried):
    """A value that cannot be read is a ``RemoteValue`` with the reason; the run stays ok."""
    data = {"text/plain": "shown", VALUE_MIME: carried}
    result = run(("execute_result", {"data": data, "metadata": {}}))
    assert result.is_ok
    assert isinstance(result.value, RemoteValue)
    assert result.value.reason
    assert (result.value.repr, result.value.handle) == ("shown", "Out[3]")


@pytest.mark.parametrize("buffer", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"5", b"null"])
def test_a_malformed_packed_tree_is_remote(buffer):
    """A packed tree that is no JSON object is reported, whatever it is."""
    data = {"text/plain": "shown", VALUE_MIME: {"v": 1, "packed": True}}
    result = run(message(("execute_result", {"data": data}), [buffer]))
    assert isinstance(result.value, RemoteValue)


DEEP = json.loads('{"a":' * 900 + "1" + "}" * 900)


@pytest.mark.parametrize("odd", [5, ["x"], {"a": 1}, None, DEEP], ids=lambda odd: repr(odd)[:20])
def test_what_describes_a_remote_value_is_text(odd):
    """Anything else in its description is not even printed: it may be nested without end."""
    remote = {"type": odd, "repr": odd, "reason": odd, "handle": "Out[3]"}
    data = {"text/plain": "shown", VALUE_MIME: {"v": 1, "remote": remote}}
    transcript, _ = play(("execute_result", {"data": data, "metadata": {}}), REPLY, IDLE)
    value = further_down(lambda: transcript.result(seconds=0).value)
    assert (value.type_name, value.repr, value.reason, value.handle) == ("", "", "", "Out[3]")


def test_a_status_that_is_no_text_is_named_by_its_type():
    """A reply whose status is data says of what type it was."""
    failed = ("execute_reply", {"status": DEEP})
    transcript, _ = further_down(lambda: play(INPUT, failed, IDLE))
    said = transcript.result(seconds=0).error
    assert str(said) == "CellNotRun: the kernel did not run it: a value of type dict"


def further_down(call, frames=150):
    """Call something where less of the stack is left than JSON was read with."""
    return call() if frames == 0 else further_down(call, frames - 1)


def test_a_failed_cell_has_no_value():
    """A value that came before the cell failed is not taken for its result."""
    transcript, _ = play(result_with(5), ("error", ERROR), REPLY, IDLE)
    assert transcript.result(seconds=0).value is None


# --- error and execute_reply -------------------------------------------------------------------


def test_error():
    """An error has name, message and a traceback without colours, and is shown in its place."""
    transcript, events = play(INPUT, stream("before\n"), ("error", ERROR), stream("after\n"))
    error = transcript.error
    assert (error.name, error.message) == ("ZeroDivisionError", "division by zero")
    assert "\x1b" not in error.text
    assert "----> 1 1/0" in error.traceback
    assert Failed(error) in events
    result = transcript.result(seconds=0)
    assert result.error == error
    assert [output.kind for output in result.outputs] == ["stream", "error", "stream"]
    assert result.text.startswith("before\n---")


def test_an_error_reply_after_an_error_adds_nothing():
    """The reply repeats the error: one error is told, once."""
    failed = ("execute_reply", {"status": "error", "execution_count": 3, **ERROR})
    transcript, events = play(INPUT, ("error", ERROR), failed, IDLE)
    assert [type(event) for event in events] == [Started, Failed]
    assert [o.kind for o in transcript.result(seconds=0).outputs] == ["error"]


def test_an_error_reply_alone_is_an_error():
    """When only the reply tells of the error, the result still has it."""
    failed = ("execute_reply", {"status": "error", "execution_count": 3, **ERROR})
    transcript, events = play(failed, IDLE)
    result = transcript.result(seconds=0)
    assert result.error.name == "ZeroDivisionError"
    assert result.execution_count == 3
    assert [type(event) for event in events] == [Failed]


@pytest.mark.parametrize("status", ["aborted", "abort", None, 5, "ok "])
def test_a_reply_that_is_not_ok_is_never_ok(status):
    """An aborted cell, or one with a status that does not exist, did not run."""
    transcript, events = play(("execute_reply", {"status": status}), IDLE)
    result = transcript.result(seconds=0)
    assert not result.is_ok
    assert result.error.name == "CellNotRun"
    assert [type(event) for event in events] == [Failed]


def test_without_a_reply_nothing_ran():
    """A cell that ended without a reply is no success, whatever it showed."""
    transcript, _ = play(INPUT, result_with(5), IDLE)
    result = transcript.result(seconds=0)
    assert result.error == ErrorInfo("CellNotRun", "the kernel gave no reply")
    assert result.value is None


def test_why_a_run_was_stopped_stands_above_what_it_raised():
    """The error that ended the run is the result's; what was shown before is kept."""
    transcript, _ = play(INPUT, stream("before"), ("error", ERROR), REPLY, IDLE)
    stopped = ErrorInfo("ExecutionTimeout", "too long")
    result = transcript.result(seconds=1, error=stopped, state_lost=True)
    assert result.error == stopped
    assert result.state_lost
    assert [output.kind for output in result.outputs] == ["stream", "error"]


def test_pages_are_displays():
    """What ``name?`` would page is shown, without colours."""
    payload = [
        {"source": "page", "data": {"text/plain": "\x1b[31mDocs\x1b[0m"}, "start": 0},
        {"source": "set_next_input", "text": "x"},
        5,
        {"source": "page", "data": "odd"},
    ]
    transcript, _ = play(("execute_reply", {"status": "ok", "payload": payload}), IDLE)
    shown = [o for o in transcript.result(seconds=0).outputs if o.data]
    assert [(output.kind, output.text) for output in shown] == [("display", "Docs")]


def test_what_the_kernel_says_was_cut():
    """Cuts and new variables of the reply's metadata are in the result, checked."""
    cut = Cut("stdout", 10, 20, "characters", "outputs/a.txt")
    transcript, _ = play(
        reply_telling(truncated=[cut.to_dict()], new_variables=["x", 5, "y"]), IDLE
    )
    result = transcript.result(seconds=0)
    assert result.truncated == [cut]
    assert result.new_variables == ["x", "y"]
    assert "outputs/a.txt" in result.text
    for odd in (5, "x", [5], [{}], {"a": 1}, None):
        transcript, _ = play(reply_telling(truncated=odd, new_variables=odd), IDLE)
        result = transcript.result(seconds=0)
        assert result.truncated == []
        assert all(isinstance(name, str) for name in result.new_variables)


# --- tool calls --------------------------------------------------------------------------------


def test_tool_calls_are_remembered_up_to_a_number():
    """Calls are kept in order; beyond the limit they are counted."""
    transcript, _ = play(REPLY, IDLE)
    calls = [ToolCall(f"t{n}", {}, 0.1, "ok") for n in range(MAX_TOOL_CALLS + 5)]
    assert [transcript.add_call(call) for call in calls[:2]] == [ToolCalled(c) for c in calls[:2]]
    for call in calls[2:]:
        transcript.add_call(call)
    result = transcript.result(seconds=0)
    assert result.tool_calls == calls[:MAX_TOOL_CALLS]
    assert result.truncated == [Cut("tool_calls", MAX_TOOL_CALLS, MAX_TOOL_CALLS + 5, "calls")]


# --- floods ------------------------------------------------------------------------------------


def test_limits_are_applied_again():
    """A kernel that does not keep to the limits is cut here, and the result says so."""
    limits = Limits(stream_chars=100, text_chars=100, outputs=2)
    result = run(
        stream("x" * 50_000),
        *(display({"text/plain": "y" * 50_000}) for _ in range(10)),
        limits=limits,
    )
    assert len(result.stdout) < 3_000
    assert all(len(output.text) < 3_000 for output in result.outputs)
    assert {cut.what for cut in result.truncated} == {"stdout", "text/plain", "outputs"}


def test_a_flood_in_an_error_is_cut():
    """An exception with a huge message or traceback is cut like any other text."""
    limits = Limits(text_chars=1_000)
    huge = {"ename": "E" * 50_000, "evalue": "v" * 50_000, "traceback": ["t" * 50_000] * 10}
    result = run(("error", huge), limits=limits)
    for text in (result.error.name, result.error.message, result.error.traceback, result.text):
        assert len(text) < 10_000
    assert result.truncated


def test_a_flood_of_names_is_cut():
    """A reply that names a million variables does not fill the result."""
    names = [f"v{n}" for n in range(200_000)]
    transcript, _ = play(reply_telling(new_variables=names), IDLE)
    assert len(transcript.result(seconds=0).new_variables) <= 10_000


def test_a_recorded_cell():
    """A whole recorded cell gives the whole story: order, value, error-free, as JSON."""
    transcript, events = play(
        BUSY,
        INPUT,
        stream("start\n"),
        display({"text/plain": "0%"}, "bar"),
        stream("warn\n", "stderr"),
        display({"text/plain": "100%"}, "bar", "update_display_data"),
        result_with({"a": (1, 2)}),
        IDLE,
        reply_telling(truncated=[], new_variables=["x"]),
    )
    result = transcript.result(seconds=1.5)
    assert result.unwrap() == {"a": (1, 2)}
    assert result.text == "start\n100%\nwarn\n{'a': (1, 2)}"
    assert [type(event).__name__ for event in events] == [
        "Started",
        "Printed",
        "Displayed",
        "Printed",
        "Updated",
        "Displayed",
    ]
    assert type(result).from_dict(json.loads(json.dumps(result.to_dict()))) == result
