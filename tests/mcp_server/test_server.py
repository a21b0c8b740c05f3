"""The server itself, in this process, and on stores of other kinds."""

from __future__ import annotations

import asyncio

import pytest
from mcp.client.client import Client
from mcp.client.stdio import stdio_client
from mcp_types import ResourceTemplateReference

from py_code_mode import CodeExecutor, ConfigError, ExecutionResult, MemoryArtifactStore, ToolCall
from py_code_mode.mcp_server.content import content_of, plain, structure_of
from py_code_mode.mcp_server.server import create_server
from tests.mcp_server.conftest import parameters


async def test_many_artifacts_come_in_pages():
    """Each artifact is listed once, page by page, and names complete from their beginnings."""
    store = MemoryArtifactStore()
    for number in range(250):
        store.save(f"n/{number:03} ü", number)

    async def make_executor() -> CodeExecutor:
        return CodeExecutor(artifact_store=store)

    async with Client(create_server(make_executor)) as client:
        names: list[str] = []
        cursor = None
        while cursor is not None or not names:
            page = await client.list_resources(cursor=cursor)
            names += [each.name for each in page.resources]
            cursor = page.next_cursor
        assert names == [f"n/{number:03} ü" for number in range(250)]
        reference = ResourceTemplateReference(type="ref/resource", uri="artifact:///{+name}")
        found = await client.complete(reference, {"name": "name", "value": "n/01"})
        assert found.completion.values == [f"n/01{digit} ü" for digit in range(10)]
        assert (await client.read_resource("artifact:///n/007%20%C3%BC")).contents[0].text == "7\n"


async def test_what_takes_long_to_load_holds_up_no_list():
    """Tools of the server are listed while those of the executor are not there yet."""
    there = asyncio.Event()

    async def make_executor() -> CodeExecutor:
        await there.wait()
        return CodeExecutor()

    async with Client(create_server(make_executor)) as client:
        first = (await client.list_tools()).tools[0]
        assert "There are no tools" not in first.description
        there.set()
        assert (await client.call_tool("list_tools", {})).content[0].text == "[no tools]"


async def test_what_cannot_be_made_is_told():
    """The reason is the answer to each request that needs the executor."""

    async def make_executor() -> CodeExecutor:
        raise ConfigError("is wrong", file="x.yaml")

    async with Client(create_server(make_executor)) as client:
        for request in (client.list_tools(), client.call_tool("run_code", {"code": "1"})):
            with pytest.raises(Exception, match=r"the server cannot start: x\.yaml: is wrong"):
                await request


@pytest.mark.needs("redis-server")
async def test_redis(redis_servers, tmp_path):
    """``--redis`` holds tools, skills and artifacts that are not given otherwise."""
    server = redis_servers("redis-server")
    server.clear()
    url = f"redis://127.0.0.1:{server.port}/0?prefix=mcp"
    async with Client(stdio_client(parameters(tmp_path, ("--redis", url)))) as client:
        code = "def run() -> int:\n    return 7"
        await client.call_tool("create_skill", {"name": "seven", "code": code})
        await client.call_tool("run_code", {"code": "artifacts.save('n', skills.seven())"})
    async with await CodeExecutor.create(skills=url, artifacts=url) as executor:
        assert [skill.name for skill in executor.skill_library.list()] == ["seven"]
        assert executor.artifact_store.load("n") == 7


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [1, 2.5, None, True, "x"]}, ({"a": [1, 2.5, None, True, "x"]}, False)),
        ((1, 2), ("(1, 2)", True)),
        ({1: 2}, ("{1: 2}", True)),
        (float("nan"), ("nan", True)),
        (b"x", ("b'x'", True)),
        ([0] * 10_000, ("[" + "0, " * 333 + "...", True)),
        (10**5000, ("<int>", True)),
    ],
    ids=["json", "tuple", "keys", "nan", "bytes", "long", "digits"],
)
def test_values_are_json_or_their_repr(value, shown):
    """What JSON can say is said; anything else, or too much, is the beginning of a repr."""
    assert plain(value) == shown


def test_many_calls_are_counted():
    """Calls are told by tool and outcome, and a run that shows nothing says so."""
    calls = [ToolCall("a", {}, 0.5, "ok")] * 3 + [ToolCall("a", {}, 1.0, "error")]
    result = ExecutionResult(tool_calls=calls)
    assert structure_of(result, "")["tool_calls"] == [
        {"tool": "a", "outcome": "ok", "calls": 3, "seconds": 1.5},
        {"tool": "a", "outcome": "error", "calls": 1, "seconds": 1.0},
    ]
    assert [block.text for block in content_of(result, "")] == ["[1 of 4 calls of a failed]"]
    assert [block.text for block in content_of(ExecutionResult(), "7")] == [
        "(the code ran, and showed nothing)\n[session: 7]"
    ]
