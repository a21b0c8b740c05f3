"""What a run returns: frozen plain data that goes through JSON, and shows itself safely."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import math
import re
import time
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from py_code_mode import ExecutionError, ExecutionTimeout
from py_code_mode.errors import CodeModeError
from py_code_mode.outputs import render_terminal
from py_code_mode.results import (
    Cut,
    ErrorInfo,
    ExecutionResult,
    Output,
    RemoteValue,
    ToolCall,
    Variable,
)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# --- values ------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates too
json_text = st.text(max_size=20)
hashables = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**4000, -(2**64)]),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    text,
    st.binary(max_size=2_000),
    st.dates(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.builds(range, st.integers(), st.integers(), st.integers(1)),
)
values = st.recursive(
    hashables,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(hashables, max_size=3),
        st.dictionaries(hashables, inner, max_size=3),
    ),
    max_leaves=8,
)
finite = st.floats(allow_nan=False, allow_infinity=False)  # JSON has no other
json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | json_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_text, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(json_text, json_data, max_size=3)
mimes = st.sampled_from(["text/plain", "text/html", "image/png", "a/b+json"])
bundles = st.dictionaries(mimes, json_text, max_size=3)
outputs = st.builds(
    Output,
    st.sampled_from(["result", "display", "stream", "error"]),
    bundles,
    objects,
    st.none() | json_text,
    st.none() | st.sampled_from(["stdout", "stderr"]),
)
seconds = st.floats(0, 1e6)
numbers = st.integers(0, 10**9)
calls = st.builds(
    ToolCall,
    json_text,
    st.dictionaries(json_text, values, max_size=3),
    seconds,
    st.sampled_from(["ok", "error", "denied", "cancelled"]),
    numbers,
    json_text,
)
cuts = st.builds(Cut, json_text, numbers, numbers, json_text, st.none() | json_text)
remotes = st.builds(RemoteValue, json_text, json_text, json_text, json_text, bundles)
results = st.builds(
    ExecutionResult,
    value=values | remotes,
    stdout=json_text,
    stderr=json_text,
    outputs=st.lists(outputs, max_size=3),
    error=st.none() | st.builds(ErrorInfo, json_text, json_text, json_text),
    tool_calls=st.lists(calls, max_size=2),
    seconds=seconds,
    execution_count=numbers,
    state_lost=st.booleans(),
    truncated=st.lists(cuts, max_size=2),
    new_variables=st.lists(json_text, max_size=3),
)


# --- JSON --------------------------------------------------------------------------------------


@patient
@given(results)
def test_a_result_goes_through_json(result):
    """A result rebuilt from its JSON is equal to it, value and tool arguments included."""
    back = ExecutionResult.from_dict(json.loads(json.dumps(result.to_dict())))
    assert back == result
    assert type(back.value) is type(result.value)


@pytest.mark.parametrize("value", [math.nan, -0.0, (1, [2]), True, 2**64, {1: (2,)}], ids=repr)
def test_values_keep_their_types(value):
    """What JSON has no word for comes back as it was."""
    data = json.loads(json.dumps(ExecutionResult(value=value).to_dict(), allow_nan=False))
    assert repr(ExecutionResult.from_dict(data).value) == repr(value)


def test_huge_integers_go_through_json():
    """Integers too long for Python to write in decimal come back too."""
    result = ExecutionResult(value=10**5000, tool_calls=[ToolCall("t", {"n": 7**9000}, 0.1, "ok")])
    back = ExecutionResult.from_dict(json.loads(json.dumps(result.to_dict())))
    assert back.value == 10**5000
    assert back.tool_calls[0].arguments["n"] == 7**9000


def test_an_array_goes_through_json():
    """An array comes back with dtype and shape."""
    array = np.arange(6, dtype="int16").reshape(2, 3)
    data = json.loads(json.dumps(ExecutionResult(value=array).to_dict()))
    back = ExecutionResult.from_dict(data).value
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert (back == array).all()


@patient
@given(outputs)
def test_an_output_goes_through_json(output):
    """An output rebuilt from its JSON is equal to it."""
    assert Output.from_dict(json.loads(json.dumps(output.to_dict()))) == output


# --- the result --------------------------------------------------------------------------------


def test_everything_is_frozen():
    """No field of a result or of its parts can be set."""
    parts = (
        ExecutionResult(),
        Output("display", {}),
        ErrorInfo("E", "m"),
        ToolCall("t", {}, 0.1, "ok"),
        Cut("stdout", 1, 2),
        RemoteValue("a", "b", "c", "d"),
        Variable("n", "int", None, None, 8, "1"),
    )
    for part in parts:
        for field in dataclasses.fields(part):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(part, field.name, None)
        with pytest.raises((AttributeError, TypeError)):
            part.another = 1


def test_unwrap():
    """A good result gives its value; a failed one raises, with the whole result."""
    assert ExecutionResult(value=[1]).unwrap() == [1]
    failed = ExecutionResult(stdout="before", error=ErrorInfo("ValueError", "no", "Traceback..."))
    assert not failed.is_ok
    with pytest.raises(ExecutionError, match=r"Traceback\.\.\.") as caught:
        failed.unwrap()
    assert caught.value.result is failed
    assert not isinstance(caught.value, ExecutionTimeout)


def test_unwrap_of_a_timeout():
    """A run over its time limit raises what ``except TimeoutError`` catches."""
    late = ExecutionResult(error=ErrorInfo("ExecutionTimeout", "too long"))
    with pytest.raises(TimeoutError, match="too long") as caught:
        late.unwrap()
    assert isinstance(caught.value, ExecutionTimeout | CodeModeError)


def test_searching_an_error():
    """``"NameError" in error`` looks at name, message and traceback."""
    error = ErrorInfo("NameError", "name 'x' is not defined", "line 1\nx + 1")
    for needle in ("NameError", "'x' is", "NameError: name", "x + 1", ""):
        assert needle in error
    assert "ValueError" not in error
    assert str(error) == "NameError: name 'x' is not defined"
    assert str(ErrorInfo("KeyboardInterrupt", "")) == "KeyboardInterrupt"
    assert error.text == "line 1\nx + 1"
    assert ErrorInfo("E", "m").text == "E: m"


def test_text_is_what_a_model_reads():
    """Outputs in order, formats that are no text by name, then what was lost and cut."""
    result = ExecutionResult(
        value=5,
        outputs=[
            Output("stream", {"text/plain": "hello\n"}, name="stdout"),
            Output("display", {"image/png": "aGk="}),
            Output("display", {"text/plain": "<Figure>", "image/png": "aGk="}),
            Output("result", {"text/plain": "5"}),
        ],
        state_lost=True,
        truncated=[Cut("stdout", 10, 20, artifact="outputs/a.txt")],
    )
    assert result.text == (
        "hello\n[image/png]\n<Figure>\n5\n[the session was restarted: all variables are gone]\n"
        "[cut: stdout: 10 of 20 characters kept; all of it: artifact 'outputs/a.txt']"
    )
    assert ExecutionResult().text == ""


def test_text_has_the_error_once():
    """An error is in the text whether or not it is among the outputs, and only once."""
    error = ErrorInfo("ValueError", "no", "the traceback")
    shown = Output("error", {"text/plain": "the traceback"})
    assert ExecutionResult(error=error).text == "the traceback"
    assert ExecutionResult(error=error, outputs=[shown]).text == "the traceback"


# --- outputs -----------------------------------------------------------------------------------

FORMATS = {
    "text": ("text/plain", "x", "x"),
    "html": ("text/html", "<b>", "<b>"),
    "markdown": ("text/markdown", "# x", "# x"),
    "latex": ("text/latex", "$x$", "$x$"),
    "svg": ("image/svg+xml", "<svg/>", "<svg/>"),
    "javascript": ("application/javascript", "1", "1"),
    "png": ("image/png", base64.b64encode(b"\x89PNG").decode(), b"\x89PNG"),
    "jpeg": ("image/jpeg", base64.encodebytes(b"x" * 100).decode(), b"x" * 100),
    "gif": ("image/gif", "R0lG", b"GIF"),
    "pdf": ("application/pdf", "JVBE", b"%PD"),
    "json": ("application/json", {"a": [1]}, {"a": [1]}),
    "vegalite": ("application/vnd.vegalite.v5+json", {"mark": "bar"}, {"mark": "bar"}),
    "plotly": ("application/vnd.plotly.v1+json", {"data": []}, {"data": []}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_attributes(name):
    """Each usual format is an attribute, decoded; the others are None."""
    mime, data, expected = FORMATS[name]
    output = Output("display", {mime: data})
    for other in FORMATS:
        assert getattr(output, other) == (expected if other == name else None)


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in {"json", "vegalite", "plotly"}])
@pytest.mark.parametrize("data", [5, ["x"], {"a": 1}, None], ids=repr)
def test_formats_of_the_wrong_type_are_absent(name, data):
    """A format that is no text reads as None."""
    assert getattr(Output("display", {FORMATS[name][0]: data}), name) is None


@pytest.mark.parametrize("data", ["a", "\u00fc", "=", "====", "aGk"])
def test_pictures_that_are_no_base64_are_absent(data):
    """A picture that cannot be decoded reads as None or bytes, and raises nothing."""
    assert isinstance(Output("display", {"image/png": data}).png, bytes | None)
    assert Output("display", {"image/png": "\u00fc"}).png is None


# --- the terminal ------------------------------------------------------------------------------

TERMINAL = {
    "plain": ("a\nb\n", "a\nb\n"),
    "return overwrites": ("abc\rx", "xbc"),
    "longer wins": ("abc\rxyzw", "xyzw"),
    "trailing return shows": ("abc\r", "abc"),
    "windows line end": ("a\r\nb\r\n", "a\nb\n"),
    "progress": ("10%\r50%\r100%\ndone", "100%\ndone"),
    "each line by itself": ("abc\nxyz\rX\n", "abc\nXyz\n"),
    "several returns": ("abc\r\r\rx", "xbc"),
    "return before line end": ("abc\r\r\nx", "abc\nx"),
    "three in a row": ("abcd\rxy\rZ", "Zycd"),
    "backspace steps back": ("ab\bc", "ac"),
    "backspace alone shows": ("ab\b", "ab"),
    "rubbed out": ("ab\b \bc", "ac"),
    "backspace at the start": ("\b\bab", "ab"),
    "more than there is": ("a\b\b\bxy", "xy"),
    "backspace after return": ("abc\r\bx", "xbc"),
    "both": ("abc\b\bX\rY", "YXc"),
    "spinner": ("|\b/\b-\b\\\bdone", "done"),
    "empty": ("", ""),
    "only a return": ("\r", ""),
}


@pytest.mark.parametrize(("written", "shown"), TERMINAL.values(), ids=TERMINAL.keys())
def test_the_terminal(written, shown):
    """Text shows as a terminal would show it."""
    assert render_terminal(written) == shown


@given(st.text("ab\r\b\n", max_size=40))
def test_both_ways_of_rendering_agree(written):
    """A line shows the same whether or not it holds a backspace that changes nothing."""
    lines = written.replace("\b", "").split("\n")
    plain = render_terminal("\n".join(lines))
    with_backspace = render_terminal("\n".join("\b" + line for line in lines))
    assert with_backspace.replace("\r", "") == plain.replace("\r", "")


@given(st.text("ab\r\b\n", max_size=60))
def test_rendering_leaves_no_control_characters(written):
    """No carriage return and no backspace is left, and the lines are as many as before."""
    shown = render_terminal(written)
    assert "\b" not in shown
    assert "\r" not in shown
    assert shown.count("\n") == written.count("\n")
    assert render_terminal(shown) == shown


@pytest.mark.alone
@pytest.mark.parametrize("unit", ["\ra", "\ba", "\r", "\b", "a\r"])
def test_a_hostile_line_takes_no_time(unit):
    """A long line full of overwriting renders in linear time."""
    line = "x" * 150_000 + unit * (300_000 // len(unit))
    started = time.monotonic()
    assert len(render_terminal(line)) <= len(line)
    assert time.monotonic() - started < 1


# --- how it shows itself -----------------------------------------------------------------------

EVIL = "\"><script>alert(1)</script><img src=x onerror='a'>&amp;"


class Tags(HTMLParser):
    """The elements of a page and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def shown(**fields) -> list[tuple[str, dict]]:
    """The elements a result shows."""
    return Tags(ExecutionResult(**fields)._repr_mimebundle_()["text/html"]).found


def names(found) -> set[str]:
    """The names of elements."""
    return {tag for tag, _ in found}


LAYOUT = ("div", "span", "b", "table", "thead", "tbody", "tr", "th", "td")

HOSTILE = {
    "table": {
        "outputs": [
            Output(
                "display", {"text/html": f"<table><tr><th>{html.escape(EVIL)}<td><b {EVIL[:27]}"}
            )
        ]
    },
    "drawing": {"outputs": [Output("display", {"image/svg+xml": f"<svg>{EVIL}</svg>"})]},
    "size": {"outputs": [Output("display", {"image/png": "aGk="}, {"image/png": {"width": EVIL}})]},
    "chart": {
        "outputs": [
            Output("display", {"application/vnd.plotly.v1+json": {"layout": {"title": EVIL}}})
        ]
    },
    "new name": {"new_variables": [EVIL]},
    "failed call": {"tool_calls": [ToolCall("t", {}, 0.1, "error", error=EVIL)]},
    "remote value": {"value": RemoteValue(EVIL, EVIL, EVIL, EVIL)},
    "stream": {"outputs": [Output("stream", {"text/plain": EVIL}, name="stdout")]},
    "text": {"outputs": [Output("display", {"text/plain": EVIL})]},
    "result": {"outputs": [Output("result", {"text/plain": EVIL})]},
    "picture": {"outputs": [Output("display", {"image/png": EVIL})]},
    "picture and text": {"outputs": [Output("display", {"image/png": EVIL, "text/plain": EVIL})]},
    "unknown format": {"outputs": [Output("display", {EVIL: EVIL})]},
    "error": {"error": ErrorInfo(EVIL, EVIL, EVIL)},
    "error without traceback": {"error": ErrorInfo(EVIL, EVIL)},
    "tool": {"tool_calls": [ToolCall(EVIL, {EVIL: EVIL}, 0.1, "ok")]},
    "odd outcome": {"tool_calls": [ToolCall("t", {}, 0.1, EVIL)]},  # type: ignore[arg-type]
    "cut": {"truncated": [Cut(EVIL, 1, 2, EVIL, EVIL)]},
}


@pytest.mark.parametrize("fields", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_a_kernel_sent_becomes_markup(fields):
    """Text, pictures, errors and tool calls cannot bring elements of their own into the page."""
    found = shown(**fields)
    assert names(found) <= {*("pre", "img", "details", "summary", "ul", "li", "code"), *LAYOUT}
    for _, attributes in found:
        assert attributes.keys() <= {"src", "style", "width"}
        assert "script" not in attributes.get("style", "")
        assert attributes.get("src", "data:image/").startswith("data:image/")


def test_html_goes_into_a_frame_without_rights():
    """A kernel's HTML shows in a sandboxed frame, whole, and no part of it outside."""
    found = shown(outputs=[Output("display", {"text/html": f"<table></table>{EVIL}"})])
    ((tag, attributes),) = [each for each in found if each[0] not in LAYOUT]
    assert tag == "iframe"
    assert attributes["sandbox"] in (None, "")
    assert attributes["srcdoc"] == html.unescape(html.escape(f"<table></table>{EVIL}"))


def test_pictures_show_as_pictures():
    """A PNG is an image in the page."""
    data = base64.b64encode(b"\x89PNG").decode()
    retina = {"image/png": {"width": 320, "height": 240}}
    found = shown(outputs=[Output("display", {"image/png": data}, retina)])
    ((tag, attributes),) = [each for each in found if each[0] not in LAYOUT]
    assert (tag, attributes["src"]) == ("img", f"data:image/png;base64,{data}")
    assert attributes["width"] == "320"


def test_a_table_is_built_anew():
    """A frame's table shows in the notebook's own colours, its text escaped and all its rows there."""
    frame = pd.DataFrame({"name": ["<b>x</b>", "y"], "n": [1, 2]})
    output = Output("result", {"text/html": frame._repr_html_(), "text/plain": str(frame)})
    page = ExecutionResult(outputs=[output])._repr_mimebundle_()["text/html"]
    found = names(Tags(page).found)
    assert {"table", "th", "td"} <= found
    assert not {"iframe", "style"} & found
    cells = [html.unescape(text) for text in re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", page)]
    assert cells == ["", "name", "n", "0", "<b>x</b>", "1", "1", "y", "2"]


def test_an_error_says_what_it_is_first():
    """Name and message stand open, once; the traceback is folded below, and tool calls are too."""
    error = ErrorInfo("ValueError", "no <such> thing", "Traceback\nValueError: no <such> thing")
    result = ExecutionResult(
        error=error,
        outputs=[Output("error", {"text/plain": error.text})],
        tool_calls=[ToolCall("t", {"a": 1}, 0.1, "error", error="why")],
        state_lost=True,
        truncated=[Cut("stdout", 10, 20, artifact="a.txt")],
    )
    page = result._repr_mimebundle_()["text/html"]
    shut = re.findall(r"<details><summary[^>]*>(.*?)</summary>\s*(.*?)</details>", page, re.DOTALL)
    assert [title for title, _ in shut] == ["Traceback", "1 tool call, 1 failed"]
    assert "no &lt;such&gt; thing" in shut[0][1]
    assert "t(a=1)" in shut[1][1]
    assert "why" in shut[1][1]
    opened = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    assert "ValueError" in opened
    assert opened.count("no &lt;such&gt; thing") == 1
    assert "all variables are gone" in opened
    assert "10 of 20 characters kept; all of it: artifact &#x27;a.txt&#x27;" in opened


def test_a_page_is_bounded():
    """A flood of text or calls does not make a notebook that no browser opens."""
    calls = [ToolCall("t", {"a": "x" * 9_000}, 0.1, "ok")] * 5_000
    outputs = [Output("stream", {"text/plain": "x" * 5_000_000}, name="stdout")]
    page = ExecutionResult(outputs=outputs, tool_calls=calls)._repr_mimebundle_()["text/html"]
    assert len(page) < 300_000
    assert "and 4,900 more" in page


def test_plain_and_html_forms():
    """A notebook gets plain text and a page; tool calls are listed with their arguments."""
    call = ToolCall("nmap", {"target": "h"}, 0.0123, "ok")
    result = ExecutionResult(outputs=[Output("result", {"text/plain": "5"})], tool_calls=[call])
    bundle = result._repr_mimebundle_(include=None, exclude=None)
    assert bundle.keys() == {"text/plain", "text/html"}
    assert bundle["text/plain"] == result.text == "5"
    for part in (">5</pre>", "1 tool call", "nmap", "target", "12.3 ms"):
        assert part in bundle["text/html"]


@patient
@given(results)
def test_any_result_shows_itself(result):
    """Every result has a text and a page, whatever is in it."""
    bundle = result._repr_mimebundle_()
    assert isinstance(bundle["text/plain"], str)
    assert isinstance(bundle["text/html"], str)


@pytest.mark.parametrize(
    "value", [10**5000, date(2026, 1, 2), float("nan"), {1: 2}], ids=["huge", "date", "nan", "dict"]
)
def test_any_tool_argument_shows_itself(value):
    """Arguments that JSON has no word for, huge integers among them, do not break the page."""
    call = ToolCall("t", {"a": value}, 0.1, "ok")
    assert "<li>" in ExecutionResult(tool_calls=[call])._repr_mimebundle_()["text/html"]
