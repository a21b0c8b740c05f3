"""``tools`` in a kernel: finding, calling, and what probes of it come upon."""

from __future__ import annotations

import copy
import inspect
import pickle
import pydoc

import pytest

from kernel_bootstrap.catalogue import Catalogue
from kernel_bootstrap.namespaces import ToolGroup, Tools
from kernel_bootstrap.wire.codec import dumps
from kernel_bootstrap.wire.errors import ToolCallError, ToolNotFoundError
from tests.bootstrap.fakes import param, tool

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
        found = TOOLS[: request.params["limit"]]
        return [{**info, "score": 0.5, "terms": ["scan"]} for info in found]
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
    found = {"score": 0.5, "terms": ["scan"]}
    assert tools.search("scan", limit=2) == [{**row, **found} for row in rows[:2]]
    assert dict(host.requests[0].params) == {"query": "scan", "limit": 2}
    assert tools.describe("nmap", detail="brief") == "tools.nmap: Scan hosts."
    assert tools.describe("my-tool").startswith("tools.my_tool()")
    with pytest.raises(ToolNotFoundError, match="nmap"):
        tools.describe("namp")


DETAILED = tool(
    "srv.get-it",
    param("where", "str", description="Which one."),
    param("n", "int", default=3),
    {**param("odd-name"), "required": False},
    path="srv.get_it",
    description="Fetch it.\n\nTwice if need be.",
    returns="dict[str, Any]",
    tags=["read", "web"],
)


def test_a_description_has_three_lengths():
    """Brief is a line, signature a call and that line, full has all that is known."""
    tools = Tools(None, Catalogue([DETAILED]))
    call = "tools.srv.get_it(where: str, n: int = 3, **more) -> dict[str, Any]"
    assert tools.describe("srv.get-it", "brief") == "tools.srv.get_it: Fetch it."
    assert tools.describe("srv.get_it", detail="signature") == f"{call}\nFetch it."
    assert tools.describe("srv.get_it").split("\n\n") == [
        call,
        "Fetch it.",
        "Twice if need be.",
        "Args:\n    where (str): Which one.\n    n (int, default 3)\n    odd-name (Any, optional)",
        "Returns:\n    dict[str, Any]",
        "Tags: read, web",
        "Exact name: srv.get-it",
    ]
    with pytest.raises(ToolCallError, match="'brief', 'signature', 'full', not 'all'"):
        tools.describe("srv.get_it", "all")


def test_what_was_only_observed_is_flagged():
    """A shape that was learned says so in each description, one that was declared does not."""
    seen = {**DETAILED, "returns": "", "shape": "list[{'id': int}]", "observed": True}
    tools = Tools(None, Catalogue([seen]))
    line = "Returns (observed in earlier results, not promised):\n    list[{'id': int}]"
    assert line in tools.describe("srv.get_it")
    assert line in inspect.getdoc(tools.srv.get_it)
    assert "# observed result: list[{'id': int}]" in tools.describe("srv.get_it", "signature")
    assert inspect.signature(tools.srv.get_it).return_annotation is inspect.Signature.empty
    told = {**DETAILED, "shape": "{'id': int}", "observed": False}
    full = Tools(None, Catalogue([told])).describe("srv.get_it")
    assert "Returns:\n    dict[str, Any]\n    {'id': int}" in full
    assert "observed" not in full


def test_a_group_explains_itself(tools):
    """What a group holds is in its description, its docstring and its help."""
    text = (
        "tools.weather has 2 tools:\n\ntools.weather.forecast.daily: Tool weather.forecast.daily."
    )
    for said in (tools.describe("weather"), inspect.getdoc(tools.weather)):
        assert said.startswith(text)
        assert said.endswith("\ntools.weather.get_alerts: Alerts of a state.")
    assert "get_alerts: Alerts" in pydoc.render_doc(tools.weather, renderer=pydoc.plaintext)
    assert inspect.getdoc(ToolGroup).startswith("Tools below one attribute")
    many = Tools(None, Catalogue([tool(f"big.t{n:03}") for n in range(200)]))
    assert len(inspect.getdoc(many.big).splitlines()) == 53
    assert "150 more" in inspect.getdoc(many.big)


def test_the_catalogue_stays_bytes_until_it_is_needed(host):
    """A list of tools may come as bytes; what is in it, defaults of any type too, is the same."""
    rows = [*TOOLS, tool("t", param("x", default={1, 2}))]
    catalogue = Catalogue(dumps(rows))
    tools = Tools(host.link, catalogue)
    assert tools.nmap("h") == ("nmap", {"target": "h"})
    assert str(inspect.signature(tools.t)) == "(x: Any = {1, 2})"
    assert catalogue.by_name == Catalogue(rows).by_name


# --- probing -----------------------------------------------------------------------------------


def test_dir_and_repr_show_each_level(tools):
    """``dir`` has the verbs and the next level's names; ``repr`` names the tools below."""
    assert {"call", "acall", "map", "amap", "list", "search", "describe", "nmap", "weather"} <= {
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
