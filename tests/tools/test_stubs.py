"""Tools as Python stubs: valid Python, typed, the same every time."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode import ToolInfo, ToolParam
from py_code_mode.errors import ConfigError
from py_code_mode.tools.base import NO_DEFAULT
from py_code_mode.tools.jsonschema import object_params
from py_code_mode.tools.names import check_name, clean_name
from py_code_mode.tools.shapes import shape_of
from py_code_mode.tools.stubs import stub_of

PLACE = {
    "title": "Place",
    "type": "object",
    "properties": {
        "lat": {"type": "number", "description": "Degrees north"},
        "list": {"type": "array", "items": {"type": "string"}},
        "a-b": {"type": "string"},
    },
    "required": ["lat"],
}
INPUT = {
    "type": "object",
    "properties": {
        "state": {"type": "string", "description": "Two letters."},
        "place": {"$ref": "#/$defs/Place"},
        "class": {"type": "integer"},
        "n": {"type": "integer", "default": 5},
        "unit": {"enum": ["C", "F"], "default": "C"},
        "near": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
    },
    "required": ["state", "place"],
    "$defs": {"Place": PLACE},
}
OUTPUT = {
    "type": "object",
    "properties": {
        "alerts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "until": {"type": ["string", "null"]}},
                "required": ["id"],
            },
        }
    },
    "required": ["alerts"],
}
TOOLS = [
    ToolInfo(
        "weather.get-alerts",
        'Alerts of a """state".\nAll of them, \\d too.',
        object_params(INPUT),
        returns="dict[str, Any]",
        output_schema=OUTPUT,
    ),
    ToolInfo("weather.list", "All.", (ToolParam("kind", "list[str]"),), returns="list[int]"),
    ToolInfo(
        "frame",
        "",
        (
            ToolParam("df", "pandas.DataFrame", required=True),
            ToolParam("when", "datetime.date", default=None),
            ToolParam("mode", "typing.Literal['a', 'b']", default="a"),
            ToolParam("odd", "int | <odd>", required=True),
            ToolParam("self", "'Foo'", default=float("nan")),
        ),
        returns="collections.abc.Iterator[Foo[int]]",
    ),
    ToolInfo("seen", "Seen.", observed=shape_of([{"id": 1, "raw": b""}])),
    ToolInfo("nothing"),
    ToolInfo("deep.er.most", "Far down."),
]

EXPECTED = '''\
import builtins
import datetime
from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict

DataFrame = Any  # pandas.DataFrame
Foo = Any

class ObservedSeenResultItem(TypedDict):
    id: int
    raw: bytes

Place = TypedDict('Place', {
    'lat': float,  # Degrees north
    'list': NotRequired[builtins.list[str]],
    'a-b': NotRequired[str],
})

class WeatherGetAlertsResultAlertsItem(TypedDict):
    id: str
    until: NotRequired[str | None]

class WeatherGetAlertsResult(TypedDict):
    alerts: builtins.list[WeatherGetAlertsResultAlertsItem]

class DeepErTools:
    def most(self) -> Any:
        """Far down."""

class DeepTools:
    er: DeepErTools

class WeatherTools:
    def get_alerts(self, state: str, place: Place, n: int = 5, unit: Literal['C', 'F'] = 'C', near: builtins.list[Place] = ..., **more: Any) -> WeatherGetAlertsResult:
        """Alerts of a \'\'\'state". All of them, \\\\d too.

        state: Two letters.
        """
    def list(self, kind: builtins.list[str] = ...) -> builtins.list[int]:
        """All."""

class Tools:
    deep: DeepTools
    weather: WeatherTools
    def frame(_self, df: DataFrame, when: datetime.date | None = None, mode: Literal['a', 'b'] = 'a', *, odd: Any, self: Foo = ...) -> Iterator[Foo]: ...
    def nothing(self) -> Any: ...
    def seen(self) -> list[ObservedSeenResultItem]:  # observed, not promised
        """Seen."""

tools: Tools
'''


def test_a_stub():
    """Servers are classes, objects TypedDicts, unknown types keep their names."""
    text = stub_of(TOOLS)
    ast.parse(text)
    classes = [block for block in text.split("\n\n") if block.startswith("class ")]
    assert sorted(text.split("\n\n")) == sorted(EXPECTED.split("\n\n"))
    assert classes[-1].startswith("class Tools:")


def test_a_stub_depends_on_the_tools_alone():
    """The order in which tools were added changes nothing, nor does another process."""
    text = stub_of(TOOLS)
    assert stub_of(reversed(TOOLS)) == text
    program = "from tests.tools.test_stubs import *; print(stub_of(TOOLS), end='')"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            cwd=Path(__file__).parents[2],
        )
        assert done.stdout == text


def test_type_checkers_take_a_stub(tmp_path):
    """``mypy --strict`` finds nothing in it, and finds a wrong call made by it."""
    (tmp_path / "session.pyi").write_text(stub_of(TOOLS))
    (tmp_path / "use.py").write_text(
        "from session import tools\n"
        "found = tools.weather.get_alerts('CA', {'lat': 1.5}, near=[{'lat': 2, 'a-b': 'x'}])\n"
        "print(found['alerts'][0]['id'].upper(), tools.seen()[0]['id'] + 1)\n"
        "tools.weather.get_alerts(5, {'lat': 'x'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "session.pyi", "use.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 2, done.stdout
    assert all(line.startswith("use.py:4") for line in errors)


def test_equal_objects_share_a_class():
    """Objects that are alike are one class; what was observed lends no name to a promise."""
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    text = stub_of(
        [
            ToolInfo("a", output_schema=schema),
            ToolInfo("b", output_schema=dict(schema)),
            ToolInfo("c", observed=shape_of({"id": 1})),
        ]
    )
    assert text.count("TypedDict):") == 2
    assert "def b(self) -> AResult" in text
    assert "def c(self) -> ObservedCResult" in text


def test_titles_that_clash_are_numbered():
    """Two objects of one name and different fields are two classes, always the same way round."""

    def titled(field):
        return {"title": "Row", "type": "object", "properties": {field: {"type": "string"}}}

    text = stub_of(
        [ToolInfo("b", output_schema=titled("y")), ToolInfo("a", output_schema=titled("x"))]
    )
    assert "class Row(TypedDict):\n    x: " in text
    assert "class Row2(TypedDict):\n    y: " in text


def test_recursive_and_huge_schemas_end():
    """A tree that holds itself, and one with a million leaves, give a stub of bounded size."""
    node = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/d/N"}}}}
    recursive = {"$ref": "#/d/N", "d": {"N": node}}
    wide: dict = {"type": "string"}
    for level in range(20):
        wide = {"type": "object", "properties": {f"f{level}_{n}": wide for n in range(10)}}
    for schema in (recursive, wide):
        text = stub_of([ToolInfo("t", output_schema=schema)])
        ast.parse(text)
        assert len(text) < 200_000


def test_no_tools():
    """Without tools there is still a stub."""
    text = stub_of([])
    ast.parse(text)
    assert "tools: Tools" in text


TEXTS = st.text(max_size=30) | st.sampled_from(
    ["list[int]", "str | None", '"""', "\\", "\\N{x}", "int)", "a.b.c", "Literal['x']", "class"]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.lists(st.floats())
SCHEMAS = st.recursive(
    st.sampled_from([{}, {"type": "string"}, {"type": ["integer", "null"]}, {"enum": ["a", 1]}]),
    lambda inner: (
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(TEXTS, inner, max_size=4)},
            optional={
                "title": TEXTS,
                "required": st.lists(TEXTS, max_size=3),
                "description": TEXTS,
            },
        )
        | st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, max_size=3))
    ),
    max_leaves=8,
)
PARAMS = st.builds(
    ToolParam,
    TEXTS,
    TEXTS,
    required=st.booleans(),
    default=VALUES | st.just(NO_DEFAULT),
    description=TEXTS,
    schema=st.none() | SCHEMAS,
)
INFOS = st.builds(
    ToolInfo,
    TEXTS,
    TEXTS,
    st.lists(PARAMS, max_size=5, unique_by=lambda param: param.name).map(tuple),
    returns=TEXTS,
    output_schema=st.none() | SCHEMAS,
)


def unique(infos: list[ToolInfo]) -> list[ToolInfo]:
    """Those a registry would take together."""
    taken: dict[str, ToolInfo] = {}
    for info in infos:
        try:
            check_name(info.name)
        except ConfigError:
            continue
        path = clean_name(info.name)
        clash = [known for known in taken if f"{known}.".startswith(f"{path}.")]
        if not clash and not any(f"{path}.".startswith(f"{known}.") for known in taken):
            taken[path] = info
    return [*taken.values()]


@given(st.lists(INFOS, max_size=5))
def test_whatever_tools_say_the_stub_is_python(infos):
    """Names, types, defaults, descriptions and schemas of any text give Python that parses."""
    text = stub_of(unique(infos))
    ast.parse(text)
    compile(text, "stub", "exec")


@pytest.mark.parametrize("name", ["str", "Any", "TypedDict", "Tools", "tools", "self", "Observed"])
def test_tools_named_like_what_a_stub_uses(tmp_path, name):
    """A tool may have the name of a type; others still mean the type."""
    infos = [
        ToolInfo(name, "x", (ToolParam("a", "str", required=True),), returns="str"),
        ToolInfo("other", "x", (ToolParam("a", "Any", required=True),), output_schema=OUTPUT),
    ]
    stub = tmp_path / "session.pyi"
    stub.write_text(stub_of(infos))
    ast.parse(stub.read_text())
    if name == "str":
        assert "def str(self, a: builtins.str) -> builtins.str" in stub.read_text()
