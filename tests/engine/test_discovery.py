"""Finding tools in a session: completion, inspection, shapes that were learned, long maps."""

from __future__ import annotations

import asyncio
import re

import pytest

from py_code_mode import ToolInfo, ToolParam, ToolRegistry


class Server:
    """A server whose tools have all kinds of names, and wait as long as they are told."""

    def tools(self):
        state = ToolParam("state", "str", required=True, description="Two letters.")
        seconds = ToolParam("seconds", "float", default=0.0)
        return [
            ToolInfo("weather.get-alerts", "Alerts of a state.", (state,), returns="list[str]"),
            ToolInfo("weather.list", "All places.", (seconds,)),
            ToolInfo("weather.deep.3d", "A view.\n\nFrom above."),
            ToolInfo("class", "Classify."),
        ]

    async def call(self, name, arguments):
        await asyncio.sleep(arguments.get("seconds", 0))
        return [{"name": "Oslo", "lat": 59.9}]

    async def aclose(self):
        pass


@pytest.fixture
async def executor(make_executor):
    """An executor with such a server."""
    registry = ToolRegistry()
    registry.register_adapter(Server())
    return await make_executor(registry=registry)


async def test_completion_knows_each_level(executor):
    """Tab offers tools, groups and verbs, the tools of a group, and arguments, cleaned names too."""
    result = await executor.run(
        "def tab(code):\n"
        "    return get_ipython().kernel.do_complete(code, len(code))['matches']\n"
        "[tab(c) for c in ('tools.', 'tools.weather.', 'tools.weather.deep.',\n"
        "                  'tools.weather.get_alerts(st')]"
    )
    top, weather, deep, arguments = result.unwrap()
    assert {"weather", "class_", "search", "describe", "map", "amap"} <= {*top}
    assert weather == ["deep", "get_alerts", "list"]
    assert set(deep) <= {"_3d"}  # IPython may hide names with an underscore in front
    assert "state=" in arguments


async def test_inspection_knows_each_level(executor):
    """``?``, ``help`` and ``inspect.signature`` work for nested tools and for groups."""
    result = await executor.run(
        "import inspect, pydoc\n"
        "def look(code):\n"
        "    return get_ipython().kernel.do_inspect(code, len(code))['data']['text/plain']\n"
        "[look('tools.weather.get_alerts'), look('tools.weather.get_alerts('),\n"
        " look('tools.weather'), pydoc.render_doc(tools.weather.deep),\n"
        " str(inspect.signature(tools.weather.get_alerts)),\n"
        " str(inspect.signature(tools.class_.acall))]"
    )
    page, in_call, group, deep, signature, awaited = result.unwrap()
    for text in (page, in_call):
        assert "(state: str) -> list[str]" in text
        assert "Two letters." in text
    assert "tools.weather.get_alerts: Alerts of a state." in group
    assert "A view." in deep
    assert signature == "(state: str) -> list[str]"
    assert awaited == "()"
    shown = await executor.run("tools.weather")
    assert shown.text == "<tools.weather: deep._3d, get_alerts, list>"
    asked = await executor.run("tools.weather?")
    assert "tools.weather.list: All places." in asked.text


async def test_a_learned_shape_is_in_the_next_cell(executor):
    """Once a tool of unknown result has been called, its description shows what came, flagged."""
    before = await executor.run("tools.describe('weather.list')")
    assert "Returns" not in before.unwrap()
    await executor.run("tools.weather.list()")
    after = await executor.run("tools.describe('weather.list')")
    assert "observed" in after.unwrap()
    assert "list[{'lat': float, 'name': str}]" in after.unwrap()
    assert "list[ObservedWeatherListResultItem]:  # observed, not promised" in executor.stubs()


async def test_a_long_map_shows_a_bar_once(executor):
    """Of a map that takes longer one line of progress is left in the result; quick ones show none."""
    calls = "[{'seconds': 0.2}] * 4"
    result = await executor.run(f"len(tools.map('weather.list', {calls}, concurrency=1))")
    assert result.unwrap() == 4
    assert re.fullmatch(r"weather\.list: 100% \|#{20}\| 4/4 \[[^\]]+\] *\n", result.stderr)
    result = await executor.run(f"len(tools.map('weather.list', {calls}, progress=False))")
    assert (result.unwrap(), result.stderr) == (4, "")


@pytest.mark.parametrize("call", ["tools.map", "await tools.amap"])
async def test_what_a_stopped_map_has_done_is_not_lost(executor, call):
    """After a time limit the next cell finds the results, and errors for those that were out."""
    result = await executor.run(
        f"{call}('weather.list', [{{'seconds': 0 if n < 3 else 60}} for n in range(9)],\n"
        "    concurrency=2, progress=False)",
        timeout=1.0,
    )
    assert result.error.name == "ExecutionTimeout"
    assert "sys.last_value.results" in result.text
    kept = await executor.run(
        "import sys\n"
        "[each if isinstance(each, list) else type(each).__name__\n"
        " for each in sys.last_value.results]"
    )
    assert kept.unwrap() == [[{"name": "Oslo", "lat": 59.9}]] * 3 + ["ToolError"] * 2


async def test_retries_reach_the_tool_again(make_executor):
    """What the tool failed at is tried again, wrong arguments are not."""
    registry, tries = ToolRegistry(), []

    async def flaky(n: int) -> int:
        """Fail the first time."""
        tries.append(n)
        if len(tries) == 1:
            raise RuntimeError("not yet")
        return n

    registry.add(flaky)
    executor = await make_executor(registry=registry)
    result = await executor.run(
        "got = tools.map('flaky', [{'n': 1}, {'n': 'x'}, {'m': 2}, {'n': 3}], retries=2)\n"
        "[each if isinstance(each, int) else type(each).__name__ for each in got]"
    )
    assert result.unwrap() == [1, "ToolCallError", "ToolCallError", 3]
    assert sorted(tries) == [1, 1, 3]
    assert len(result.tool_calls) == 5


async def test_a_thousand_tools_are_pushed_once(make_executor):
    """Kernels get the list packed, made once for each state of the tools; what is new is in it."""
    registry = ToolRegistry()
    for n in range(1000):
        registry.add(lambda: None, name=f"group{n % 10}.tool{n}", description=f"Tool {n}.")
    executor = await make_executor(registry=registry)
    settings = executor._settings
    result = await executor.run("len(tools.list()), tools.group7.tool7.__doc__, len(repr(tools))")
    count, doc, shown = result.unwrap()
    assert (count, doc) == (1000, "Tool 7.")
    assert shown < 1000
    packed = settings.catalogue()
    assert settings.catalogue() is packed
    row = settings._described["group7.tool7"][1]
    registry.add(lambda: None, name="late")
    assert (await executor.run("len(tools.list()), tools.late()")).unwrap() == (1001, None)
    assert settings._described["group7.tool7"][1] is row
