"""Tests of the registry: names, files, scopes, search and closing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from py_code_mode.errors import ConfigError, ToolCallError, ToolNotFoundError
from py_code_mode.tools import CLIAdapter, ToolAdapter, ToolInfo, ToolParam, ToolRegistry


class FakeAdapter:
    """An adapter whose tools give back what they were called with."""

    def __init__(self, *names: str, tags: Sequence[str] = ()) -> None:
        self._infos = [ToolInfo(name, tags=frozenset(tags)) for name in names]
        self.closed = 0

    def tools(self) -> Sequence[ToolInfo]:
        return self._infos

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return name, dict(arguments)

    async def aclose(self) -> None:
        self.closed += 1


class LearningAdapter(FakeAdapter):
    """One whose tools change."""

    def watch(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def become(self, *names: str) -> None:
        self._infos = [ToolInfo(name) for name in names]
        self._changed()


def names(registry: ToolRegistry) -> list[str]:
    return [info.name for info in registry.list_tools()]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "b.yaml").write_text("name: b\ncommand: echo\nargs: 'b {words}'\ntags: [x]\n")
    (tmp_path / "a.yml").write_text("name: a\ncommand: echo\ndescription: Says a.\n")
    (tmp_path / "notes.txt").write_text("not a tool")
    (tmp_path / ".hidden.yaml").write_text("not: a tool")
    (tmp_path / "more").mkdir()
    return tmp_path


async def test_from_dir(directory: Path):
    """The YAML files of a directory are its tools, in the order of their file names."""
    async with await ToolRegistry.from_dir(str(directory)) as registry:
        assert names(registry) == ["a", "b"]
        assert registry.problems == ()
        assert await registry.call_tool("b", {"words": "c"}) == "b c\n"


async def test_tools_that_change(caplog: pytest.LogCaptureFixture):
    """Other tools of an adapter take the place of its former ones; taken names are left out."""
    registry = ToolRegistry()
    registry.register_adapter(FakeAdapter("first", "s.common"))
    adapter = LearningAdapter("s.a", "s.b")
    registry.register_adapter(adapter, tags=["mine"], origin="s.yaml")
    registry.register_adapter(FakeAdapter("last"))
    view, version = registry.scoped_view(["mine"]), registry.version
    assert [info.name for info in registry.search("b")] == ["s.b"]
    adapter.become("s.b", "new", "last", "first.of.all")
    assert names(registry) == ["first", "s.common", "s.b", "new", "last"]
    assert names(view) == ["s.b", "new"]
    assert registry.version > version
    for name in ("'last' (s.yaml)", "'first.of.all' (s.yaml)"):
        assert name in caplog.text
    assert await registry.call_tool("last", {}) == ("last", {})
    with pytest.raises(ToolNotFoundError):
        await registry.call_tool("s.a", {})
    assert [info.name for info in registry.search("new")] == ["new"]
    adapter.become()
    assert names(registry) == ["first", "s.common", "last"]
    adapter.become("s.a", "new-")
    assert names(registry) == ["first", "s.common", "last", "s.a", "new-"]


async def test_missing_directory(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A directory that is not there is an empty registry, and the log says so."""
    registry = await ToolRegistry.from_dir(tmp_path / "nowhere")
    assert registry.list_tools() == []
    assert "nowhere" in caplog.text


async def test_file_instead_of_a_directory(directory: Path):
    """A path to something else is an error that names it."""
    with pytest.raises(ConfigError, match=r"a\.yml: no readable directory: Not a directory"):
        await ToolRegistry.from_dir(directory / "a.yml")


async def test_strict_names_every_problem(directory: Path):
    """Strictly read, the first wrong file raises, and the message names all the others."""
    (directory / "c.yaml").write_text("name: c\nargz: x\n")
    (directory / "d.yaml").write_text("name: d\ntimeout: x\n")
    (directory / "e.yaml").write_text("\nname: a\n")
    with pytest.raises(ConfigError) as caught:
        await ToolRegistry.from_dir(directory)
    error, text = caught.value, str(caught.value)
    assert (error.file, error.line, error.key) == (directory / "c.yaml", 2, "argz")
    assert f"{directory / 'd.yaml'}:2: key 'timeout'" in text
    assert f"{directory / 'e.yaml'}:2: key 'name'" in text
    assert "tool 'a' (e.yaml) and tool 'a' (a.yml) have the same name" in text


async def test_lenient_loads_the_rest(directory: Path, caplog: pytest.LogCaptureFixture):
    """Leniently read, the good files load; the problems are kept and logged."""
    (directory / "c.yaml").write_text("name: c\nargz: x\n")
    (directory / "d.yaml").write_text("name: b\n")
    with caplog.at_level(logging.WARNING):
        registry = await ToolRegistry.from_dir(directory, lenient=True)
    assert names(registry) == ["a", "b"]
    first, second = registry.problems
    assert (first.file, first.line, first.key) == (directory / "c.yaml", 2, "argz")
    assert (second.file, second.line, second.key) == (directory / "d.yaml", 1, "name")
    assert "argz" in caplog.text
    assert "have the same name" in caplog.text
    await registry.aclose()


async def test_add_functions():
    """Functions become tools, as a call or as a decorator, and stay themselves."""
    registry = ToolRegistry()

    @registry.add
    def double(x: int) -> int:
        """Double a number."""
        return 2 * x

    async def triple(x: int) -> int:
        return 3 * x

    assert double(2) == 4
    assert registry.add(triple, name="times-3", description="Triple.", tags=["math"]) is triple
    assert await registry.call_tool("double", {"x": 2}) == 4
    assert await registry.call_tool("times-3", {"x": 2}) == 6
    assert await registry.call_tool("times_3", {"x": 2}) == 6
    info = registry.get_tool("times_3")
    assert (info.name, info.description, info.tags) == ("times-3", "Triple.", {"math"})
    await registry.aclose()


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a-b", "a_b"),
        ("class", "class_"),
        ("3d", "_3d"),
        ("list", "list_"),
        ("ünïcode", "ünïcode"),
        ("weather.get-alerts", "weather.get_alerts"),
    ],
)
async def test_exact_and_clean_names(name: str, clean: str):
    """A tool is reached by its exact and by its clean name, in every way."""
    registry = ToolRegistry()
    registry.register_adapter(FakeAdapter(name))
    for given in (name, clean):
        assert registry.resolve(given) == name
        assert registry.get_tool(given).name == name
        assert await registry.call_tool(given, {"x": 1}) == (name, {"x": 1})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "a"),
        ("a-b", "a_b"),
        ("a_b", "a-b"),
        ("a b", "a-b"),
        ("class", "class_"),
        ("list_", "list"),
        ("_x_", "_x"),
        ("_3d", "3d"),
        ("ﬁle", "file"),
        ("weather", "weather.get"),
        ("weather.get", "weather"),
        ("we-ather", "we_ather.get"),
    ],
)
def test_clashes(first: str, second: str):
    """Names that would be one attribute are an error, whichever comes first."""
    registry = ToolRegistry()
    registry.register_adapter(FakeAdapter(first), origin="one.yaml")
    with pytest.raises(ConfigError) as caught:
        registry.register_adapter(FakeAdapter("fine", second), origin="two.yaml")
    assert f"tool {second!r} (two.yaml) and tool {first!r} (one.yaml)" in str(caught.value)
    assert names(registry) == [first]
    registry.register_adapter(FakeAdapter("fine"))  # nothing of the refused adapter stayed


def test_clashing_function():
    """A function whose name is taken is refused, and can be added under another."""
    registry = ToolRegistry()
    registry.register_adapter(FakeAdapter("scan"))

    def scan() -> None: ...

    with pytest.raises(ConfigError, match="'scan'"):
        registry.add(scan)
    registry.add(scan, name="scan2")
    assert names(registry) == ["scan", "scan2"]


@pytest.mark.parametrize("name", ["nmpa", "NMAP", "nmap2"])
async def test_unknown_names(name: str):
    """An unknown name is an error that lists near ones; ``get_tool`` gives None."""
    registry = ToolRegistry()
    registry.register_adapter(FakeAdapter("nmap", "curl"))
    with pytest.raises(ToolNotFoundError, match="did you mean 'nmap'") as caught:
        await registry.call_tool(name, {})
    assert caught.value.near == ["nmap"]
    assert registry.get_tool(name) is None
    with pytest.raises(ToolNotFoundError):
        registry.resolve(name)


async def test_argument_names_are_text():
    """Arguments under keys that are no text are refused before any adapter sees them."""
    registry = ToolRegistry()
    registry.register_adapter(FakeAdapter("a"))
    with pytest.raises(ToolCallError, match="not 1"):
        await registry.call_tool("a", {1: 2})  # type: ignore[dict-item]


def test_version_grows():
    """The version grows with every change, and only then."""
    registry = ToolRegistry()
    view = registry.scoped_view(["x"])
    versions = [registry.version]
    registry.add(print_nothing)
    versions.append(registry.version)
    registry.register_adapter(FakeAdapter("a"))
    versions.append(registry.version)
    with pytest.raises(ConfigError):
        registry.register_adapter(FakeAdapter("a"))
    assert versions == sorted(set(versions))
    assert registry.version == view.version == versions[-1]


def print_nothing() -> None:
    """Print nothing."""


async def test_scoped_view():
    """To a view, tools without its tags do not exist, not even in messages."""
    registry = ToolRegistry()
    registry.register_adapter(FakeAdapter("nmap", tags=["recon"]))
    registry.register_adapter(FakeAdapter("nmap-all"), tags=["recon", "slow"])
    registry.register_adapter(FakeAdapter("curl"), tags=["web"])
    registry.register_adapter(FakeAdapter("plain"))
    view = registry.scoped_view(["recon", "dns"])
    assert names(view) == ["nmap", "nmap-all"]
    assert view.resolve("nmap_all") == "nmap-all"
    assert [info.name for info in view.search("curl nmap")] == ["nmap", "nmap-all"]
    for hidden in ("curl", "plain"):
        assert view.get_tool(hidden) is None
        with pytest.raises(ToolNotFoundError) as caught:
            await view.call_tool(hidden, {})
        assert caught.value.near == []
    with pytest.raises(ToolNotFoundError):
        await view.call_tool("curll", {})
    assert names(view.scoped_view(["slow", "web"])) == ["nmap-all"]
    assert names(registry.scoped_view("web")) == ["curl"]  # one tag, not its letters
    assert names(registry.scoped_view([])) == []


async def test_view_follows_and_owns_nothing():
    """A view sees later tools, takes none itself, and closing it closes nothing."""
    registry, adapter = ToolRegistry(), FakeAdapter("a")
    view = registry.scoped_view(["x"])
    registry.register_adapter(adapter, tags=["x"])
    assert names(view) == ["a"]
    with pytest.raises(ConfigError, match="takes no tools"):
        view.add(print_nothing)
    with pytest.raises(ConfigError, match="takes no tools"):
        view.register_adapter(FakeAdapter("b"))
    await view.aclose()
    assert adapter.closed == 0


async def test_closed_with_its_last_user():
    """Whoever retains a registry or a view of it keeps it open; the last release closes it."""
    registry, adapter = ToolRegistry(), FakeAdapter("a")
    registry.register_adapter(adapter, tags=["x"])
    async with registry:
        async with registry.scoped_view(["x"]):
            pass
        assert adapter.closed == 0
    assert adapter.closed == 1


def test_search():
    """Search finds by name, description, parameter and tag; nothing fits, nothing comes."""
    registry = ToolRegistry()
    registry.register_adapter(CLIAdapter("nmap", description="Scan ports of a host"))
    registry.register_adapter(CLIAdapter("curl", args="{url}", description="Fetch a page"))
    registry.register_adapter(CLIAdapter("dig", tags=["dns"], description="Look up names"))

    def found(query: str, limit: int = 10) -> list[str]:
        return [info.name for info in registry.search(query, limit)]

    assert found("port scanning")[0] == "nmap"
    assert found("url")[0] == "curl"
    assert found("dns")[0] == "dig"
    assert found("dig")[0] == "dig"
    assert found("xyzzy") == []
    assert found("") == []
    assert found("scan page names", limit=2) != []
    assert len(found("scan page names", limit=2)) == 2
    assert found("dig", limit=0) == []
    registry.register_adapter(CLIAdapter("zap", description="Quantum teleport"))
    assert found("teleport") == ["zap"]


async def test_closing_closes_every_adapter():
    """Every adapter is closed, even when another one fails to; closing twice is fine."""

    class Broken(FakeAdapter):
        async def aclose(self) -> None:
            raise RuntimeError("cannot close")

    registry, good, last = ToolRegistry(), FakeAdapter("a"), FakeAdapter("c")
    for adapter in (good, Broken("b"), last):
        registry.register_adapter(adapter)
    with pytest.raises(RuntimeError, match="cannot close"):
        await registry.aclose()
    assert (good.closed, last.closed) == (1, 1)
    fine = ToolRegistry()
    await fine.aclose()
    await fine.aclose()


def test_adapters_fit_the_protocol():
    """What is registered stands behind ``ToolAdapter``."""
    assert isinstance(FakeAdapter("a"), ToolAdapter)
    assert isinstance(CLIAdapter("a"), ToolAdapter)


def test_info_to_dict():
    """On the wire a tool is plain data."""
    info = ToolInfo(
        "a", "b", (ToolParam("x", "int", True, description="d"), ToolParam("y", default=1))
    )
    assert info.to_dict() == {
        "name": "a",
        "description": "b",
        "params": [
            {"name": "x", "annotation": "int", "required": True, "description": "d"},
            {"name": "y", "annotation": "Any", "required": False, "description": "", "default": 1},
        ],
        "tags": [],
        "returns": "",
    }


async def test_a_search_among_a_thousand_tools(tmp_path):
    """Parameters and tags are looked at, nonsense finds nothing, and the index is made once."""
    for n in range(1000):
        (tmp_path / f"tool{n}.yaml").write_text(
            f"name: make_thing_{n}\ndescription: Make number {n} of the things\n"
            f"command: echo\nargs: '{{size_{n}}}'\ntags: [group{n % 7}]\n"
        )
    async with await ToolRegistry.from_dir(tmp_path) as registry:
        assert len(registry.list_tools()) == 1000
        assert registry.search("make_thing_77")[0].name == "make_thing_77"
        assert registry.search("size 421", limit=1)[0].name == "make_thing_421"
        assert {*registry.search("group3", limit=3)[0].tags} == {"group3"}
        assert registry.search("zzz qqq") == []
        index = registry._shelf.index._snapshot
        await registry.call_tool("make_thing_1", {})
        registry.search("thing")
        assert registry._shelf.index._snapshot is index
        registry.add(lambda: None, name="unheard")
        assert registry.search("unheard")[0].name == "unheard"
