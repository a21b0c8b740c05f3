"""HTML in words: what a model is told of pages, tables, sounds and charts."""

from __future__ import annotations

import re
import time

import nbformat
import numpy as np
import pandas as pd
import polars as pl
import pytest

from py_code_mode import Cut, ErrorInfo, ExecutionResult, Output, ToolCall
from py_code_mode.notebook import Notebook
from py_code_mode.pagetext import MAX_PAGE
from py_code_mode.tables import describe_page
from py_code_mode.transcripts.page import to_page

TWO = (
    "<h1>Sales</h1><p>WARNING: preliminary</p><table><tr><td>a</td></tr></table>"
    "between<table><tr><td>b</td><td>c</td></tr></table><p>total 42</p>"
)
INDEXED = pd.DataFrame(
    np.arange(16).reshape(8, 2), index=pd.MultiIndex.from_product([list("xy"), [0, 1], ["p", "q"]])
)


@pytest.mark.parametrize(
    ("page", "lines"),
    [
        (TWO, ["Sales", "WARNING: preliminary", "table, 1 rows x 1 columns", "a", "between"]),
        (TWO, ["table, 1 rows x 2 columns", "b | c", "total 42"]),
        (pl.DataFrame({"a": range(123_456)})._repr_html_(), ["table, 123,456 rows x 1 columns"]),
        (pl.DataFrame({"a": range(123_456)})._repr_html_(), ["[... 123,451 more rows ...]"]),
        (INDEXED._repr_html_(), ["table, 8 rows x 2 columns", "x | 0 | q | 2 | 3", "x | 1 | p | 4 | 5"]),
        (pd.DataFrame({"a": [1, 2]})._repr_html_(), ["table, 2 rows x 1 columns", "1 | 2"]),
        ("<table><tr><td>1</td></tr><tr><td>...</td></tr></table>", ["table, at least 1 rows x 1 columns"]),
        ("<table><tr><td>o <table><tr><td>i</td></tr></table></td><td>p</td></tr></table>", ["o i | p"]),
        ('<!-- a > b --><p title="y>shown">text</p>', ["text"]),
        ("<audio controls>cannot be played</audio> and more", ["[audio] and more"]),
        ("<table><tr><th>h</th></tr><tr><td>1</td></tr></table>", ["table, 1 rows x 1 columns", "h", "1"]),
        ("<table><tr><td>1</td></tr><caption>said</caption></table>", ["said", "table, 1 rows x 1 columns"]),
        ("<dl><dt>key</dt><dd>value</dd></dl><h5>head</h5>text", ["key", "value", "head", "text"]),
        ("<table><tr><td colspan=3>w</td><td>z</td></tr></table>", ["w | w | w | z"]),
    ],
)  # fmt: skip
def test_a_page_is_told_as_it_reads(page, lines):
    """Text and tables come in order, cells that reach over others stand in each, names are no columns."""
    told = describe_page(page, 5).split("\n")
    assert [line for line in told if line in lines] == lines


@pytest.mark.parametrize(
    "piece",
    [
        *("<a \"'", "<!--", "<a '", "<", "<td>", "<table>", '<a "' + "x" * 290, "</table>"),
        "<table><tr><td rowspan=999999999 colspan=999999999>x",
        "<tr><td colspan=200>",
    ],
)
def test_hostile_pages_take_no_time(piece):
    """Whatever is in a page, reading it takes a moment, and its words are bounded."""
    began = time.perf_counter()
    told = describe_page((piece * MAX_PAGE)[:MAX_PAGE], 5)
    assert time.perf_counter() - began < 5
    assert len(told) < 2 * MAX_PAGE


def test_controls_of_terminals_reach_no_model():
    """Colours, titles, bells and NUL are in neither ``text`` nor ``for_model``; the output keeps them."""
    odd = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x00bell\x07\n50%\r100%"
    result = ExecutionResult(
        outputs=[Output("stream", {"text/plain": odd}, name="stdout")],
        error=ErrorInfo("E", "\x1b[1mbold\x1b[0m"),
    )
    (part,) = result.for_model()
    assert part.text == "red bell\n100%\nE: bold"
    assert result.text == "red bell\n100%\nE: bold"
    assert result.outputs[0].text == odd


CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
ODD = "\x1b]0;title\x07\x1b[1m\ud800\x00\x1b\x05"


def test_names_from_a_kernel_have_no_controls():
    """Formats, cuts, errors and tools are named without what terminals act on, wherever it was put."""
    calls = [ToolCall(tool=ODD + "t", arguments={}, outcome="error", seconds=0, error=ODD + "e")]
    result = ExecutionResult(
        outputs=[
            Output("display", {f"text/{ODD}x": "y"}),
            Output("display", {"image/png": "AAAA", f"text/{ODD}x": "y"}),
            Output("display", {"application/json": {ODD: ODD}, "text/html": f"<p>{ODD}p</p>"}),
            Output("display", {"text/html": f"<table><tr><td>{ODD}c</td></tr></table>"}),
            Output("display", {"application/vnd.vegalite.v5+json": {"mark": ODD, "title": ODD}}),
            Output("display", {"application/vnd.plotly.v1+json": {"data": [{"type": ODD}]}}),
        ],
        error=ErrorInfo(ODD + "E", ODD),
        tool_calls=calls,
        truncated=[Cut(ODD + "w", 1, 2, artifact=ODD + "a")],
    )
    for budget in (200, 10_000):
        for part in result.for_model(max_tokens=budget):
            assert not CONTROLS.search(part.text)
            part.text.encode()
    assert not CONTROLS.search(result.text)
    assert "[text/\ud800x]" in result.text


CHART = {"mark": "bar", "encoding": {"x": {"field": "a", "bin": True}, "y": {"aggregate": "count"}}}


@pytest.mark.parametrize(
    ("chart", "told"),
    [
        (CHART, "bar, x: bin(a), y: count"),
        (
            {"mark": "line", "encoding": {"y": {"field": "b", "aggregate": "mean"}}},
            "line, y: mean(b)",
        ),
        ({"layer": [CHART, {"mark": "rule", "encoding": {}}]}, "bar, x: bin(a), y: count; rule"),
        ({"hconcat": [{"mark": "tick"}] * 9}, "tick; tick; tick; tick; tick; tick; and 3 more"),
    ],
)
def test_a_chart_is_told_with_what_is_made_of_its_fields(chart, told):
    """Aggregates, bins and layers of Vega-Lite are named."""
    output = Output("display", {"application/vnd.vegalite.v5+json": chart})
    (part,) = ExecutionResult(outputs=[output]).for_model()
    assert part.text == f"[chart of Vega-Lite: {told}]"


def page_of(*outputs):
    notebook = Notebook()
    notebook.add("1", ExecutionResult(outputs=list(outputs), execution_count=1))
    built = notebook.build("s")
    nbformat.validate(built)
    return to_page(built, "s")


def test_metadata_of_a_picture_are_only_numbers_on_a_page():
    """Width and height of an output cannot bring attributes along."""
    odd = {"image/png": {"width": '5" onload="alert(1)', "height": 7, "alt": "x"}}
    page = page_of(Output("display", {"image/png": "AAAA"}, odd))
    assert "onload" not in page
    assert 'height="7"' in page


def test_a_sound_is_named_on_a_page():
    """Nobody is told that a browser cannot play what the page does not hold."""
    sound = '<audio controls><source src="data:audio/wav;base64,AAAA">cannot play</audio>'
    page = page_of(Output("display", {"text/html": sound}))
    assert "cannot play" not in page
    assert "[audio of 3 bytes: not played here, see the notebook]" in page
