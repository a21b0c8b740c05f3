"""Shapes of results: what is learned, merged, kept and shown, and what never is."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import threading
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode import ToolInfo, ToolRegistry
from py_code_mode.errors import ToolCallError
from py_code_mode.tools.observed import FILE, Observed
from py_code_mode.tools.shapes import checked, merged, shape_of, size_of
from py_code_mode.tools.structure import structure_of


class Color(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    name: str | None = None


SHOWN = [
    ("text", "str"),
    (None, "None"),
    ([], "list[Any]"),
    ([1, 2.5, None], "list[float | None]"),
    ([1, "a"], "list[int | str]"),
    ({}, "dict[str, Any]"),
    ({"id": 1, "tags": ["a"]}, "{'id': int, 'tags': list[str]}"),
    ([{"id": 1}, {"id": 2, "more": True}], "list[{'id': int, 'more'?: bool}]"),
    ({"a": {"b": {"c": 1}}}, "{'a': {'b': {'c': int}}}"),
    (b"x", "bytes"),
    ({"raw": b"x", "pair": (1, 2)}, "{'pair': tuple, 'raw': bytes}"),
    (Color.RED, "str"),
    (Point(1), "{'name': None, 'x': int}"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=[shown for _, shown in SHOWN])
def test_a_shape_is_shown_in_a_line(value, shown):
    """Types and names of keys are shown; what may be missing has a question mark."""
    assert structure_of(shape_of(value)) == shown


DATA_AS_KEYS = {
    "many": {f"k{letter}{more}": 1 for letter in "abcdefg" for more in "abcdefg"},
    "addresses": {"bob@example.com": 1},
    "numbers": {"2024-01-31": 1},
    "tokens": {"sk_4f9a8c7b6d5e": 1},
    "sentences": {"the customer said": 1},
    "long": {"k" * 41: 1},
    "no text": {1: 1},
}


@pytest.mark.parametrize("value", DATA_AS_KEYS.values(), ids=DATA_AS_KEYS)
def test_keys_that_look_like_data_are_forgotten(value):
    """A dict of many keys, or of keys that are no names of fields, is a mapping without keys."""
    shape = shape_of(value)
    assert structure_of(shape) == "dict[str, int]"
    assert not any(str(key) in json.dumps(shape) for key in value)


def test_dicts_without_a_key_in_common_are_mappings():
    """Keys that differ from result to result are data."""
    assert structure_of(merged(shape_of({"alice": 1}), shape_of({"bob": "x"}))) == (
        "dict[str, int | str]"
    )


def test_merging_makes_keys_optional():
    """What only some results have is optional; None beside a record takes nothing from it."""
    shape = merged(shape_of({"a": 1, "b": None}), shape_of({"a": 2, "c": "x"}))
    assert structure_of(shape) == "{'a': int, 'b'?: None, 'c'?: str}"
    assert structure_of(merged(shape_of({"a": 1}), shape_of(None))) == "{'a': int} | None"
    assert structure_of(merged(shape_of([]), shape_of([1]))) == "list[int]"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=60,
)


@given(JSON, JSON)
def test_any_value_has_a_shape(one, other):
    """Shapes are bounded, do not depend on order, learn nothing twice, and survive the file."""
    first, second = shape_of(one), shape_of(other)
    both = merged(first, second)
    assert both == merged(second, first)
    assert merged(both, first) == both or "additionalProperties" in json.dumps(both)
    assert checked(json.loads(json.dumps(both))) == both
    assert size_of(first) <= 1_000
    structure_of(both)


def test_huge_values_are_looked_at_in_part():
    """Depth, items and nodes that are looked at are bounded."""
    deep: list = []
    for _ in range(10_000):
        deep = [deep]
    assert structure_of(shape_of(deep)).count("list") <= 7
    assert structure_of(shape_of([{"a": 1}] * 20 + ["late"] * 10_000)) == "list[{'a': int}]"


# --- in a registry -----------------------------------------------------------------------------


class Server:
    """Tools that give back their argument; only ``known`` says what that is."""

    def tools(self):
        return [
            ToolInfo("srv.get"),
            ToolInfo("srv.any", returns="Any"),
            ToolInfo("srv.known", returns="str"),
            ToolInfo("srv.declared", output_schema={"type": "object"}),
            ToolInfo("srv.fail"),
        ]

    async def call(self, name, arguments):
        if name == "srv.fail":
            raise ToolCallError("no")
        return arguments["value"]

    async def aclose(self):
        pass


def registry_of(directory: Path | None = None) -> ToolRegistry:
    registry = ToolRegistry()
    if directory is not None:
        registry._shelf.observed.open(directory)
    registry.register_adapter(Server())
    return registry


def seen(registry: ToolRegistry, name: str) -> str:
    info = registry.get_tool(name)
    return "" if info.observed is None else structure_of(info.observed)


async def test_unknown_results_are_learned():
    """Tools that do not say what they return get a shape; those that do, and failures, do not."""
    registry = registry_of()
    for name in ("srv.get", "srv.any", "srv.known", "srv.declared"):
        await registry.call_tool(name, {"value": {"id": 1}})
    with pytest.raises(ToolCallError):
        await registry.call_tool("srv.fail", {})
    assert seen(registry, "srv.get") == seen(registry, "srv.any") == "{'id': int}"
    assert [seen(registry, f"srv.{n}") for n in ("known", "declared", "fail")] == ["", "", ""]
    assert registry.list_tools()[0].name == "srv.get"  # the order stays
    assert "observed" not in registry.get_tool("srv.get").to_dict()
    await registry.aclose()


async def test_the_version_grows_only_with_news():
    """Calls that teach nothing leave the version alone, so nothing is pushed to kernels."""
    registry = registry_of()
    versions = [registry.version]
    for value in (1, 2, None, None, 3, 4):
        await registry.call_tool("srv.get", {"value": value})
        versions.append(registry.version)
    assert [after - before for before, after in itertools.pairwise(versions)] == [
        *(1, 0, 1, 0, 0, 0)
    ]


async def test_only_the_first_results_are_looked_at():
    """After a few results a tool's shape stays; the search index is not made anew for shapes."""
    registry = registry_of()
    registry.search("get")
    index = registry._shelf.index._snapshot
    for _ in range(8):
        await registry.call_tool("srv.get", {"value": 1})
    await registry.call_tool("srv.get", {"value": "late"})
    assert seen(registry, "srv.get") == "int"
    registry.search("get")
    assert registry._shelf.index._snapshot is index


async def test_secrets_are_in_no_shape(tmp_path):
    """Keys and values have been redacted before they are looked at."""
    registry = ToolRegistry(secrets={"KEY": "hushhush"})
    registry._shelf.observed.open(tmp_path)
    registry.register_adapter(Server())
    await registry.call_tool("srv.get", {"value": {"hushhush": "hushhush", "id": "private"}})
    await registry.aclose()
    written = (tmp_path / FILE).read_text()
    assert "hushhush" not in written
    assert "private" not in written


# --- kept --------------------------------------------------------------------------------------


async def test_shapes_are_kept_beside_the_tools(tmp_path):
    """A later program knows them from the start, and learns on; nothing else is left there."""
    registry = registry_of(tmp_path)
    await registry.call_tool("srv.get", {"value": {"id": 1}})
    await registry.aclose()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    later = registry_of(tmp_path)
    assert seen(later, "srv.get") == "{'id': int}"
    version = later.version
    await later.call_tool("srv.get", {"value": {"id": 2}})
    assert later.version == version
    await later.call_tool("srv.get", {"value": {"id": 2, "name": "x"}})
    await later.aclose()
    assert seen(registry_of(tmp_path), "srv.get") == "{'id': int, 'name'?: str}"


async def test_shapes_are_written_a_moment_later(tmp_path, eventually):
    """Nobody has to close anything: the file is written soon, once for many news."""
    observed = Observed()
    observed.open(tmp_path)
    for n in range(100):
        observed.learn(f"tool{n}", n)
    assert not (tmp_path / FILE).exists()
    await eventually((tmp_path / FILE).exists)
    assert len(json.loads((tmp_path / FILE).read_text())["tools"]) == 100
    await observed.aclose()


def test_shapes_outlive_the_loop_they_were_learned_in(tmp_path):
    """A second event loop writes what the first had no time for."""
    observed = Observed()
    observed.open(tmp_path)

    async def learn(name):
        observed.learn(name, 1)

    asyncio.run(learn("one"))

    async def learn_and_close():
        observed.learn("two", 2)
        await observed.aclose()

    asyncio.run(learn_and_close())
    assert {*json.loads((tmp_path / FILE).read_text())["tools"]} == {"one", "two"}


async def test_two_programs_share_the_file(tmp_path):
    """What another program has learned meanwhile stays."""
    one, other = Observed(), Observed()
    for each in (one, other):
        each.open(tmp_path)
    one.learn("a", {"x": 1})
    other.learn("a", {"x": 1, "y": 2})
    other.learn("b", 1)
    await one.aclose()
    await other.aclose()
    third = Observed()
    third.open(tmp_path)
    assert structure_of(third.of("a")) == "{'x': int, 'y'?: int}"
    assert structure_of(third.of("b")) == "int"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"tools": 5}',
        '{"tools": {"a": {"type": ["rm -rf"]}}}',
        '{"tools": {"a": {"x-python": ["a b"]}}}',
        '{"tools": {"a": {"properties": {"no field": {}}}}}',
        '{"tools": {"a": ' + '{"items": ' * 50 + "{}" + "}" * 50 + "}}",
        "[" * 100_000,
        b"\xff\xfe\x00",
    ],
    ids=["empty", "cut", "list", "number", "type", "name", "key", "deep", "nested", "bytes"],
)
async def test_a_damaged_file_is_ignored(tmp_path, caplog, text):
    """It is told in the log, counts as empty, and is written anew."""
    file = tmp_path / FILE
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    observed = Observed()
    observed.open(tmp_path)
    assert "is not usable" in caplog.text
    assert observed.of("a") is None
    observed.learn("a", 1)
    await observed.aclose()
    assert json.loads(file.read_text())["tools"] == {"a": {"type": ["integer"]}}


async def test_where_nothing_can_be_written(tmp_path, caplog):
    """A directory that cannot be written costs a line in the log, and no shape."""
    caplog.set_level(logging.INFO)
    gone = tmp_path / "gone"
    gone.mkdir()
    observed = Observed()
    observed.open(gone)
    gone.rmdir()
    observed.learn("a", 1)
    await observed.aclose()
    assert "not kept" in caplog.text
    assert structure_of(observed.of("a")) == "int"
    observed.learn("b", 1)
    await observed.aclose()
    assert caplog.text.count("not kept") == 1


async def test_a_directory_of_tools_and_threads(tmp_path):
    """``from_dir`` reads the file, and searching from a thread meanwhile does no harm."""
    (tmp_path / "t.yaml").write_text("name: t\ncommand: echo\n")
    (tmp_path / FILE).write_text('{"version": 1, "tools": {"fresh": {"type": ["integer"]}}}')
    async with await ToolRegistry.from_dir(tmp_path) as registry:
        registry.add(lambda: 1, name="fresh")
        assert seen(registry, "fresh") == "int"
        assert seen(registry, "t") == ""
        stop = threading.Event()

        def search():
            while not stop.is_set():
                registry.search("fresh")

        thread = threading.Thread(target=search)
        thread.start()
        for n in range(10):
            registry.add(lambda: 1, name=f"made{n}")
            await registry.call_tool(f"made{n}", {})
        stop.set()
        thread.join()
