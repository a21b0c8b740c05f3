"""``tools`` in a kernel: finding, calling, mapping, and what probes of it come upon."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import threading

import pytest

from kernel_bootstrap.namespaces import Catalogue, ToolGroup, Tools
from kernel_bootstrap.wire.errors import (
    ToolCallError,
    ToolNotFoundError,
    ValueNotEncodableError,
)
from tests.bootstrap.fakes import HOLD, eventually, param, tool

TOOLS = [
    tool("nmap", param("target", "str"), description="Scan hosts."),
    tool("weather.get_alerts", param("state", "str"), description="Alerts of a state."),
    tool("weather.forecast.daily", param("days", "int", default=3)),
    tool("my-tool", path="my_tool"),
    tool("list", path="list_"),
]


def echo(request):
    """Answer a tool call with its name and arguments; a search with two tools."""
    if request.method == "tools.search":
        return TOOLS[: request.params["limit"]]
    if "fail" in request.params["arguments"]:
        raise ToolCallError("it failed", n=request.params["arguments"]["fail"])
    return request.params["name"], request.params["arguments"]


@pytest.fixture
def host(make_host):
    """A host that echoes tool calls."""
    return make_host(echo)


@pytest.fixture
def tools(host):
    """``tools`` of a session with all kinds of names."""
    return Tools(host.link, Catalogue(TOOLS))


# --- the catalogue -----------------------------------------------------------------------------


def test_the_catalogue_finds_by_name_and_by_path():
    """A tool is found under its exact name and under its attribute path."""
    catalogue = Catalogue(TOOLS)
    assert catalogue.find("my-tool") is catalogue.find("my_tool")
    assert catalogue.find("weather.get_alerts")["description"] == "Alerts of a state."


@pytest.mark.parametrize(
    ("name", "near"), [("nmpa", "nmap"), ("weather.alerts", "weather.get_alerts")]
)
def test_an_unknown_name_lists_near_ones(name, near):
    """The error for an unknown tool offers the nearest names, each once."""
    with pytest.raises(ToolNotFoundError, match=f"did you mean.*{near}") as caught:
        Catalogue(TOOLS).find(name)
    assert caught.value.near[0] == near
    assert len(caught.value.near) == len(set(caught.value.near))


def test_with_nothing_near_the_error_says_where_to_look():
    """An unknown name far from all others points at ``tools.list()``."""
    error = Catalogue(TOOLS).missing("zzzzzz")
    assert error.near == []
    assert "tools.list()" in str(error)


def test_replacing_the_catalogue_replaces_the_functions(host):
    """A newer list of tools counts at once, for signatures too."""
    catalogue = Catalogue(TOOLS)
    tools = Tools(host.link, catalogue)
    assert tools.nmap is tools.nmap
    catalogue.replace([tool("nmap", param("ports", "int"))])
    assert str(inspect.signature(tools.nmap)) == "(ports: int)"
    assert not hasattr(tools, "weather")
    assert [row["name"] for row in tools.list()] == ["nmap"]


# --- calling -----------------------------------------------------------------------------------


async def test_every_way_to_call(tools):
    """Attribute, nested attribute, exact name and their awaitable forms reach the same tool."""
    assert tools.nmap(target="h") == ("nmap", {"target": "h"})
    assert tools.nmap("h") == ("nmap", {"target": "h"})
    assert tools.weather.get_alerts("CA") == ("weather.get_alerts", {"state": "CA"})
    assert tools.weather.forecast.daily() == ("weather.forecast.daily", {})
    assert tools.my_tool(name=1) == ("my-tool", {"name": 1})
    assert tools.call("my-tool", {"name": 1, "self": 2}) == ("my-tool", {"name": 1, "self": 2})
    assert tools.call("nmap") == ("nmap", {})
    assert tools.list_() == ("list", {})
    assert await tools.nmap.acall(target="h") == ("nmap", {"target": "h"})
    assert await tools.weather.get_alerts.acall("CA") == ("weather.get_alerts", {"state": "CA"})
    assert await tools.acall("my-tool", {"a": 1}) == ("my-tool", {"a": 1})


def test_names_the_catalogue_lacks_still_go_to_the_host(tools, host):
    """``tools.call`` leaves it to the host whether a tool exists: its list is the newer one."""
    assert tools.call("brand-new", {}) == ("brand-new", {})
    with pytest.raises(ToolNotFoundError):
        _ = tools.brand_new
    assert len(host.requests) == 1


def test_errors_are_within_reach(tools):
    """``tools.ToolError`` and its subclasses can be caught without an import."""
    with pytest.raises(tools.ToolError) as caught:
        tools.nmap(fail=1)
    assert type(caught.value) is tools.ToolCallError
    for name in ("ToolNotFoundError", "ToolTimeoutError", "ToolDeniedError"):
        assert issubclass(getattr(tools, name), tools.ToolError)


def test_list_search_and_describe(tools, host):
    """Rows have name, description and params; a description has the signature."""
    rows = tools.list()
    assert [row["name"] for row in rows] == [info["name"] for info in TOOLS]
    assert all(row.keys() == {"name", "description", "params"} for row in rows)
    assert tools.search("scan", limit=2) == rows[:2]
    assert dict(host.requests[0].params) == {"query": "scan", "limit": 2}
    assert tools.describe("nmap") == "tools.nmap(target: str)\n\nScan hosts."
    assert tools.describe("my-tool").startswith("tools.my_tool()")
    with pytest.raises(ToolNotFoundError, match="nmap"):
        tools.describe("namp")


# --- probing -----------------------------------------------------------------------------------


def test_dir_and_repr_show_each_level(tools):
    """``dir`` has the verbs and the next level's names; ``repr`` names the tools below."""
    assert {"call", "acall", "map", "list", "search", "describe", "nmap", "weather"} <= {
        *dir(tools)
    }
    assert dir(tools.weather) == ["forecast", "get_alerts"]
    assert not [name for name in dir(tools) if name.startswith("_")]
    assert repr(tools.weather) == "<tools.weather: forecast.daily, get_alerts>"
    assert repr(tools).startswith("<tools: list_, my_tool, nmap, weather.")
    assert repr(Tools(None, Catalogue())) == "<tools: none>"
    many = Catalogue([tool(f"t{n}") for n in range(1000)])
    assert len(repr(Tools(None, many))) < 200


@pytest.mark.parametrize(
    "name",
    ["_x", "__wrapped__", "_repr_html_", "_ipython_canary_method_should_not_exist_", "__len__"],
)
def test_underscore_names_are_never_tools(tools, host, name):
    """What IPython, copy and others probe for is simply not there, and nobody is asked."""
    for one in (tools, tools.weather):
        with pytest.raises(AttributeError):
            getattr(one, name)
    assert not host.requests


def test_unknown_attributes_are_missing_attributes(tools):
    """``hasattr`` and ``getattr`` with a default work; the error names the whole path."""
    assert not hasattr(tools, "nope")
    assert getattr(tools.weather, "nope", None) is None
    with pytest.raises(ToolNotFoundError, match=r"weather\.get_alert'.*weather\.get_alerts"):
        _ = tools.weather.get_alert
    with pytest.raises(AttributeError):
        _ = tools.weath  # a prefix of letters is no group


def test_copying_and_pickling_are_harmless(tools, host):
    """Copies work like the original, pickling is refused plainly, and nobody is asked."""
    for one in (tools, tools.weather):
        assert repr(copy.copy(one)) == repr(one)
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(one)
    assert not inspect.isfunction(inspect.unwrap(tools))
    assert not callable(tools)
    assert not host.requests
    assert copy.copy(tools).nmap("h") == ("nmap", {"target": "h"})
    with pytest.raises(AttributeError):
        _ = ToolGroup.__new__(ToolGroup).nmap  # not yet initialised, as while unpickling


def test_nothing_can_be_set(tools):
    """A typo on the left of ``=`` is an error, not a tool that never was."""
    with pytest.raises(AttributeError):
        tools.nmap = 1


# --- map ---------------------------------------------------------------------------------------


def test_map_keeps_order_and_puts_errors_in_place(tools):
    """One entry a call, in order; a failed call has its error in place of a value."""
    got = tools.map("nmap", [{"n": 0}, {"fail": 7}, {"n": 2}])
    assert got[0] == ("nmap", {"n": 0})
    assert isinstance(got[1], ToolCallError)
    assert got[1].n == 7
    assert got[2] == ("nmap", {"n": 2})
    assert tools.map("nmap", []) == []


def test_map_puts_arguments_that_cannot_cross_in_place(tools):
    """A call whose arguments cannot be sent is one failed call, not the end of all of them."""
    got = tools.map("nmap", [{"n": 0}, {"n": object()}, {"n": 2}])
    assert got[0] == ("nmap", {"n": 0})
    assert isinstance(got[1], ValueNotEncodableError)
    assert got[2] == ("nmap", {"n": 2})


@pytest.mark.parametrize("concurrency", [1, 3, 0])
def test_map_bounds_how_many_run_at_once(make_host, concurrency):
    """Never more calls are out than asked for; less than one counts as one."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))
    got: list = []
    calls = ({"n": n} for n in range(10))  # an iterator is enough
    thread = threading.Thread(
        target=lambda: got.extend(tools.map("nmap", calls, concurrency=concurrency))
    )
    thread.start()
    most = max(1, concurrency)
    for answered in range(10):
        out = min(answered + most, 10)
        eventually(lambda out=out: len(host.requests) == out)
        assert not got
        host.reply(answered + 1, answered)
    thread.join(5)
    assert got == list(range(10))


def test_map_cancels_what_is_out_when_the_arguments_fail(make_host):
    """An exception of the caller's own iterable passes, and no call is left running."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))

    def calls():
        yield {"n": 0}
        yield {"n": 1}
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        tools.map("nmap", calls())
    eventually(lambda: sorted(host.cancelled) == [1, 2])


def test_an_interrupt_of_map_cancels_every_call(make_host, interrupting):
    """SIGINT cancels all calls that are out, the one that is waited for included."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))
    with interrupting(lambda: len(host.requests) == 3):
        tools.map("nmap", [{"n": n} for n in range(3)], concurrency=8)
    host.link.request("tools.search", query="", limit=0)  # the last thing the host hears
    eventually(lambda: len(host.requests) == 4)
    assert sorted(host.cancelled) == [1, 2, 3]


async def test_awaited_calls_can_be_cancelled(make_host):
    """Cancelling a task that awaits a tool cancels the tool on the host."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))
    task = asyncio.create_task(tools.nmap.acall(target="h"))
    async with asyncio.timeout(5):
        while not host.requests:
            await asyncio.sleep(0.002)
        task.cancel()
        while host.cancelled != [1]:
            await asyncio.sleep(0.002)
    with pytest.raises(asyncio.CancelledError):
        await task
