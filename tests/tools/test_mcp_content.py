"""What a tool of an MCP server answers, as values; arguments of all sorts on their way there."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import Any

import mcp_types as types
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from py_code_mode import Media, ResourceLink
from py_code_mode.errors import ToolCallError, ToolError
from py_code_mode.tools.mcp.content import value_of
from tests.tools.mcp_servers import odd

PNG = base64.b64encode(b"\x89PNG...").decode()


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def resource(**fields: Any) -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": "demo://1", **fields}}


IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}
LINK = {"type": "resource_link", "uri": "demo://a", "name": "a"}


def answer(*content: dict[str, Any], **fields: Any) -> types.CallToolResult:
    return types.CallToolResult.model_validate({"content": list(content), **fields})


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ([], None),
        ([text("")], ""),
        ([text("plain")], "plain"),
        ([text("one"), text("two")], "one\ntwo"),
        ([text('{"a": [1, null]}')], {"a": [1, None]}),
        ([text(" [1, 2]\n")], [1, 2]),
        ([text('{"a": 1}'), text('{"a": 2}')], [{"a": 1}, {"a": 2}]),
        ([text("{"), text("}")], {}),
        ([text('{"a": 1}'), text("and more")], '{"a": 1}\nand more'),
        ([text("{not json}")], "{not json}"),
        ([text("1.10")], "1.10"),
        ([text("null")], "null"),
        ([text("[" * 100_000)], "[" * 100_000),
        ([IMAGE], Media(b"\x89PNG...", "image/png")),
        ([IMAGE, IMAGE], [Media(b"\x89PNG...", "image/png")] * 2),
        (
            [text("a"), text("b"), IMAGE, text("c")],
            ["a\nb", Media(b"\x89PNG...", "image/png"), "c"],
        ),
        (
            [{"type": "audio", "data": PNG, "mimeType": "audio/wav"}],
            Media(b"\x89PNG...", "audio/wav"),
        ),
        ([{**IMAGE, "data": "no base64: ü"}], "no base64: ü"),
        ([LINK], ResourceLink("demo://a", "a")),
        (
            [{**LINK, "mimeType": "text/plain", "description": "about", "size": 5}],
            ResourceLink("demo://a", "a", "text/plain", "about", 5),
        ),
        ([resource(text='{"a": 1}')], '{"a": 1}'),
        ([resource(blob=PNG)], Media(b"\x89PNG...", "application/octet-stream", "demo://1")),
        (
            [resource(blob=PNG, mimeType="image/png")],
            Media(b"\x89PNG...", "image/png", "demo://1"),
        ),
    ],
)
def test_content_becomes_values(content, value):
    """Each kind of content becomes the value that says the same, several kinds a list."""
    assert value_of("tool", answer(*content), None) == value


def test_text_stays_text_when_that_is_asked_for():
    """With ``parse: text`` JSON is left as it is."""
    assert value_of("tool", answer(text('{"a": 1}')), None, "text") == '{"a": 1}'
    assert value_of("tool", answer(text("[1]"), text("[2]")), None, "text") == "[1]\n[2]"


WRAPPED = {"title": "toolOutput", "type": "object", "properties": {"result": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("structured", "schema", "value"),
    [
        ({"a": 1}, None, {"a": 1}),
        ({"result": 5}, None, {"result": 5}),
        ({"result": 5}, WRAPPED, 5),
        ({"result": 5}, {**WRAPPED, "title": "Score"}, {"result": 5}),
        ({"result": 5}, {**WRAPPED, "title": "", "x-fastmcp-wrap-result": True}, 5),
        ({"result": 5, "more": 6}, WRAPPED, {"result": 5, "more": 6}),
        ([1, 2], None, [1, 2]),
        (0, None, 0),
    ],
)
def test_structured_content_comes_first(structured, schema, value):
    """It is the value; only a wrapping that the server's library made is taken off."""
    result = answer(text("the same as text"), structuredContent=structured)
    assert value_of("tool", result, schema) == value


def test_a_picture_beside_structured_content_is_kept():
    """What the structure does not say comes with it."""
    result = answer(text("{}"), IMAGE, structuredContent={"a": 1})
    assert value_of("tool", result, None) == [{"a": 1}, Media(b"\x89PNG...", "image/png")]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (answer(text("no"), text("way"), isError=True), "tool 'tool' failed: no\nway"),
        (answer(isError=True), "tool 'tool' failed: the server gave no reason"),
        (answer(isError=True, structuredContent={"a": 1}), "tool 'tool' failed: {\"a\": 1}"),
        (answer(IMAGE, isError=True), "tool 'tool' failed: the server gave no reason"),
    ],
)
def test_errors_are_raised(result, message):
    """What a server calls an error is raised with its text."""
    with pytest.raises(ToolCallError) as caught:
        value_of("tool", result, None)
    assert caught.value.message == message


def test_a_long_error_is_cut_in_its_message():
    """The whole text is among the details."""
    with pytest.raises(ToolCallError) as caught:
        value_of("tool", answer(text("x" * 10_000), isError=True), None)
    assert len(caught.value.message) < 5_000
    assert caught.value.details["text"] == "x" * 10_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
ODD = (
    JSON
    | st.binary(max_size=5)
    | st.sets(st.integers(), max_size=2)
    | st.characters(categories=["Cs"])
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(["odd.arguments", "odd.pid", "odd.nope"]),
    more=st.dictionaries(st.text(max_size=8), ODD, max_size=3),
)
def test_any_arguments_give_a_value_or_a_tools_error(fuzzed, name, more):
    """Whatever is given, a call ends in time with a value or a ``ToolError``; JSON arrives as it was."""
    run, adapter = fuzzed
    try:
        value = run(adapter.call(name, more))
    except ToolError:
        return
    assert name == "odd.pid" or repr(value) == repr(more)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    result=JSON
    | st.fixed_dictionaries(
        {
            "content": st.lists(
                st.fixed_dictionaries(
                    {
                        "type": st.sampled_from(["text", "image", "resource"]),
                        "text": JSON,
                        "data": JSON,
                        "mimeType": JSON,
                        "resource": JSON,
                    }
                )
            )
        },
        optional={"isError": JSON, "structuredContent": JSON},
    )
)
def test_any_answer_gives_a_value_or_a_tools_error(fuzzed, result):
    """Whatever a server answers, its call ends in time with a value or a ``ToolError``."""
    run, adapter = fuzzed
    with contextlib.suppress(ToolCallError):  # a time limit would be another error
        run(adapter.call("odd.answer", {"result": result}))
    assert run(adapter.call("odd.pid", {}))


@pytest.fixture(scope="module")
def fuzzed():
    """A way to run coroutines, and the started adapter of a server that takes anything."""
    with asyncio.Runner() as runner:
        adapter = odd(timeout=10)
        runner.run(adapter.start())
        yield runner.run, adapter
        runner.run(adapter.aclose())
