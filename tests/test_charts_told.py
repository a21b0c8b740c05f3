"""Charts in words: each view with its mark, its channels, and what is made of their fields."""

from __future__ import annotations

import time
from typing import Any

import altair as alt
import pandas as pd
import pytest

from py_code_mode import ExecutionResult, Output

FRAME = pd.DataFrame({"a": [1, 2], "b": [2, 3], "t": pd.to_datetime(["2020", "2021"])})
CHART = alt.Chart(FRAME)
LINE = CHART.mark_line().encode(x="yearmonth(t)", y="mean(b)")
POINTS = CHART.mark_point().encode(x=alt.X("a", bin=True), y="count()")
BAR = CHART.mark_bar().encode(x="a")
TWO = "line, x: yearmonth(t), y: mean(b); point, x: bin(a), y: count"


def told(chart: dict[str, Any]) -> str:
    """What a model is told of a specification."""
    output = Output("display", {"application/vnd.vegalite.v5+json": chart})
    (part,) = ExecutionResult(outputs=[output]).for_model()
    assert part.text.startswith("[chart of Vega-Lite: ")
    return part.text.removeprefix("[chart of Vega-Lite: ").removesuffix("]")


@pytest.mark.parametrize(
    ("chart", "words"),
    [
        (LINE + POINTS, TWO),
        ((LINE + POINTS) | BAR, f"{TWO}; bar, x: a"),
        (((LINE + POINTS) & LINE) | BAR, f"{TWO}; line, x: yearmonth(t), y: mean(b); bar, x: a"),
        (BAR.facet("b:N"), "bar, facet: b, x: a"),
        (BAR.facet(row="b:N"), "bar, row: b, x: a"),
        (BAR.encode(row="b:N"), "bar, x: a, row: b"),
        (
            CHART.mark_bar().encode(x=alt.X(alt.repeat("column"))).repeat(column=["a", "b"]),
            "bar, column: a, b, x: each column",
        ),
        (BAR.encode(y=alt.Y("b", aggregate=alt.ArgmaxDef(argmax="a"))), "bar, x: a, y: b at argmax(a)"),
        (
            BAR.encode(color=alt.condition(alt.datum.a > 1, "b:Q", alt.value("red"))),
            "bar, color: b, x: a",
        ),
        (BAR.encode(y=alt.datum(5), color=alt.value("red")), "bar, color: red, x: a, y: 5"),
        (BAR.encode(tooltip=["a:Q", "mean(b):Q"]), "bar, tooltip: a, mean(b), x: a"),
        (BAR.properties(title=["two", "lines"]), 'bar, x: a; title "two lines"'),
        (BAR.properties(title=alt.TitleParams("T", subtitle="s")), 'bar, x: a; title "T"'),
    ],
)  # fmt: skip
def test_charts_of_altair_are_told_by_their_views(chart, words):
    """Layers, views beside each other and repeated ones are told with all their channels."""
    # The order of a view's channels is altair's.
    assert sorted(told(chart.to_dict()).replace("; ", ", ").split(", ")) == sorted(
        words.replace("; ", ", ").split(", ")
    )


def test_layers_take_over_the_channels_above_them():
    """What is said once for all layers is told of each."""
    above = {"x": {"field": "a"}, "y": {"field": "b"}}
    layers = [{"mark": "line"}, {"mark": "rule", "encoding": {"y": {"datum": 3}}}]
    assert told({"encoding": above, "layer": layers}) == "line, x: a, y: b; rule, x: a, y: 3"


def deep(chart: Any, times: int) -> Any:
    """A chart inside of many others."""
    for _ in range(times):
        chart = {"layer": [chart]}
    return chart


def test_of_many_views_the_first_are_told_and_the_others_counted():
    """Six are told, and how many more there are."""
    views = [{"hconcat": [{"mark": "tick"}] * 3}, {"mark": "bar"}] * 3
    assert told({"vconcat": views}) == "tick; tick; tick; bar; tick; tick; and 6 more"


@pytest.mark.parametrize(
    "chart",
    [
        deep({"mark": "bar"}, 400),
        {"layer": [{"layer": [[], None, 5, "x"]}, {"mark": {"type": 9}}]},
        {"mark": "bar", "encoding": {"x": [[[[[[[[[[[{"field": "a"}]]]]]]]]]]]}},
        {"mark": "x" * 10**6, "encoding": {"y" * 10**6: {"field": "z" * 10**6}}},
        {"mark": "bar", "encoding": {"x": {"value": 10**5_000}, "y": {"datum": float("nan")}}},
        {"layer": [{"mark": "bar", "encoding": {str(n): {"field": "f"} for n in range(50)}}] * 20_000},
        {"encoding": {str(n): {"field": "f"} for n in range(10**5)}, "layer": [{"mark": "bar"}] * 10**4},
        {"mark": "bar", "encoding": {"x": {"aggregate": {}, "bin": [], "timeUnit": {"unit": 3}}}},
        {"mark": "bar", "encoding": {"x": {"aggregate": {"argmax": []}, "field": "f"}}},
        {"encoding": {"x": [{"field": "f" * 10**6}] * 10**5}, "layer": [{"mark": "bar"}] * 30_000},
        {"encoding": {"x": [[[{"condition": []}] * 9] * 9] * 9}, "layer": [{"encoding": {}}] * 30_000},
        {"facet": [[]], "repeat": {"layer": {"field": {"repeat": {}}}}, "spec": {"spec": {"mark": []}}},
        {"mark": "bar", "title": [[["x"]]], "encoding": {"x": {"condition": [{"condition": []}]}}},
    ],
    ids=range(13),
)  # fmt: skip
def test_hostile_charts_are_told_in_few_words(chart):
    """Nothing that a kernel says is a chart raises, takes long or becomes long."""
    began = time.perf_counter()
    assert len(told(chart)) < 20_000
    assert time.perf_counter() - began < 5
