"""Whatever an agent gives and whatever a document says: always a value or a ``ToolError``."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import decimal
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema.validators import Draft202012Validator

from py_code_mode import HTTPAdapter, Media
from py_code_mode.errors import ToolCallError, ToolError
from py_code_mode.tools.http import Endpoint, Param
from py_code_mode.tools.http.document import parse_document
from py_code_mode.tools.http.operations import endpoints_of
from py_code_mode.tools.http.schemas import self_contained
from py_code_mode.tools.http.values import Checker
from tests.tools.http_app import running

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.builds(lambda: 10**5000)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(
        ["..", "../x", "a/b", "\r\nX: y", "\0", "\ud800", "http://x", "{name}", "%2e%2e"]
    )
    | st.binary(max_size=10)
    | st.complex_numbers()
    | st.sampled_from(
        [
            dt.date(2024, 1, 1),
            decimal.Decimal("1.5"),
            uuid.UUID(int=1),
            range(10**15),
            object(),
            Media(b"x", "image/png"),
        ]
    )
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(
            st.text(st.characters(codec=None), max_size=5) | st.integers(), inner, max_size=3
        )
    ),
    max_leaves=6,
)

PLACES = ["path", "query", "header", "cookie", "body"]
TYPES = ["string", "integer", "number", "boolean", "list", "object", "file", "any"]
ENDPOINTS = [
    Endpoint(
        f"e{number}-{body}",
        "POST",
        "/whoami/{path}" if number % 2 else "/whoami",
        params=tuple(
            Param(place, place, TYPES[(number + shift) % len(TYPES)], style=style)  # type: ignore[arg-type]
            for shift, (place, style) in enumerate(
                zip(PLACES, ["label", "deepObject", "", "", ""], strict=True)
            )
            if place != "path" or number % 2
        ),
        body=body,  # type: ignore[arg-type]
    )
    for number in range(8)
    for body in ("json", "form", "multipart")
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ENDPOINTS), st.dictionaries(st.sampled_from([*PLACES, "other"]), values))
def test_arguments_make_a_request_or_an_error(endpoint: Endpoint, arguments: dict[str, Any]):
    """A request stays at its host and under its path; its headers have no line breaks."""
    adapter = HTTPAdapter("api", base_url="http://x.invalid", endpoints=[endpoint])
    try:
        out = adapter._operations[f"api.{endpoint.name}"].request(arguments)
    except ToolError:
        return
    import httpx

    url = httpx.URL(out.url)
    assert url.host == "x.invalid"
    assert url.raw_path.startswith(b"/whoami")
    assert url.raw_path.partition(b"?")[0].count(b"/") == endpoint.path.count("/")
    assert not any(set("\r\n\0") & set(value) for _, value in out.headers)


async def test_calls_end_in_a_value_or_an_error():
    """The same over a real connection."""
    adapter = HTTPAdapter("api", base_url=running(), endpoints=ENDPOINTS, timeout=5)
    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(ENDPOINTS), st.dictionaries(st.sampled_from(PLACES), values))
    def each(endpoint: Endpoint, arguments: dict[str, Any]) -> None:
        call = adapter.call(f"api.{endpoint.name}", arguments)
        with contextlib.suppress(ToolError):
            asyncio.run_coroutine_threadsafe(call, loop).result(20)

    await asyncio.to_thread(each)
    await adapter.aclose()


keys = st.sampled_from(
    [
        *("type", "enum", "const", "anyOf", "oneOf", "allOf", "items", "properties", "required", "$ref"),
        *("minimum", "exclusiveMinimum", "multipleOf", "maxLength", "nullable", "pattern", "default"),
        *("additionalProperties", "format", "readOnly", "uniqueItems", "minItems"),
    ]
)  # fmt: skip
schemas = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["string", "integer", "object", "array", "#/components/schemas/A", "#", "(a+)+$"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas, schemas, values)
def test_schemas_are_made_harmless(schema: Any, other: Any, value: Any):
    """Any schema becomes a valid one that checks any value."""
    root = {"components": {"schemas": {"A": other, "B": schema}}}
    made = self_contained(schema, root)
    Draft202012Validator.check_schema(made)
    with contextlib.suppress(ToolCallError):
        Checker(made).check(value)


document_keys = st.sampled_from(
    [
        *("paths", "/a", "/{b}", "get", "post", "parameters", "name", "in", "schema", "requestBody"),
        *("content", "application/json", "responses", "200", "operationId", "tags", "security"),
        *("components", "schemas", "A", "$ref", "servers", "url", "required", "description", "style"),
    ]
)  # fmt: skip
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["path", "query", "x", "#/paths/~1a", "#/components/schemas/A", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(document_keys, inner, max_size=4),
    max_leaves=25,
)
operations = st.fixed_dictionaries(
    {}, optional={"get": documents, "post": documents, "parameters": documents}
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["/a", "/{b}", "c", ""]), operations), documents)
def test_documents_make_endpoints_or_are_told(paths: Any, components: Any):
    """Any document gives endpoints that can be offered, whatever is in it."""
    found = endpoints_of({"openapi": "3.1.0", "paths": paths, "components": components})
    HTTPAdapter("api", base_url="http://x.invalid", endpoints=found.endpoints)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: f"openapi: 3.0.0\n{text}".encode())
)
def test_bytes_are_a_document_or_an_error(raw: bytes):
    """Parsing ends in a mapping or a ``ToolError``."""
    with contextlib.suppress(ToolError):
        assert isinstance(parse_document(raw, "here"), dict)


def test_patterns_are_left_to_the_server():
    """A pattern that would take for ever is not tried here."""
    made = self_contained({"type": "string", "pattern": "^(a+)+$"}, {})
    assert Checker(made).check("a" * 5_000 + "!") == "a" * 5_000 + "!"


@pytest.mark.parametrize("size", [10_000, 1_000_001])
def test_large_values(size: int):
    """Large ones go to the server unchecked, endless ones are refused."""
    checker = Checker({"type": "array", "items": {"type": "integer"}})
    if size > 1_000_000:
        with pytest.raises(ToolCallError, match="more than 1,000,000 values"):
            checker.check(["x"] * size)
    else:
        assert len(checker.check(["x"] * size)) == size


def test_widening_references_stay_small():
    """A few lines that would be millions of schemas written out are cut."""
    levels: dict[str, Any] = {
        f"L{n}": {
            "properties": {str(k): {"$ref": f"#/components/schemas/L{n + 1}"} for k in range(10)}
        }
        for n in range(20)
    }
    made = self_contained({"$ref": "#/components/schemas/L0"}, {"components": {"schemas": levels}})
    assert str(made).count("properties") <= 1_000
