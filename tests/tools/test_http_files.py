"""YAML files of HTTP APIs: what they say works, and what is wrong is named."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from py_code_mode.errors import ConfigError, ToolCallError
from py_code_mode.tools import ToolRegistry
from tests.tools.http_app import running

FILE = """
name: shop
type: http
description: The shop
base_url: ${SHOP}
headers: {X-Key: "${KEY}"}
auth: {type: bearer, token: "${TOKEN}"}
tags: [web]
timeout: 5
endpoints:
  - name: item
    path: /items/{item_id}
    description: One item
    params:
      - {name: item_id, type: integer, description: Its number}
      - {name: limit, type: integer, default: "3"}
      - {name: query, key: q}
  - name: search
    path: /search
    params:
      - {name: color, type: enum, values: [red, blue], required: true}
      - {name: words, type: list, items: string}
      - {name: flag, type: boolean, default: true}
  - name: create
    method: post
    path: /items
    params:
      - {name: title, required: true}
      - {name: price, type: number, required: true}
      - {name: owner, type: object}
  - name: whoami
    path: /whoami
  - name: upload
    method: POST
    path: /upload
    body: multipart
    params: [{name: file, type: file, required: true}]
"""


async def load(folder: Path, text: str, **secrets: str) -> ToolRegistry:
    (folder / "shop.yaml").write_text(textwrap.dedent(text).lstrip("\n"))
    return await ToolRegistry.from_dir(folder, secrets=secrets)


async def test_a_file_of_each_key(tmp_path: Path):
    """Endpoints, places by default, types, defaults, secrets and tags work as the page says."""
    registry = await load(tmp_path, FILE, SHOP=running(), KEY="k3y-of-shop", TOKEN="t0ken-of-shop")
    call = registry.call_tool
    assert await call("shop.item", {"item_id": 4, "query": "x"}) == {
        "item_id": 4,
        "q": "x",
        "limit": 3,
    }
    got = await call("shop.search", {"color": "blue", "words": ["a", "b"]})
    assert got == {"color": "blue", "words": ["a", "b"], "flag": True, "ratio": 0.5}
    got = await call("shop.create", {"title": "t", "price": "2.5", "owner": {"name": "o"}})
    assert (got["price"], got["owner"]["name"]) == (2.5, "o")
    got = await call("shop.whoami", {})
    assert (got["headers"]["authorization"], got["headers"]["x-key"]) == ("Bearer ***", "***")
    assert (await call("shop.upload", {"file": b"abc"}))["size"] == 3
    info = registry.get_tool("shop.search")
    assert info.tags == {"web"}
    assert info.description == "The shop"
    assert [f"{p.name}: {p.annotation}" for p in info.params] == [
        "color: Literal['red', 'blue']",
        "words: list[str]",
        "flag: bool",
    ]
    with pytest.raises(ToolCallError, match="argument 'color' 'green' is not one of"):
        await call("shop.search", {"color": "green"})
    await registry.aclose()


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "said"),
    [
        ("timeout: 5", "timeout: 0", 8, "timeout", "greater than 0"),
        ("timeout: 5", "timout: 5", 8, "timout", "did you mean 'timeout'"),
        ("base_url: ${SHOP}", "base_url: shop", 4, "base_url", "must be http://host"),
        ("base_url: ${SHOP}", "base_url: ${NONE_SUCH}", 4, "base_url", r"\$\{NONE_SUCH\} is not set"),
        ("base_url: ${SHOP}\n", "", 1, "base_url", "is missing"),
        ("X-Key: ", "X Key: ", 5, "headers", "cannot be the name of a header"),
        ("${KEY}", "${NONE_SUCH}", 5, "headers.X-Key", "is not set"),
        ("${TOKEN}", "${NONE_SUCH}", 6, "auth.token", "is not set"),
        ("type: bearer, token:", "type: bearer, value:", 6, "auth.token", "is missing; auth of type bearer"),
        ("type: bearer", "type: basic", 6, "auth.token", "does not belong to auth of type basic"),
        ("type: bearer", "type: digest", 6, "auth.type", "'bearer', 'basic' or 'api_key'"),
        ("path: /items/{item_id}", "path: items", 11, "endpoints.0.path", "begins with '/'"),
        ("name: item_id, type", "name: id, in: path, type", 14, "endpoints.0.params.0.name", "neither in the path"),
        ('default: "3"', "default: many", 15, "endpoints.0.params.1.default", "does not fit"),
        ("type: enum, values: [red, blue]", "type: enum", 20, "endpoints.1.params.0.type", "needs the key 'values'"),
        ("type: list, items: string", "type: string, items: string", 21, "endpoints.1.params.1.items", "only type list"),
        ("type: boolean", "type: bool", 22, "endpoints.1.params.2.type", "'boolean'"),
        ("method: post", "method: fetch", 24, "endpoints.2.method", "must be one of"),
        ("name: create", "name: search", 23, "endpoints.2.name", "two 'search'"),
        ("body: multipart", "body: parts", 35, "endpoints.4.body", "'multipart'"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(tmp_path: Path, old, new, line, key, said):
    """An error names the file, the line and the key."""
    assert old in FILE
    text = FILE.replace(old, new, 1)
    with pytest.raises(ConfigError, match=said) as caught:
        await load(tmp_path, text, SHOP=running(), KEY="k", TOKEN="t")
    assert (caught.value.file.name, caught.value.line, caught.value.key) == ("shop.yaml", line, key)


async def test_a_spec_is_looked_for_beside_its_file(tmp_path: Path):
    """A document that is not there is told with the file; other files work on."""
    (tmp_path / "a.yaml").write_text("name: a\ntype: openapi\nspec: none.json\n")
    (tmp_path / "b.yaml").write_text("name: b\ncommand: echo\n")
    registry = await ToolRegistry.from_dir(tmp_path)
    (problem,) = registry.problems
    assert problem.file.name == "a.yaml"
    assert "API 'a': spec" in str(problem)
    assert str(tmp_path / "none.json") in str(problem)
    assert [info.name for info in registry.list_tools()] == ["b"]


async def test_an_openapi_file(tmp_path: Path):
    """A document at a url, some operations of it, a key in the query."""
    text = f"""
        name: all
        type: openapi
        spec: {running()}/openapi.json
        include: [items, "/search", "read_name*"]
        exclude: [delete*]
        auth: {{type: api_key, name: key, value: "${{KEY}}", in: query}}
        """
    registry = await load(tmp_path, text, KEY="k3y-of-all")
    assert registry.problems == ()
    names = [info.name for info in registry.list_tools()]
    assert len(names) == 5
    assert "all.search_search_get" in names
    assert await registry.call_tool("all.read_name_names_name_get", {"name": "n"}) == "n"
    await registry.aclose()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("spec: ''", "spec"),
        ("spec: a.json\nbase_url: ftp://x", "base_url"),
        ("spec: a.json\nbase_url: http://{x}", "base_url"),
        ("spec: a.json\nendpoints: []", "endpoints"),
        ("spec: a.json\nauth: {type: api_key, name: x}", "auth.value"),
        ("spec: ${NONE_SUCH}", "spec"),
        ("include: [a]", "spec"),
    ],
)
async def test_openapi_files_that_are_wrong(tmp_path: Path, text: str, key: str):
    """They are refused before anything is read."""
    with pytest.raises(ConfigError) as caught:
        await load(tmp_path, f"name: all\ntype: openapi\n{text}\n")
    assert caught.value.key == key
