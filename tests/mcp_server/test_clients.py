"""The official client, in both eras of the protocol, over both transports: each tool once."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from tests.mcp_server.conftest import MODES, Http, connected, make_folder

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
NAMES = [
    *("run_code", "list_tools", "search_tools", "list_skills", "search_skills"),
    *("create_skill", "reset_session", "list_variables"),
]


class Talk:
    """A client, and the handle of its session where sessions have one."""

    def __init__(self, client: Client, *, has_handles: bool) -> None:
        self.client = client
        self.has_handles = has_handles
        self.handle: dict[str, str] = {}

    async def call(self, name: str, /, **arguments: Any) -> Any:
        return await self.client.call_tool(name, arguments)

    async def run(self, code: str, progress_callback: Any = None, **options: Any) -> Any:
        arguments = {"code": code, **self.handle, **options}
        result = await self.client.call_tool(
            "run_code", arguments, progress_callback=progress_callback
        )
        if self.has_handles:
            self.handle = {"session": result.structured_content["session"]}
        return result

    async def value(self, code: str) -> Any:
        result = await self.run(code)
        assert not result.is_error, result.content
        return result.structured_content["value"]


@contextlib.asynccontextmanager
async def talking(transport: str, mode: str, http: Http, tmp_path) -> AsyncIterator[Talk]:
    where = http if transport == "http" else make_folder(tmp_path)
    async with connected(where, mode) as client:
        yield Talk(client, has_handles=(transport, mode) == ("http", "auto"))


both = pytest.mark.parametrize("transport", ["stdio", "http"])
eras = pytest.mark.parametrize("mode", MODES)


@both
@eras
async def test_each_tool(transport, mode, http, tmp_path):
    """Code runs with all three namespaces, is told of and cancelled, and all there is can be found."""
    async with talking(transport, mode, http, tmp_path) as talk:
        shown = (await talk.client.list_tools()).tools
        assert [tool.name for tool in shown] == NAMES
        assert "tools.wc(file: " in shown[0].description
        assert ("session" in shown[0].input_schema["properties"]) is talk.has_handles
        assert (shown[0].annotations.destructive_hint, shown[1].annotations.read_only_hint) == (
            True,
            True,
        )

        ran = await talk.run(
            "from IPython.display import Image\n"
            "print('before')\n"
            f"display(Image(data=__import__('base64').b64decode('{PNG}'), format='png'))\n"
            "x = skills.count_words(file='text')\nartifacts.save('a/b c.txt', 'kept')\nx"
        )
        texts = [block.text for block in ran.content if block.type == "text"]
        (image,) = [block for block in ran.content if block.type == "image"]
        assert [block.type for block in ran.content] == ["text", "image", "text"]
        assert (texts[0], texts[1].split("\n")[0]) == ("before", "3")
        assert (image.data, image.mime_type) == (PNG, "image/png")
        said = ran.structured_content
        assert (said["value"], said["stdout"], said["error"]) == (3, "before\n", None)
        assert [(call["tool"], call["calls"]) for call in said["tool_calls"]] == [("wc", 1)]

        failed = await talk.run("1 / 0")
        assert (failed.is_error, failed.structured_content["error"]["name"]) == (
            True,
            "ZeroDivisionError",
        )
        assert "ZeroDivisionError: division by zero" in failed.content[0].text
        await _find(talk)
        await _keep(talk)
        await _tell_and_cancel(talk)


async def _find(talk: Talk) -> None:
    tools = (await talk.call("list_tools")).structured_content
    assert ([tool["name"] for tool in tools["tools"]], tools["total"]) == (["wc"], 1)
    found = await talk.call("search_tools", query="counting words")
    assert found.content[0].text.startswith("tools.wc(file: ")
    listed = await talk.call("list_skills")
    assert "skills.count_words(file: str) -> int" in listed.content[0].text
    assert (await talk.call("search_skills", query="quantum")).structured_content["skills"] == []
    code = "def run(n: int) -> int:\n    return 2 * n"
    made = await talk.call(
        "create_skill", name="double", code=code, description="Double a number", replace=True
    )
    assert made.structured_content["skills"][0]["call"] == "skills.double(n: int) -> int"
    assert await talk.value("skills.double(n=21)") == 42
    wrong = await talk.call("create_skill", name="no name", code=code)
    assert (wrong.is_error, "no name" in wrong.content[0].text) == (True, True)
    wrong = await talk.call("search_tools", words="x")
    assert (wrong.is_error, "It takes query, limit" in wrong.content[0].text) == (True, True)
    with pytest.raises(MCPError, match="Unknown tool: nope; there are 'run_code'"):
        await talk.call("nope")


async def _keep(talk: Talk) -> None:
    resources = (await talk.client.list_resources()).resources
    assert ("artifact:///a/b%20c.txt", 4, "text/plain") in [
        (each.uri, each.size, each.mime_type) for each in resources
    ]
    (read,) = (await talk.client.read_resource("artifact:///a/b%20c.txt")).contents
    assert read.text == "kept"
    await talk.run("artifacts.save('raw.bin', b'\\x00\\xff')")
    (read,) = (await talk.client.read_resource("artifact:///raw.bin")).contents
    assert base64.b64decode(read.blob) == b"\x00\xff"
    with pytest.raises(MCPError, match=r"no artifact named 'raw\.bim'; did you mean 'raw\.bin'"):
        await talk.client.read_resource("artifact:///raw.bim")
    for odd in ("artifact:///../../etc/passwd", "file:///etc/passwd"):
        with pytest.raises(MCPError):
            await talk.client.read_resource(odd)
    templates = (await talk.client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == ["artifact:///{+name}"]
    prompt = await talk.client.get_prompt("code_mode")
    assert "tools.wc(file: " in prompt.messages[0].content.text

    variables = (await talk.call("list_variables", **talk.handle)).structured_content["variables"]
    assert ("x", "int", "3") in [(row["name"], row["type"], row["preview"]) for row in variables]
    assert not (await talk.call("reset_session", **talk.handle)).is_error
    assert (await talk.run("x")).structured_content["error"]["name"] == "NameError"


async def _tell_and_cancel(talk: Talk) -> None:
    """What a cell prints is told while it runs; a cancelled call breaks the cell, and no more."""
    told: list[tuple[float, str]] = []
    heard = asyncio.Event()

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message or ""))
        heard.set()

    assert await talk.value("x = 1\nx") == 1
    endless = "import time\nprint('begun')\nx = 2\ntime.sleep(100)\nx = 3"
    running = asyncio.create_task(talk.run(endless, progress_callback=progress))
    await asyncio.wait_for(heard.wait(), 30)
    assert told[0] == (1, "begun")
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await talk.value("x") == 2
    assert time.monotonic() - began < 10

    told.clear()
    await talk.run("for i in range(5000): print(i)", progress_callback=progress)
    assert len(told) < 100
    assert [done for done, _ in told] == [*range(1, len(told) + 1)]


async def test_a_dead_kernel_is_told(http, tmp_path):
    """A cell that kills its kernel is an error with a reason, and the next one runs in a new one."""
    async with talking("http", "auto", http, tmp_path) as talk:
        died = (await talk.run("import os; os.kill(os.getpid(), 9)")).structured_content
        assert died["error"]["name"] == "KernelDied"
        again = (await talk.run("1")).structured_content
        assert again["value"] == 1
        assert died["state_lost"] or again["state_lost"]
        late = (await talk.run("while True: pass", timeout=0.3)).structured_content
        assert late["error"]["name"] == "ExecutionTimeout"
