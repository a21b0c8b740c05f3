"""JSON schemas as Python annotations and parameters: right where known, harmless where hostile."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode.errors import ToolCallError
from py_code_mode.tools.base import NO_DEFAULT
from py_code_mode.tools.jsonschema import annotation_of, check_names, object_params

NODE = {"$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}}


@pytest.mark.parametrize(
    ("schema", "annotation"),
    [
        ({"type": "string"}, "str"),
        ({"type": "integer"}, "int"),
        ({"type": ["number", "null"]}, "float | None"),
        ({"type": "string", "nullable": True}, "str | None"),
        ({"type": "array", "items": {"type": "string"}}, "list[str]"),
        ({"type": "array"}, "list[Any]"),
        ({"type": "object"}, "dict[str, Any]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "dict[str, int]"),
        ({"enum": ["a", "b"]}, "Literal['a', 'b']"),
        ({"enum": ["a", None]}, "Literal['a'] | None"),
        ({"enum": [str(n) for n in range(50)]}, "str"),
        ({"const": 3}, "Literal[3]"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "int | None"),
        ({"oneOf": [{"type": "string"}, {}]}, "Any"),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, "str"),
        ({"properties": {"a": {}}}, "dict[str, Any]"),
        ({**NODE, "$ref": "#/$defs/Node"}, "dict[str, Any]"),
        ({"$ref": "#/nowhere"}, "Any"),
        ({"$ref": "http://elsewhere/x"}, "Any"),
        ({"$ref": "#"}, "Any"),
        (True, "Any"),
        (None, "Any"),
    ],
)
def test_annotations(schema, annotation):
    """Each kind of schema has one annotation."""
    assert annotation_of(schema) == annotation


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "enum",
                    "const",
                    "anyOf",
                    "oneOf",
                    "allOf",
                    "items",
                    "properties",
                    "required",
                    "$ref",
                    "default",
                ]
            ),
            inner | st.sampled_from(["string", "array", "object", "#", "#/items", "#/anyOf/0"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_like)
def test_any_schema_gives_source_that_parses(schema):
    """Whatever a server sends becomes short, valid Python; nothing recurses without end."""
    annotation = annotation_of(schema)
    ast.parse(annotation, mode="eval")
    assert len(annotation) <= 300
    for param in object_params(schema):
        ast.parse(param.annotation, mode="eval")


def test_parameters():
    """Properties become parameters, required ones first, with defaults and descriptions."""
    schema = {
        "type": "object",
        "properties": {
            "limit": {"type": "integer", "default": 5, "description": "How\n  many"},
            "query": {"type": "string"},
        },
        "required": ["query"],
    }
    query, limit = object_params(schema)
    assert (query.name, query.annotation, query.required) == ("query", "str", True)
    assert query.default is NO_DEFAULT
    assert (limit.default, limit.description) == (5, "How many")
    assert object_params({}) == object_params(None) == ()


def test_names_are_checked():
    """A wrong name lists the right ones, a missing one is named."""
    params = object_params({"properties": {"city": {}, "days": {}}, "required": ["city"]})
    check_names("t", params, {"city": "x"})
    with pytest.raises(
        ToolCallError, match=r"no argument 'cty' \(did you mean 'city'\?\); it takes"
    ):
        check_names("t", params, {"cty": "x"})
    with pytest.raises(ToolCallError, match="argument 'city' is missing"):
        check_names("t", params, {})
    check_names("t", params, {"city": 1, "more": 2}, takes_any=True)
