"""OpenAPI documents as tools: a generated one, the public Petstore, and documents that are wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from py_code_mode import OpenAPIAdapter, ToolRegistry
from py_code_mode.errors import ToolCallError, ToolError
from py_code_mode.tools.http import Bearer
from py_code_mode.tools.http.operations import snake
from tests.tools.http_app import document, running, serve
from tests.tools.petstore_app import DOCUMENT, petstore

Start = Callable[..., Awaitable[tuple[OpenAPIAdapter, list[str]]]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start an API of a document, given as data or as its place; close it after the test."""
    made: list[OpenAPIAdapter] = []

    async def one(spec: Any, name: str = "api", **settings: Any):
        if isinstance(spec, dict):
            (tmp_path / "spec.json").write_text(json.dumps(spec))
            spec = str(tmp_path / "spec.json")
        made.append(OpenAPIAdapter(name, spec=spec, **settings))
        return made[-1], list(await made[-1].start())

    yield one
    for adapter in made:
        await adapter.aclose()


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The url of a Petstore."""
    with serve(petstore()) as url:
        yield url


def minimal(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths} | more


def operation(**said: Any) -> dict[str, Any]:
    return {"responses": {"200": {"description": "fine"}}} | said


# --- a generated document ----------------------------------------------------------------------


async def test_a_generated_document_is_imported_whole(start: Start):
    """Every operation FastAPI describes is a tool; none is left out, nothing is told."""
    adapter, told = await start(f"{running()}/openapi.json", "all")
    assert told == []
    ids = [op["operationId"] for item in document()["paths"].values() for op in item.values()]
    assert sorted(info.name for info in adapter.tools()) == sorted(f"all.{snake(i)}" for i in ids)
    infos = {info.name: info for info in adapter.tools()}
    info = infos["all.create_item_items_post"]
    assert [(p.name, p.annotation, p.required) for p in info.params] == [
        ("title", "str", True),
        ("price", "float", True),
        ("tags", "list[str]", False),
        ("color", "Literal['red', 'blue']", False),
        ("owner", "dict[str, Any] | None", False),
        ("children", "list[dict[str, Any]]", False),
    ]
    assert info.params[3].default == "red"
    assert info.returns == "dict[str, Any]"
    assert info.output_schema["properties"]["title"]["type"] == "string"
    assert infos["all.delete_item_items_item_id_delete"].returns == "None"
    assert infos["all.uploads_uploads_post"].params[0].annotation == "list[bytes]"
    assert infos["all.read_item_items_item_id_get"].description == "Read Item\n\nRead an item."


ITEM = {"title": "t", "price": 2.5, "tags": ["a"], "color": "blue", "owner": {"name": "o"}}
WHOLE = ITEM | {"owner": {"name": "o", "age": None}, "children": []}


@pytest.mark.parametrize(
    ("tool", "arguments", "result"),
    [
        ("read_item_items_item_id_get", {"item_id": 5, "q": "ü"}, {"item_id": 5, "q": "ü", "limit": 10}),
        ("create_item_items_post", ITEM, WHOLE),
        ("replace_item_items_item_id_put", {"item_id": "1", "item": ITEM}, {"item_id": 1, "item": WHOLE, "note": ""}),
        ("delete_item_items_item_id_delete", {"item_id": 1}, None),
        (
            "search_search_get",
            {"color": "red", "words": ("a b", "c&d"), "flag": True, "ratio": 1},
            {"color": "red", "words": ["a b", "c&d"], "flag": True, "ratio": 1.0},
        ),
        ("form_form_post", {"username": "u", "age": 4}, {"username": "u", "age": 4}),
        (
            "upload_upload_post",
            {"file": b"abc", "note": "n"},
            {"name": "file", "type": "application/octet-stream", "size": 3, "note": "n"},
        ),
        ("uploads_uploads_post", {"files": [b"a", b"bc"]}, [1, 2]),
        ("read_name_names_name_get", {"name": "a/b"}, None),
        ("flaky", {"key": "openapi"}, {"tries": 3}),
        ("binary_binary_get", {}, bytes(range(256))),
        ("text_text_get", {}, "grün"),
    ],
)  # fmt: skip
async def test_operations_of_a_generated_document(start: Start, tool, arguments, result):
    """Path, query, body, form, file, enum, nested and optional parameters reach the server."""
    adapter, _ = await start(f"{running()}/openapi.json")
    if arguments.get("name") == "a/b":  # the server finds no such route: nothing else is reached
        with pytest.raises(ToolCallError, match="answered 404"):
            await adapter.call(f"api.{tool}", arguments)
        return
    assert await adapter.call(f"api.{tool}", arguments) == result


async def test_headers_and_cookies_of_a_document(start: Start):
    """They have clean names, and go by their own in the request."""
    adapter, _ = await start(
        f"{running()}/openapi.json", include=["headers*"], auth=Bearer("t0ken")
    )
    got = await adapter.call("api.headers_headers_get", {"x_request_id": "r", "session": "s"})
    assert (got["x_request_id"], got["session"], got["authorization"]) == ("r", "s", "Bearer ***")


async def test_answers_that_are_errors(start: Start):
    """A validation error of the server comes with its status and what it says."""
    adapter, _ = await start(f"{running()}/openapi.json")
    with pytest.raises(ToolCallError, match="answered 418") as caught:
        await adapter.call("api.status_status_code_get", {"code": 418})
    assert caught.value.status == 418
    with pytest.raises(ToolCallError, match="'color' 'green' is not one of"):
        await adapter.call("api.search_search_get", {"color": "green"})
    with pytest.raises(ToolCallError, match="argument 'price' is missing"):
        await adapter.call("api.create_item_items_post", {"title": "t"})


# --- the Petstore ------------------------------------------------------------------------------

CALLS: list[tuple[str, dict[str, Any], Any]] = [
    ("add_pet", {"name": "Rex", "photo_urls": ["u"], "id": 1, "status": "sold", "tags": [{"id": 1, "name": "big"}]}, "Rex"),
    ("update_pet", {"id": 1, "name": "Max", "photoUrls": [], "status": "sold", "tags": [{"name": "big"}]}, "Max"),
    ("get_pet_by_id", {"pet_id": 1}, "Max"),
    ("find_pets_by_status", {"status": "sold"}, "Max"),
    ("find_pets_by_tags", {"tags": ["small", "big"]}, "Max"),
    ("update_pet_with_form", {"pet_id": 1, "name": "Bo", "status": "pending"}, "Bo"),
    ("upload_file", {"pet_id": 1, "additional_metadata": "front", "body": b"12345"}, "5 bytes, front"),
    ("get_inventory", {}, "{'pending': 1}"),
    ("delete_pet", {"pet_id": 1, "api_key": "special"}, "deleted with special"),
    ("place_order", {"id": 3, "pet_id": 1, "quantity": 2, "ship_date": "2024-01-01T00:00:00Z"}, "'petId': 1"),
    ("get_order_by_id", {"order_id": 3}, "'quantity': 2"),
    ("delete_order", {"order_id": 3}, "None"),
    ("create_user", {"username": "ann", "first_name": "Ann"}, "'firstName': 'Ann'"),
    ("create_users_with_list_input", {"body": [{"username": "bob"}, {"username": "eve"}]}, "eve"),
    ("login_user", {"username": "ann", "password": "12345"}, "logged in ann 5"),
    ("logout_user", {}, "None"),
    ("update_user", {"username": "ann", "last_name": "Lee"}, "None"),
    ("get_user_by_name", {"username": "ann"}, "'lastName': 'Lee'"),
    ("delete_user", {"username": "ann"}, "None"),
]  # fmt: skip


async def test_all_of_the_petstore(start: Start, store: str):
    """Its 19 operations are tools under clean names, and each reaches its path."""
    adapter, told = await start(f"{store}/api/v3/openapi.yaml", "petstore")
    (wants,) = told
    assert "'api_key' (api_key 'api_key' in header) or 'petstore_auth' (oauth2)" in wants
    names = {info.name for info in adapter.tools()}
    assert len(names) == 19
    assert {f"petstore.{name}" for name, *_ in CALLS} == names
    for name, arguments, part in CALLS:
        assert part in str(await adapter.call(f"petstore.{name}", arguments)), name
    for name in ("get_pet_by_id", "delete_pet"):
        with pytest.raises(ToolCallError, match=r"404 Not Found.*1 not found"):
            await adapter.call(
                f"petstore.{name}",
                {"pet_id": 1} | ({"api_key": "k"} if name == "delete_pet" else {}),
            )


async def test_the_petstore_as_an_agent_sees_it(start: Start):
    """Signatures and result shapes are those of the document."""
    adapter, _ = await start(
        str(DOCUMENT), "petstore", base_url="http://127.0.0.1:1", auth=Bearer("x")
    )
    infos = {info.name.partition(".")[2]: info for info in adapter.tools()}
    shown = {
        name: ([f"{p.name}: {p.annotation}" for p in infos[name].params], infos[name].returns)
        for name in (
            "get_pet_by_id",
            "find_pets_by_tags",
            "get_inventory",
            "upload_file",
            "login_user",
            "create_users_with_list_input",
        )
    }
    assert shown == {
        "get_pet_by_id": (["pet_id: int"], "dict[str, Any]"),
        "find_pets_by_tags": (["tags: list[str]"], "list[dict[str, Any]]"),
        "get_inventory": ([], "dict[str, int]"),
        "upload_file": (["pet_id: int", "additional_metadata: str", "body: bytes"], "dict[str, Any]"),
        "login_user": (["username: str", "password: str"], "str"),
        "create_users_with_list_input": (["body: list[dict[str, Any]]"], "dict[str, Any]"),
    }  # fmt: skip
    assert infos["get_pet_by_id"].output_schema["properties"]["category"]["properties"]["id"] == {
        "type": "integer",
        "format": "int64",
    }


async def test_include_and_exclude(start: Start):
    """Operations are chosen by id, by tag and by path; a pattern that fits nothing is told."""
    settings = {"base_url": "http://127.0.0.1:1", "auth": Bearer("x")}

    async def names(**choice: Any) -> set[str]:
        adapter, _ = await start(str(DOCUMENT), **settings, **choice)
        return {info.name.partition(".")[2] for info in adapter.tools()}

    assert await names(include=["getPet*"]) == {"get_pet_by_id"}
    assert await names(include=["get_pet_by_id", "login_user"]) == {"get_pet_by_id", "login_user"}
    assert len(await names(include=["store"])) == 4
    assert await names(include=["/user/lo*"]) == {"login_user", "logout_user"}
    assert await names(include=["store"], exclude=["delete*", "/store/order"]) == {
        "get_inventory",
        "get_order_by_id",
    }
    _, told = await start(str(DOCUMENT), **settings, include=["store", "nothing"])
    assert told == ["API 'api': include 'nothing' fits no operation of the document"]
    with pytest.raises(ToolError, match="has no operations; include 'nothing' fits"):
        await start(str(DOCUMENT), **settings, include=["nothing"])


async def test_from_a_file_and_in_a_kernel(make_executor, store: str, tmp_path: Path):
    """A tool file names the document; the agent calls its operations from a cell."""
    (tmp_path / "petstore.yaml").write_bytes(DOCUMENT.read_bytes())
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "petstore.yaml").write_text(
        "name: petstore\ntype: openapi\nspec: ../petstore.yaml\n"
        f"base_url: {store}/api/v3\nauth: {{type: bearer, token: '${{PET_TOKEN}}'}}\ntags: [pets]\n"
    )
    registry = await ToolRegistry.from_dir(tools, secrets={"PET_TOKEN": "t0p-secret"})
    assert registry.problems == ()
    executor = await make_executor(registry=registry)
    result = await executor.run(
        "tools.petstore.add_pet(id=7, name='Tom', photo_urls=['u'])\n"
        "import inspect\n"
        "try:\n"
        "    tools.petstore.get_pet_by_id(pet_id=8)\n"
        "except tools.ToolCallError as error:\n"
        "    caught = (error.status, error.body)\n"
        "pet = tools.petstore.get_pet_by_id(pet_id=7)\n"
        "again = tools.petstore.update_pet(**{**pet, 'name': 'Tim'})\n"
        "(pet, again['name'], caught, str(inspect.signature(tools.petstore.get_pet_by_id)))"
    )
    assert result.unwrap() == (
        {"id": 7, "name": "Tom", "photoUrls": ["u"]},
        "Tim",
        (404, {"detail": "8 not found"}),
        "(pet_id: int) -> dict[str, Any]",
    )
    assert [info.name for info in registry.search("inventory", 1)] == ["petstore.get_inventory"]


# --- documents that are unusual or wrong -------------------------------------------------------


async def test_names_that_clash_or_are_no_identifiers(start: Start):
    """All are reachable; a clash gets a number and is told."""
    ids = ["a-b", "a_b", "class", "3d", "list", "ünïcode", "", None]
    paths = {f"/p{n}": {"get": operation(operationId=each)} for n, each in enumerate(ids)}
    spec = minimal(paths)
    params = [
        {"name": "id", "in": "query", "schema": {}},
        {"name": "id", "in": "header", "schema": {}},
        {"name": "class", "in": "query", "schema": {}},
        {"name": "3-D", "in": "query", "schema": {}},
    ]
    spec["paths"]["/p0"]["get"]["parameters"] = params
    adapter, told = await start(spec, base_url=f"{running()}/whoami")
    registry = ToolRegistry()
    registry.register_adapter(adapter)
    names = [info.name for info in adapter.tools()]
    assert names == ["api.a_b", "api.a_b_2", "api.class", "api.3d", "api.list", "api.ünïcode", "api.get_p6", "api.get_p7"]  # fmt: skip
    assert told == ["API 'api': GET /p1 is called 'a_b_2': there is another 'a_b'"]
    for name in ("api.class_", "api._3d", "api.list", "api.ünïcode"):
        assert registry.get_tool(name) is not None
    first = adapter.tools()[0]
    assert [param.name for param in first.params] == ["id", "id_header", "class", "_3_d"]


@pytest.mark.parametrize(
    ("style", "explode", "value", "query"),
    [
        ("form", True, [1, 2], "x=1&x=2"),
        ("form", False, [1, 2], "x=1,2"),
        ("spaceDelimited", False, [1, 2], "x=1%202"),
        ("pipeDelimited", False, ["a|", "b"], "x=a%7C%7Cb"),
        ("deepObject", True, {"a": 1, "b": [2, 3]}, "x%5Ba%5D=1&x%5Bb%5D=2&x%5Bb%5D=3"),
        ("form", True, {"a": 1, "b": "&"}, "a=1&b=%26"),
        ("form", False, {"a": 1, "b": 2}, "x=a,1,b,2"),
        (None, None, [], ""),
        (None, None, {"a": 1}, "a=1"),
    ],
)
async def test_styles_of_a_query(start: Start, style, explode, value, query):
    """Lists and objects are written as the document says."""
    param = {"name": "x", "in": "query", "schema": {"type": ["array", "object"]}}
    param |= {
        key: each for key, each in (("style", style), ("explode", explode)) if each is not None
    }
    spec = minimal({"/whoami": {"get": operation(operationId="w", parameters=[param])}})
    adapter, _ = await start(spec, base_url=running())
    assert (await adapter.call("api.w", {"x": value}))["query"] == query


@pytest.mark.parametrize(
    ("style", "explode", "value", "path"),
    [
        ("simple", False, [1, "a/b"], "/names/1,a%2Fb"),
        ("simple", True, {"a": 1}, "/names/a=1"),
        ("label", False, [1, 2], "/names/.1,2"),
        ("label", True, [1, 2], "/names/.1.2"),
        ("matrix", False, [1, 2], "/names/;name=1,2"),
        ("matrix", True, [1, 2], "/names/;name=1;name=2"),
        ("matrix", False, 5, "/names/;name=5"),
    ],
)
async def test_styles_of_a_path(start: Start, style, explode, value, path):
    """The same in a path."""
    param = {"name": "name", "in": "path", "required": True, "style": style, "explode": explode}
    spec = minimal({"/names/{name}": {"get": operation(operationId="n", parameters=[param])}})
    adapter, _ = await start(spec, base_url="http://x.invalid")
    assert adapter._operations["api.n"].request({"name": value}).url == f"http://x.invalid{path}"


async def test_bodies_of_a_document(start: Start):
    """``allOf`` is one object, cycles end, read-only properties are left out, others are whole."""
    node = {
        "type": "object",
        "required": ["id", "name"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "name": {"type": "string"},
            "next": {"$ref": "#/components/schemas/Node"},
        },
    }
    both = {
        "allOf": [
            {"$ref": "#/components/schemas/Node"},
            {"properties": {"more": {"type": "string", "nullable": True}}},
        ]
    }

    def body(schema: Any, kind: str = "application/json") -> Any:
        return operation(requestBody={"required": True, "content": {kind: {"schema": schema}}})

    spec = minimal(
        {
            "/whoami": {
                "post": body(both) | {"operationId": "both"},
                "put": body({"oneOf": [both, {"type": "string"}]}) | {"operationId": "either"},
            }
        },
        components={"schemas": {"Node": node}},
    )
    adapter, _ = await start(spec, base_url=running())
    both_info, either = adapter.tools()
    assert [(p.name, p.annotation, p.required) for p in both_info.params] == [
        ("name", "str", True),
        ("next", "dict[str, Any]", False),
        ("more", "str | None", False),
    ]
    got = await adapter.call(
        "api.both", {"name": "n", "next": {"name": "m", "next": {"name": "o"}}, "more": None}
    )
    assert got["body"] == '{"name":"n","next":{"name":"m","next":{"name":"o"}},"more":null}'
    assert [param.name for param in either.params] == ["body"]
    assert (await adapter.call("api.either", {"body": "text"}))["body"] == '"text"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "neither JSON nor YAML"),
        ("[]", "holds no mapping"),
        ("swagger: '2.0'", r"must be OpenAPI 3\.0 or 3\.1; this says '2\.0'"),
        ("openapi: 4.0.0\n", r"this says '4\.0\.0'"),
        ("a: 1", "names no version"),
        ("openapi: 3.0.0", "has no operations"),
        ("openapi: 3.0.0\npaths: [1]", "has no operations"),
        ("openapi: 3.0.0\npaths: {/a: {get: 3, post: []}}", "has no operations"),
        ("a: " + "[" * 1000, "nested more than|nesting depth"),
        ("a: &a [*a]\nb: *nope", "neither JSON nor YAML"),
        ("\xff\xfe", "neither JSON nor YAML"),
    ],
)
async def test_documents_that_are_wrong(start: Start, tmp_path: Path, text: str, said: str):
    """Each is an error that names the API, the document and what is wrong with it."""
    (tmp_path / "spec").write_bytes(text.encode("latin-1"))
    with pytest.raises(ToolError, match=said) as caught:
        await start(str(tmp_path / "spec"), base_url="http://x.invalid")
    assert caught.value.message.startswith("API 'api': spec ")


async def test_a_document_that_cannot_be_had(start: Start, tmp_path: Path):
    """No file, no server, or an error of the server: nothing is offered."""
    with pytest.raises(ToolError, match="No such file"):
        await start(str(tmp_path / "none"))
    with pytest.raises(ToolError, match="answered 404"):
        await start(f"{running()}/none.json")
    with pytest.raises(ToolError, match="connect"):
        await start("http://127.0.0.1:1/openapi.json", retries=0)


async def test_a_document_may_not_name_any_server(start: Start, tmp_path: Path):
    """One that was fetched speaks for its own host; a file needs a whole url."""
    get = {"/x": {"get": operation()}}
    file = minimal(
        get, servers=[{"url": "https://{r}.x.invalid/v1", "variables": {"r": {"default": "eu"}}}]
    )
    adapter, _ = await start(file)
    assert adapter._operations["api.get_x"].request({}).url == "https://eu.x.invalid/v1/x"
    with pytest.raises(ToolError, match="no whole url; set base_url"):
        await start(minimal(get))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = json.dumps(minimal(get, servers=[{"url": "http://169.254.169.254/"}])).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    with serve(application) as url:
        with pytest.raises(
            ToolError, match=r"names the server 'http://169\.254\.169\.254/'.*base_url"
        ):
            await start(f"{url}/openapi.json")
        adapter, _ = await start(f"{url}/openapi.json", base_url=url)
        assert adapter.tools()
