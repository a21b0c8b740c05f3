"""Tests of what functions say in pydantic's and other models, and of functions that stream."""

# ruff: noqa: B006, B008, UP045 - defaults and types are written as users write them

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import enum
import json
import subprocess
import sys
import threading
import typing
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from py_code_mode import ToolRegistry
from py_code_mode.errors import ConfigError, ToolCallError, ToolError
from py_code_mode.events import ToolLogged, ToolProgressed
from py_code_mode.tools import NO_DEFAULT, FunctionAdapter, ToolInfo
from py_code_mode.tools.generators import MAX_ITEMS
from py_code_mode.tools.reports import Progress, report_log, report_progress, reporting


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Point(BaseModel):
    """A place."""

    x: int
    y: int = 0


@dataclasses.dataclass
class Box:
    corner: Point
    size: float = 1.0
    names: list[str] = dataclasses.field(default_factory=list)


class Options(TypedDict):
    depth: int
    point: NotRequired[Point]


class Answer(BaseModel):
    points: list[Point] = Field(alias="pts")
    when: dt.date | None = None


def describe(function: Callable[..., Any]) -> ToolInfo:
    return FunctionAdapter().add(function, name="tool")


async def call(function: Callable[..., Any], **arguments: Any) -> Any:
    adapter = FunctionAdapter()
    adapter.add(function, name="tool")
    try:
        return await adapter.call("tool", arguments)
    finally:
        await adapter.aclose()


# --- registering -------------------------------------------------------------------------------


async def test_decorators():
    """``registry.tool`` decorates with settings or bare, and leaves the function as it was."""
    registry = ToolRegistry()

    @registry.tool
    def one() -> int:
        """One."""
        return 1

    @registry.tool(name="number-two", description="Two.", tags=["numbers"])
    async def two() -> int:
        return 2

    @registry.add
    def three() -> int:
        return 3

    assert (one(), await two(), three()) == (1, 2, 3)
    assert [info.name for info in registry.list_tools()] == ["one", "number-two", "three"]
    assert registry.get_tool("number_two").tags == {"numbers"}
    assert registry.get_tool("number-two").description == "Two."
    assert await registry.call_tool("number_two", {}) == 2
    with pytest.raises(ConfigError, match=r"write @registry\.tool\(name='x'\)"):
        registry.tool("x")
    with pytest.raises(ConfigError, match="scoped view"):
        registry.scoped_view(["numbers"]).tool(one)
    await registry.aclose()


# --- models ------------------------------------------------------------------------------------


def take(  # noqa: D417, PLR0917
    point: Point,
    box: Box,
    options: Options,
    colour: Colour = Colour.RED,
    mode: Literal["fast", "slow"] = "fast",
    size: Annotated[int, Field(gt=0, description="How large.")] = 5,
    home: Point = Point(x=1),
    crate: Optional[Box] = Box(Point(x=2)),
    points: list[Point] = [Point(x=3)],
    late: int = Field(7, description="How late.", le=10),
    tags: list[str] = Field(default_factory=list),
) -> dict[str, Any]:
    """Take all kinds.

    Args:
        point: Where it is.
    """
    return {name: repr(value) for name, value in locals().items()}


async def test_models_are_made():
    """Dicts become the models, dataclasses, typed dicts and enum members a function asks for."""
    got = await call(
        take,
        point={"x": "1"},
        box={"corner": {"x": 1, "y": 2}, "size": 2},
        options={"depth": "3", "point": {"x": 4}},
        colour="green",
        mode="slow",
        size="6",
        points=[{"x": 5}],
    )
    assert got == {
        "point": "Point(x=1, y=0)",
        "box": "Box(corner=Point(x=1, y=2), size=2.0, names=[])",
        "options": "{'depth': 3, 'point': Point(x=4, y=0)}",
        "colour": "<Colour.GREEN: 'green'>",
        "mode": "'slow'",
        "size": "6",
        "home": "Point(x=1, y=0)",
        "crate": "Box(corner=Point(x=2, y=0), size=1.0, names=[])",
        "points": "[Point(x=5, y=0)]",
        "late": "7",
        "tags": "[]",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"point": {"y": 1}}, r"'point' must be Point, not dict (point['x']: Field required)"),
        ({"point": 5}, "'point' must be Point, not int"),
        ({"box": {"corner": {"x": "a"}}}, "box['corner']['x']: Input should be a valid integer"),
        ({"options": {}}, "options['depth']: Field required"),
        ({"options": {"depth": 1, "point": []}}, "'options' must be Options"),
        ({"colour": "blue"}, "'colour' must be Colour, not str (colour: Input should be 'red' or"),
        ({"mode": "other"}, "Input should be 'fast' or 'slow'"),
        ({"size": 0}, "'size' must be int, not int (size: Input should be greater than 0)"),
        ({"late": 11}, "'late' must be int, not int (late: Input should be less than or equal"),
        ({"tags": "a"}, "'tags' must be list[str], not str"),
    ],
)
async def test_models_are_checked(arguments: dict, message: str):
    """A value that does not fit a model is refused, naming the place and what would be right."""
    good = {"point": {"x": 1}, "box": {"corner": {"x": 1}}, "options": {"depth": 1}}
    with pytest.raises(ToolCallError) as caught:
        await call(take, **{**good, **arguments})
    assert message in str(caught.value)


def test_models_are_described():
    """Annotations read as written; defaults are plain data; shapes of models are told."""
    info = describe(take)
    shown = {p.name: (p.annotation, p.required, p.default) for p in info.params}
    assert shown == {
        "point": ("Point", True, NO_DEFAULT),
        "box": ("Box", True, NO_DEFAULT),
        "options": ("Options", True, NO_DEFAULT),
        "colour": ("Colour", False, "red"),
        "mode": ("Literal['fast', 'slow']", False, "fast"),
        "size": ("int", False, 5),
        "home": ("Point", False, {"x": 1, "y": 0}),
        "crate": (
            "Optional[Box]",
            False,
            {"corner": {"x": 2, "y": 0}, "size": 1.0, "names": []},
        ),
        "points": ("list[Point]", False, [{"x": 3, "y": 0}]),
        "late": ("int", False, 7),
        "tags": ("list[str]", False, NO_DEFAULT),
    }
    said = {param.name: param.description for param in info.params}
    assert said["point"] == "Where it is. Point: {x: int, y: int = 0}"
    assert said["box"] == (
        "Box: {corner: Point, size: float = 1.0, names: list[str] (optional)}; "
        "Point: {x: int, y: int = 0}"
    )
    assert said["options"].startswith("Options: {depth: int, point: ")
    assert said["colour"] == "Colour: 'red' or 'green'"
    assert said["size"] == "How large."
    assert said["late"] == "How late."
    json.dumps(info.to_dict())


def test_schemas():
    """JSON schemas of parameters and results come from pydantic, when somebody looks."""

    def tool(point: Point, size: Annotated[int, Field(gt=0)] = 1, free=None) -> list[Answer]:
        raise NotImplementedError

    info = describe(tool)
    point, size, free = (param.schema for param in info.params)
    assert point["properties"] == {
        "x": {"title": "X", "type": "integer"},
        "y": {"default": 0, "title": "Y", "type": "integer"},
    }
    assert dict(size) == {"exclusiveMinimum": 0, "type": "integer"}
    assert free is None
    assert info.output_schema["type"] == "array"
    assert "points" in info.output_schema["$defs"]["Answer"]["properties"]
    assert "Returns Answer: {points: list[Point], when:" in info.description
    assert dict(describe(lambda: print).output_schema or {}) == {}

    def odd(x: Callable[[int], int]) -> threading.Thread:
        raise NotImplementedError

    assert dict(describe(odd).output_schema) == {}


def test_shapes_that_cannot_be_resolved():
    """A field whose type is known to type checkers alone is shown as it is written."""

    @dataclasses.dataclass
    class Odd:
        one: Nowhere  # noqa: F821
        two: int = 1

    class OddOptions(TypedDict):
        three: Nowhere  # noqa: F821

    def tool(a, b):
        raise NotImplementedError

    tool.__annotations__ = {"a": Odd, "b": OddOptions}
    said = [param.description for param in describe(tool).params]
    assert said == ["Odd: {one: Nowhere, two: int = 1}", "OddOptions: {three: Nowhere}"]


async def test_models_become_dicts():
    """Models in a result become dicts, at any depth; what holds none is passed as it is."""
    whole = Answer(pts=[Point(x=1)], when=dt.date(2024, 1, 2))
    as_dict = {"points": [{"x": 1, "y": 0}], "when": dt.date(2024, 1, 2)}
    assert await call(lambda: whole) == as_dict
    assert await call(lambda: {"a": [whole, (whole, 1)]}) == {"a": [as_dict, (as_dict, 1)]}
    same = [{"a": (1, [2])}]
    assert await call(lambda: same) is same
    assert (await call(lambda: Box(Point(x=1)))).corner == Point(x=1)

    class Secret(BaseModel):
        key: SecretStr

    hidden = await call(lambda: Secret(key="s3cret"))
    assert "s3cret" not in repr(hidden)


async def test_typed_dicts_of_this_python():
    """``typing.TypedDict`` is checked on every Python, within other types, too."""

    def tool(one: Options | None, more: list[Options], by: "dict[str, Optional[Options]]") -> str:  # noqa: UP037
        return repr((one, more, by))

    options = {"depth": "1"}
    got = await call(tool, one=options, more=[options], by={"a": options, "b": None})
    assert got == "({'depth': 1}, [{'depth': 1}], {'a': {'depth': 1}, 'b': None})"
    for wrong in ({"one": {}}, {"more": [{}]}, {"by": {"a": {"depth": "x"}}}):
        good: dict[str, Any] = {"one": None, "more": [], "by": {}}
        with pytest.raises(ToolCallError, match="depth"):
            await call(tool, **{**good, **wrong})


def test_adding_does_not_load_pydantic():
    """Adding functions with dataclasses, enums, typed dicts and literals loads no pydantic."""
    program = """
import dataclasses, enum, sys, typing
from typing import Literal, Optional, TypedDict
from py_code_mode.tools import FunctionAdapter

@dataclasses.dataclass
class Box:
    size: int = 1

class Colour(enum.Enum):
    RED = 1

class Options(TypedDict):
    depth: int

def tool(a: Box, b: Colour = Colour.RED, c: Optional[Options] = None, d: Box = Box(),
         e: Literal["a"] = "a", f: list[Box] = [], g: typing.Annotated[int, "x"] = 1) -> Box:
    return a

(info,) = FunctionAdapter(tool).tools()
info.to_dict()
assert "pydantic" not in sys.modules
assert "size" in info.output_schema["properties"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.fixed_dictionaries({"point": ANYTHING | st.fixed_dictionaries({"x": ANYTHING})})
    | st.dictionaries(st.text() | st.sampled_from(["point", "box", "size"]), ANYTHING, max_size=4)
)
async def test_any_arguments_are_a_value_or_a_tool_error(arguments: dict):
    """Whatever is passed to a function of models, the answer is a value or a ``ToolError``."""

    def tool(point: Point, size: Annotated[int, Field(gt=0)] = 1, box: Box | None = None) -> str:
        assert isinstance(point, Point)
        assert type(size) is int
        return "fine"

    try:
        assert await call(tool, **arguments) == "fine"
    except ToolError:
        return


# --- generators --------------------------------------------------------------------------------


def count(n: int) -> Iterator[int]:
    for number in range(n):
        report_log(f"at {number}")
        yield number


def count_and_say(n: int) -> Generator[int, None, str]:
    yield from range(n)
    return f"counted to {n}"


async def count_async(n: int) -> AsyncIterator[int]:
    for number in range(n):
        await asyncio.sleep(0)
        yield number


@pytest.mark.parametrize("tool", [count, count_async])
async def test_items_are_progress(tool: Callable[..., Any]):
    """Each item a generator gives is told at once, and the result is the list of them."""
    told: list[Any] = []
    with reporting(told.append):
        assert await call(tool, n=3) == [0, 1, 2]
    steps = [report for report in told if isinstance(report, Progress)]
    assert steps == [Progress(1, None, "0"), Progress(2, None, "1"), Progress(3, None, "2")]


async def test_what_a_generator_returns():
    """A generator that returns something has that as its result; none gives no items."""
    assert await call(count_and_say, n=2) == "counted to 2"
    assert await call(count, n=0) == []
    assert await call(lambda: (Point(x=x) for x in range(2))) == [
        {"x": 0, "y": 0},
        {"x": 1, "y": 0},
    ]


def test_annotations_of_generators():
    """A generator is described by what its call gives, not by what it is."""
    assert describe(count).returns == "list[int]"
    assert describe(count_async).returns == "list[int]"
    assert describe(count_and_say).returns == "str"
    assert describe(count_and_say).output_schema["type"] == "string"
    assert dict(describe(count).output_schema) == {"items": {"type": "integer"}, "type": "array"}

    def bare():
        yield

    def of_points() -> typing.Iterable[Point]:
        yield Point(x=1)

    assert describe(bare).returns == "list[Any]"
    assert describe(of_points).returns == "list[Point]"


async def test_items_are_bounded():
    """A generator without end is closed, and the call fails."""
    closed = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    async def endless_async() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    for tool in (endless, endless_async):
        with pytest.raises(ToolCallError, match=f"more than {MAX_ITEMS:,} items"):
            await call(tool)
    assert closed == [True, True]


@pytest.mark.parametrize("is_async", [False, True])
async def test_generators_that_fail(is_async: bool):
    """What a generator raises, on its way or when it is closed, is a ``ToolCallError``."""

    def fails() -> Iterator[int]:
        yield 1
        raise ValueError("gone wrong")

    async def fails_async() -> AsyncIterator[int]:
        yield 1
        raise ValueError("gone wrong")

    with pytest.raises(ToolCallError, match="ValueError: gone wrong"):
        await call(fails_async if is_async else fails)


@pytest.mark.parametrize("is_async", [False, True])
async def test_cancelling_closes_the_generator(is_async: bool, eventually):
    """A cancelled call returns at once, and its generator is closed: it can clean up."""
    events: list[str] = []
    release = threading.Event()

    def steps() -> Iterator[int]:
        try:
            yield 1
            events.append("begun")
            release.wait(30)
            yield 2
            events.append("not reached")
            yield 3
        finally:
            events.append("closed")

    async def steps_async() -> AsyncIterator[int]:
        try:
            yield 1
            events.append("begun")
            await asyncio.sleep(30)
            events.append("not reached")
        finally:
            events.append("closed")

    task = asyncio.create_task(call(steps_async if is_async else steps))
    await eventually(lambda: events == ["begun"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await eventually(lambda: events == ["begun", "closed"])


async def test_closing_ends_generators(eventually):
    """A closed adapter closes the generators that run, at their next item."""
    release, closed = threading.Event(), threading.Event()

    def steps() -> Iterator[int]:
        try:
            yield 1
            release.wait(30)
            yield 2
            release.wait(30)
        finally:
            closed.set()

    told: list[Any] = []
    adapter = FunctionAdapter(steps)
    with reporting(told.append):
        task = asyncio.create_task(adapter.call("steps", {}))
    await eventually(lambda: told)
    await adapter.aclose()
    release.set()
    with pytest.raises(ToolCallError, match="closed while it ran"):
        await task
    assert closed.is_set()


async def test_reports_reach_the_stream(make_executor):
    """In a real kernel: what a function tells while it runs is in the stream before its result."""
    registry = ToolRegistry()

    @registry.tool
    def work(n: int) -> int:
        """Work."""
        for number in range(n):
            report_progress(number + 1, n, f"step {number + 1}")
        report_log("done", "warning")
        return n

    @registry.tool
    async def think() -> str:
        """Think."""
        report_progress(0.5, message="half")
        return "thought"

    registry.tool(count, name="count")
    registry.tool(count_async, name="count-async")
    executor = await make_executor(registry=registry)
    events = [
        event
        async for event in executor.stream(
            "tools.work(n=2), tools.think(), tools.count(2), tools.count_async(2)"
        )
    ]
    told = [event for event in events if isinstance(event, ToolProgressed | ToolLogged)]
    assert told == [
        ToolProgressed("work", 1, 2, "step 1"),
        ToolProgressed("work", 2, 2, "step 2"),
        ToolLogged("work", "warning", "done"),
        ToolProgressed("think", 0.5, None, "half"),
        ToolLogged("count", "info", "at 0"),
        ToolProgressed("count", 1, None, "0"),
        ToolLogged("count", "info", "at 1"),
        ToolProgressed("count", 2, None, "1"),
        ToolProgressed("count-async", 1, None, "0"),
        ToolProgressed("count-async", 2, None, "1"),
    ]
    assert events[-1].result.value == (2, "thought", [0, 1], [0, 1])


async def test_models_from_a_kernel(make_executor):
    """In a real kernel: dicts go in as models, models come back as dicts, errors say the field."""
    registry = ToolRegistry()

    @registry.tool
    def move(point: Point, by: Point = Point(x=1), colour: Colour = Colour.RED) -> Point:
        """Move a point."""
        assert isinstance(by, Point)
        assert isinstance(colour, Colour)
        return Point(x=point.x + by.x, y=point.y + by.y)

    executor = await make_executor(registry=registry)
    result = await executor.run("""
        import inspect
        try:
            tools.move({"y": 1})
        except tools.ToolCallError as error:
            text = str(error)
        tools.move({"x": 1}), tools.move(point={"x": 1}, by={"x": 5, "y": 5}, colour="green"), text, \\
            str(inspect.signature(tools.move)), tools.move.__doc__
    """)
    first, second, text, signature, doc = result.unwrap()
    assert (first, second) == ({"x": 2, "y": 0}, {"x": 6, "y": 5})
    assert "point['x']: Field required" in text
    assert (
        signature == "(point: Point, by: Point = {'x': 1, 'y': 0}, colour: Colour = 'red') -> Point"
    )
    assert "point: Point: {x: int, y: int = 0}" in doc
