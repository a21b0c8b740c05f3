"""The dispatcher: every method once with good parameters, and every method with hostile ones."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Method, Reply, Request, parse
from kernel_bootstrap.wire.packing import pack, unpack
from kernel_bootstrap.wire.pieces import Piece
from py_code_mode import MemoryArtifactStore, ToolRegistry, create_skill_library
from py_code_mode.artifacts.file import FileArtifactStore
from py_code_mode.dispatch import Dispatcher, Origin
from py_code_mode.errors import ToolCallError, ToolTimeoutError
from py_code_mode.policy import ALLOW, Action, Decision
from py_code_mode.requests import MODELS
from py_code_mode.results import ExecutionResult, ToolCall

patient = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

METHODS = sorted(value for name, value in vars(Method).items() if name.isupper())


async def double(n: int) -> int:
    """Double a number."""
    return 2 * n


def echo(value: Any = None, **more: Any) -> Any:
    """Give back what was given."""
    return [value, more] if more else value


async def fail(how: str) -> None:
    """Fail in some way."""
    if how == "tool":
        raise ToolTimeoutError("it took too long", seconds=3)
    if how == "surrogate":
        raise ToolCallError("broken \ud800 text", stderr="\udcff")
    if how == "exit":
        raise SystemExit(3)
    if how == "long":
        raise ToolCallError("x" * 5_000_000, stderr="y" * 5_000_000)
    raise ValueError(f"no {how}")


async def opaque() -> object:
    """Give what no kernel can have."""
    return [object()]


async def forever() -> None:
    """Wait until cancelled."""
    await asyncio.sleep(3600)


class Host:
    """A dispatcher with everything real, and the tool calls it has recorded."""

    def __init__(self, *, artifacts: Any = None, limits: Limits | None = None, **seams) -> None:
        self.registry = ToolRegistry()
        for function in (double, echo, fail, opaque, forever):
            self.registry.add(function)
        self.skills = create_skill_library()
        self.artifacts = MemoryArtifactStore() if artifacts is None else artifacts
        self.calls: list[ToolCall] = []
        self.origin = Origin("main", "cell-1", self.calls.append)
        self.limits = limits or Limits()
        self.dispatcher = Dispatcher(
            self.registry, self.skills, self.artifacts, limits=self.limits, **seams
        )

    async def ask(self, method: str, /, **params: Any) -> Reply:
        """Send a request the way a kernel's arrives, and read the reply the way it leaves."""
        return await self.send(Request(7, method, params))

    async def send(self, request: Request) -> Reply:
        async with asyncio.timeout(20):
            data, buffers = await self.dispatcher.handle(request, self.origin)
        # Jupyter's packer: UTF-8, no NaN.
        text = json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
        reply = parse(json.loads(text), [bytes(buffer) for buffer in buffers])
        assert isinstance(reply, Reply)
        assert reply.id == request.id
        return reply

    async def value(self, method: str, /, **params: Any) -> Any:
        """The value of a request that must succeed."""
        return (await self.ask(method, **params)).unwrap()

    async def failure(self, method: str, /, **params: Any) -> tuple[str, str]:
        """Kind and message of a request that must fail."""
        reply = await self.ask(method, **params)
        assert reply.failure is not None
        return reply.failure.kind, reply.failure.message


@pytest.fixture
async def host():
    """A host without policy."""
    made = Host()
    yield made
    await made.registry.aclose()


# --- every method once -------------------------------------------------------------------------


def test_the_table_is_whole(host):
    """Every method of the contract has a coroutine and a model of its parameters, and no more."""
    assert sorted(host.dispatcher._table) == sorted(MODELS) == METHODS


async def test_tools(host):
    """Tools are called, listed and searched; each call is recorded."""
    assert await host.value("tools.call", name="double", arguments={"n": 21}) == 42
    rows = await host.value("tools.list")
    assert [row["name"] for row in rows] == ["double", "echo", "fail", "opaque", "forever"]
    assert rows[0].keys() >= {"name", "path", "description", "params", "tags", "returns"}
    found = await host.value("tools.search", query="double a number", limit=1)
    assert [(row["name"], row["terms"]) for row in found] == [("double", ["double", "number"])]
    assert 0 < found[0]["score"] < 2
    (call,) = host.calls
    assert (call.tool, call.arguments, call.outcome, call.error) == ("double", {"n": 21}, "ok", "")
    assert call.seconds >= 0


async def test_skills(host):
    """Skills are created, listed, searched, read and deleted."""
    made = await host.value(
        "skills.create", name="twice", code="def run(n): return 2 * n", description="Double it"
    )
    assert (made["name"], made["description"]) == ("twice", "Double it")
    assert "def run" in made["source"]
    (row,) = await host.value("skills.list")
    assert "source" not in row
    (found,) = await host.value("skills.search", query="double", limit=5)
    assert (found["name"], found["terms"]) == ("twice", ["double"])
    assert found["score"] > 0
    assert await host.value("skills.get", name="twice") == made
    assert await host.value("skills.get", name="nope") is None
    kind, message = await host.failure("skills.create", name="twice", code="def run(): pass")
    assert (kind, "already" in message) == ("SkillValidationError", True)
    await host.value("skills.create", name="twice", code="def run(): pass", replace=True)
    await host.value("skills.update", name="twice", code="def run(): return 1")
    versions = await host.value("skills.versions", name="twice")
    assert [(v["number"], v["creator"]) for v in versions] == [(n, "main") for n in (3, 2, 1)]
    former = await host.value("skills.get", name="twice", version=1)
    assert former == made | {"modified": former["modified"]}
    assert await host.value("skills.delete", name="twice") is True
    assert await host.value("skills.delete", name="twice") is False


async def test_uses_of_skills(host):
    """Runs are counted per skill, never more failures than runs, and show in lists and reads."""
    await host.value("skills.create", name="twice", code="def run(n): return 2 * n")
    before = time.time()
    used = {"twice": (4, 1, 0.5), "nope": (1, 0, 0.1)}
    assert await host.value("skills.used", used=used) is None
    await host.value("skills.used", used={"twice": (1, 9, 0.5)})
    (row,) = await host.value("skills.list")
    got = await host.value("skills.get", name="twice")
    for each in (row, got):
        assert (each["uses"], each["failures"], each["seconds"]) == (5, 2, 1.0)
        assert each["success_rate"] == 0.6
        assert before <= each["last_used"] <= time.time()
    assert "uses" not in await host.value("skills.get", name="twice", usage=False)


async def test_artifacts(host):
    """Artifacts are saved, loaded, found, listed and deleted, as bytes."""
    kind, data = pack((1, {2}))
    info = await host.value(
        "artifacts.save",
        name="a/b",
        kind=kind,
        data=data,
        description="open ports",
        metadata={"n": 1},
        type_name="tuple",
        tags=["t"],
    )
    assert (info["name"], info["size"], info["type_name"]) == ("a/b", len(data), "tuple")
    assert (info["session"], info["tags"]) == ("main", ["t"])
    loaded = await host.value("artifacts.load", name="a/b", most=1_000)
    assert unpack(loaded["info"]["kind"], loaded["data"]) == (1, {2})
    assert await host.value("artifacts.load", name="a/b", most=3) == {"info": info, "data": None}
    assert await host.value("artifacts.search", query="ports", limit=5) == [info]
    assert await host.value("artifacts.list", prefix="a/", tag="t") == [info]
    assert await host.value("artifacts.list", prefix="b/", tag=None) == []
    assert await host.value("artifacts.get", name="a/b") == info
    assert await host.value("artifacts.list") == [info]
    assert await host.value("artifacts.exists", name="a/b") is True
    assert await host.value("artifacts.delete", name="a/b") is True
    assert await host.value("artifacts.exists", name="a/b") is False
    assert await host.value("artifacts.get", name="a/b") is None
    kind, message = await host.failure("artifacts.load", name="a/b", most=5)
    assert (kind, "a/b" in message) == ("ArtifactNotFoundError", True)


async def spill(host, what: str, data: bytes, *, number: int = 1, whole: bool = True) -> str:
    """Keep what was cut, as a kernel does it; return the artifact's name."""
    id_ = await host.value("output.spill", cell="x", what=what, number=number, whole=whole)
    await host.value("artifacts.write", id=id_, offset=0, data=Piece(data))
    return (await host.value("artifacts.commit", id=id_, size=len(data)))["name"]


async def test_shell_and_spill(host):
    """Shell commands are allowed when no policy says otherwise; floods are kept under a name."""
    assert await host.value("shell.check", command="ls -l") is None
    name = await spill(host, "stdout", b"abc")
    assert name == "outputs/main/cell-1-stdout.txt"
    assert host.artifacts.load(name) == "abc"
    info = host.artifacts.get(name)
    assert (info.session, info.tags, info.type_name) == ("main", ("output",), "str")
    assert info.description == "All of stdout of a cell whose result was cut"
    assert await spill(host, "outputs", b"{}\n") == "outputs/main/cell-1-outputs.jsonl"
    name = await spill(host, "stdout", b"ab", number=2, whole=False)
    assert name == "outputs/main/cell-1-stdout-2.txt"
    assert host.artifacts.get(name).description.startswith("The beginning of stdout")


async def test_a_format_that_was_cut_is_a_file_of_that_format(host):
    """Pictures are pictures, pages are pages, JSON is JSON; half of JSON is text."""
    svg = await spill(host, "image/svg+xml", b"<svg/>")
    assert (svg, host.artifacts.load(svg).mime_type) == (
        "outputs/main/cell-1-image-svg-xml.svg",
        "image/svg+xml",
    )
    page = await spill(host, "text/html", b"<p>")
    assert (host.artifacts.load(page), host.artifacts.get(page).content_type) == (
        "<p>",
        "text/html",
    )
    chart = await spill(host, "application/vnd.plotly.v1+json", b'{"data": []}')
    assert (host.artifacts.load(chart), chart[-5:]) == ({"data": []}, ".json")
    half = await spill(host, "application/json", b'{"da', whole=False)
    assert (host.artifacts.load(half), half[-4:]) == ('{"da', ".txt")


@pytest.mark.parametrize("session", ["con", "../x", "dot.", ".hidden", "a\\b", "x" * 250, "\ud800"])
async def test_a_session_of_any_name_keeps_its_floods(host, session):
    """A session whose name no folder can have has a folder of its own nevertheless."""
    host.origin = Origin(session, "cell-1")
    name = await spill(host, "stdout", b"x")
    host.origin = Origin(session + "!", "cell-1")
    assert await spill(host, "stdout", b"y") != name
    assert (host.artifacts.load(name), name.count("/")) == ("x", 2)
    assert name.startswith("outputs/")


async def test_a_flood_that_does_not_end_is_refused():
    """The host takes no more of a flood than its limit, whatever the kernel sends."""
    host = Host(limits=Limits(spill_bytes=4))
    id_ = await host.value("output.spill", cell="x", what="stdout", number=1, whole=True)
    await host.value("artifacts.write", id=id_, offset=0, data=Piece(b"abcd"))
    kind, message = await host.failure("artifacts.write", id=id_, offset=4, data=Piece(b"e"))
    assert (kind, "more than 4 bytes" in message) == ("ArtifactWriteError", True)
    assert host.artifacts.list() == []


async def test_a_kernel_cannot_choose_where_its_floods_go(host):
    """The artifact of a flood is named after session and cell as the host knows them."""
    host.origin = Origin("main", "../../secrets")
    reply = await host.ask("output.spill", cell="x", what="stdout", number=1, whole=True)
    assert reply.failure is not None
    assert host.artifacts.list() == []


# --- hostile parameters ------------------------------------------------------------------------

BAD_NAMES = {
    "empty": "",
    "up": "../x",
    "up inside": "a/../../x",
    "absolute": "/etc/passwd",
    "backslash": "..\\x",
    "drive": "C:x",
    "NUL": "a\0b",
    "newline": "a\nb",
    "surrogate": "a\ud800",
    "right to left": "\u202eexe.txt",
    "dots": "..",
    "dot slash": "./x",
    "double slash": "a//b",
    "ours": ".pcm/x",
    "device": "nul",
    "huge": "x" * 100_000,
    "fullwidth dots": "\uff0e\uff0e/x",
    "one dot leader": "\u2024\u2024/x",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
async def test_hostile_names_reach_nothing(tmp_path, name):
    """A name that would lead elsewhere, or is no name, writes, reads and removes nothing."""
    (tmp_path / "x").write_text("outside")
    inside = tmp_path / "inside"
    host = Host(artifacts=FileArtifactStore(inside))
    before = sorted(path for path in tmp_path.rglob("*") if inside not in path.parents)
    for method in (m for m in METHODS if m.split(".")[1] in ("load", "get", "exists", "delete")):
        reply = await host.ask(method, name=name)
        assert reply.failure is not None or not reply.value
    saved = await host.ask("artifacts.save", name=name, kind="text", data=b"x")
    created = await host.ask("skills.create", name=name, code="def run(): pass")
    assert created.failure is not None or name.isidentifier()
    assert (await host.ask("tools.call", name=name, arguments={})).failure is not None
    assert sorted(path for path in tmp_path.rglob("*") if inside not in path.parents) == before
    assert (tmp_path / "x").read_text() == "outside"
    if saved.failure is None:  # odd, but a name that stays inside
        assert host.artifacts.exists(name)
    await host.registry.aclose()


WRONG = {
    "tools.call": [
        {},
        {"name": "double"},
        {"name": "double", "arguments": None},
        {"name": "double", "arguments": [1]},
        {"name": "double", "arguments": {1: 2}},
        {"name": 5, "arguments": {}},
        {"name": "x" * 2_000, "arguments": {}},
        {"name": "double", "arguments": {}, "command": "rm -rf /"},
        {"name": "double", "arguments": {}, "self": 1},
        {"name": "nope", "arguments": {}},
        {"name": "double", "arguments": {"wrong": 1}},
        {"name": "double", "arguments": {"n": "text"}},
    ],
    "tools.list": [{"extra": 1}],
    "tools.search": [{"query": "x"}, {"query": 5, "limit": 1}, {"query": "x", "limit": -1}]
    + [{"query": "x", "limit": bad} for bad in (True, 1.0, "1", 10**9)]
    + [{"query": "x" * 200_000, "limit": 1}],
    "skills.list": [{"extra": 1}],
    "skills.search": [{"query": None, "limit": 1}, {"query": "x", "limit": 10**100}],
    "skills.get": [{}, {"name": None}, {"name": ["x"]}, {"name": "x", "y": 1}]
    + [{"name": "x", "version": bad} for bad in (-1, "1", True, 1.0, 10**5000)],
    "skills.create": [
        {"name": "x"},
        {"name": "x", "code": 5},
        {"name": "x", "code": "def run(: pass"},
        {"name": "x", "code": "1"},
        {"name": "x", "code": "def run(): pass\0"},
        {"name": "x", "code": "# \ud800\ndef run(): pass"},
        {"name": "x", "code": "(" * 100_000},
        {"name": "x", "code": "x = 1\n" * 200_000},
        {"name": "x", "code": "def run(): pass", "replace": 1},
        {"name": "list", "code": "def run(): pass"},
        {"name": "x y", "code": "def run(): pass"},
    ],
    "skills.update": [{}, {"name": "nope"}, {"name": "nope", "code": 5}, {"name": "x y"}],
    "skills.delete": [{}, {"name": 5}],
    "skills.versions": [{}, {"name": 5}],
    "skills.used": [{}, {"used": {}, "x": 1}, {"used": []}]
    + [{"used": {"x": bad}} for bad in (1, (1, 1), (1, 1, 1, 1), [1, 1, 0.1], (-1, 0, 0.0))]
    + [{"used": {"x": (1, 1, bad)}} for bad in (-1.0, float("nan"), float("inf"), "1")]
    + [{"used": {"x": (10**20, 1, 0.0)}}, {"used": {f"s{n}": (1, 0, 0.0) for n in range(10_001)}}],
    "artifacts.save": [
        {},
        {"name": "x", "kind": "text", "data": "no bytes"},
        {"name": "x", "kind": "pickle", "data": b""},
        {"name": "x", "kind": "text\n", "data": b""},
        {"name": "x", "kind": "text", "data": b"", "metadata": {1: 2}},
        {"name": "x", "kind": "text", "data": b"", "metadata": {"a": (1,)}},
        {"name": "x", "kind": "text", "data": b"", "description": "x" * 200_000},
        {"name": "x", "kind": "text", "data": b"", "type_name": "x" * 1_000},
        {"name": "x", "kind": "text", "data": b"", "metadata": {"a": "x" * 200_000}},
        {"name": "x", "kind": "text", "data": b"", "tags": "abc"},
        {"name": "x", "kind": "text", "data": b"", "tags": ["x" * 300]},
        {"name": "x", "kind": "text", "data": b"", "tags": ["x"] * 200},
        {"name": "x", "kind": "text", "data": b"", "ttl": -1.0},
        {"name": "x", "kind": "text", "data": b"", "ttl": float("nan")},
        {"name": "x", "kind": "text", "data": b"", "content_type": "<b>/x"},
        {"name": "x", "kind": "text", "data": b"", "session": "another"},
        {"name": "x", "kind": "text", "data": b"", "author": "somebody else"},
    ],
    "artifacts.load": [{"name": "x"}, {"name": "nope", "most": 1}, {"name": b"x", "most": 1}],
    "artifacts.get": [{}, {"name": 1.5}],
    "artifacts.list": [{"prefix": 5}, {"prefix": "x" * 2_000}, {"tag": b"x"}, {"name": "x"}],
    "artifacts.search": [{"query": "x"}, {"query": None, "limit": 1}, {"query": "x", "limit": -1}],
    "artifacts.begin": [
        {},
        {"name": "../x", "kind": "text"},
        {"name": "x", "kind": "pickle"},
        {"name": "x", "kind": "text", "data": b""},
        {"name": "x", "kind": "text", "author": "somebody else"},
    ],
    "artifacts.write": [
        {"id": 99, "offset": 0, "data": Piece(b"")},
        {"id": -1, "offset": 0, "data": Piece(b"")},
        {"id": "1", "offset": 0, "data": Piece(b"")},
        {"id": 1, "offset": 10**30, "data": Piece(b"")},
        {"id": 1, "offset": 0, "data": "text"},
        {"id": 1, "offset": 0, "data": b"bytes"},
    ],
    "artifacts.commit": [{}, {"id": 99, "size": 0}, {"id": 1, "size": -1}],
    "artifacts.abort": [{}, {"id": None}, {"id": 10**30}],
    "artifacts.read": [
        {"name": "x"},
        {"name": "nope", "offset": 0, "size": 1, "sha256": ""},
        {"name": "nope", "offset": -1, "size": 1, "sha256": ""},
        {"name": "nope", "offset": 0, "size": 10**30, "sha256": ""},
        {"name": "nope", "offset": 0, "size": 10**12, "sha256": ""},
        {"name": "nope", "offset": 0, "size": 1, "sha256": "x" * 100},
    ],
    "artifacts.exists": [{}, {"name": {}}],
    "artifacts.delete": [{}, {"name": True}],
    "shell.check": [{}, {"command": ["ls"]}, {"command": "x" * 2_000_000}],
    "output.spill": [
        {},
        {"cell": "x", "what": "../x", "number": 1, "whole": True},
        {"cell": "x", "what": "", "number": 1, "whole": True},
        {"cell": "x", "what": "a\nb", "number": 1, "whole": True},
        {"cell": "x", "what": "stdout", "number": 0, "whole": True},
        {"cell": "x", "what": "stdout", "number": "../x", "whole": True},
        {"cell": "x", "what": "stdout", "number": 1, "whole": "yes"},
        {"cell": "x" * 500, "what": "stdout", "number": 1, "whole": True},
    ],
}
CASES = [(method, params) for method, each in WRONG.items() for params in each]


@pytest.mark.parametrize(
    ("method", "params"), CASES, ids=[f"{m}-{n}" for n, (m, _) in enumerate(CASES)]
)
async def test_wrong_parameters_are_failures(host, method, params):
    """Parameters that are missing, of the wrong type, extra or huge are refused, briefly."""
    kind, message = await host.failure(method, **params)
    assert kind != "CodeModeError"
    assert 0 < len(message) < 5_000


async def test_wrong_parameters_are_named(host):
    """A refusal says which parameter is wrong and what it should be, and no more."""
    kind, message = await host.failure("skills.search", query=5, limit=-3)
    assert (kind, message) == (
        "ProtocolError",
        "skills.search: query: Input should be a valid string; "
        "limit: Input should be greater than or equal to 0",
    )


def test_wrong_parameters_are_tried_for_every_method():
    """The table above forgets no method."""
    assert sorted(WRONG) == METHODS


@pytest.mark.parametrize(
    "method", ["", "nope", "tools.call ", "__class__", "x" * 100_000, "\ud800"]
)
async def test_unknown_methods_are_failures(host, method):
    """A method that does not exist is refused by name, cut if it is long."""
    kind, message = await host.failure(method, name="x")
    assert kind == "ProtocolError"
    assert "unknown method" in message
    assert len(message) < 200


any_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    [*BAD_NAMES.values(), "double", "echo", "json", "text", "def run(): pass"]
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**4000, 10**100]),
    st.floats(),
    any_text,
    st.binary(max_size=20),
    st.dates(),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(any_text, inner, max_size=3),
        st.dictionaries(st.integers() | any_text, inner, max_size=2),
    ),
    max_leaves=6,
)
fields = st.sampled_from(
    [*sorted({name for model in MODELS.values() for name in model.model_fields}), "self", "method"]
)
hostile = st.dictionaries(fields | any_text, values, max_size=6)


@pytest.mark.parametrize("method", METHODS)
@patient
@given(params=hostile, data=st.data())
async def test_any_parameters_give_a_reply(method, params, data):
    """Whatever the parameters, there is a reply that can be sent, and nothing is raised."""
    right = MODELS[method].model_fields
    params |= {name: data.draw(values) for name in right if name not in params}
    if data.draw(st.booleans()):
        params = {name: value for name, value in params.items() if name in right}
    host = Host()
    reply = await host.send(Request(3, method, params))
    if reply.failure is not None:
        assert reply.failure.kind
        assert len(reply.failure.message) < 20_000
    await host.registry.aclose()


# --- tool calls --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("tool", "ToolTimeoutError", "it took too long"),
        ("value", "ToolCallError", "ValueError: no value"),
        ("exit", "ToolCallError", "SystemExit"),
        ("surrogate", "ToolCallError", "broken"),
    ],
)
async def test_failing_tools_are_failures(host, how, kind, words):
    """A tool that raises, exits or has unsendable words gives a failure that can be sent."""
    got, message = await host.failure("tools.call", name="fail", arguments={"how": how})
    assert got == kind
    assert words in message
    (call,) = host.calls
    assert call.outcome == "error"
    assert words in call.error


async def test_details_of_a_failure_arrive(host):
    """What an error knows beside its message reaches the kernel."""
    reply = await host.ask("tools.call", name="fail", arguments={"how": "tool"})
    assert reply.failure.details == {"seconds": 3}


async def test_results_that_cannot_cross_are_failures(host):
    """A tool that returns what no kernel can have names the type."""
    kind, message = await host.failure("tools.call", name="opaque", arguments={})
    assert (kind, "object" in message) == ("ToolCallError", True)


LARGE = {
    "text": "x" * 20_000,
    "bytes": b"x" * 20_000,
    "in a list": ["x" * 20_000],
    "two levels down": {"a": [["x" * 20_000]]},
    "many numbers": list(range(10_000)),
    "many keys": {f"key{n}": None for n in range(5_000)},
    "in a tuple": (1, ("x" * 20_000,)),
    "huge integer": 1 << 200_000,
}


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE.keys())
async def test_replies_over_the_limit_are_failures(value):
    """A result larger than a reply may be is refused, wherever in it the bulk is."""
    host = Host(limits=Limits(reply_bytes=10_000))
    kind, message = await host.failure("tools.call", name="echo", arguments={"value": value})
    assert kind == "ToolCallError"
    assert "reply_bytes" in message
    assert await host.value("tools.call", name="echo", arguments={"value": "x" * 5_000})
    await host.registry.aclose()


async def test_failures_are_bounded_too():
    """An error with a huge message does not make a reply beyond the limit."""
    host = Host(limits=Limits(reply_bytes=100_000))
    data, buffers = await host.dispatcher.handle(
        Request(1, "tools.call", {"name": "fail", "arguments": {"how": "long"}}), host.origin
    )
    assert len(json.dumps(data)) + sum(map(len, buffers)) < 300_000
    assert len(host.calls[0].error) <= 1_000


ARGUMENTS = {
    "plain": ({"value": 1}, {"value": 1}),
    "long text": ({"value": "x" * 1_000}, {"value": "x" * 200 + "..."}),
    "list": ({"value": [1, "a"]}, {"value": [1, "a"]}),
    "huge integer in a list": ({"value": [10**5000]}, None),
    "huge integer": ({"value": 10**5000}, None),
    "bytes": ({"value": b"x" * 5_000_000}, None),
    "many": ({f"a{n}": n for n in range(500)}, None),
    "long name": ({"k" * 100_000: 1}, None),
}


@pytest.mark.parametrize(("arguments", "kept"), ARGUMENTS.values(), ids=ARGUMENTS.keys())
async def test_arguments_are_remembered_briefly(host, arguments, kept):
    """A call is answered and recorded whatever its arguments; what is remembered is short."""
    reply = await host.ask("tools.call", name="echo", arguments=arguments)
    assert reply.failure is None
    (call,) = host.calls
    assert call.outcome == "ok"
    if kept is not None:
        assert call.arguments == kept
    result = ExecutionResult(tool_calls=[call])
    assert len(json.dumps(result.to_dict())) < 30_000
    assert "echo" in result._repr_mimebundle_()["text/html"]


async def test_looking_at_arguments_takes_little_memory(host):
    """Remembering a call with bulky arguments does not copy the bulk several times."""
    import tracemalloc

    value = [b"\x00" * 1_000_000] * 10
    tracemalloc.start()
    try:
        await host.dispatcher.handle(
            Request(1, "tools.call", {"name": "double", "arguments": {"x": value}}), host.origin
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(host.calls) == 1
    assert peak < 10_000_000


async def test_cancellation_propagates(host):
    """A cancelled request cancels its tool, is recorded as cancelled, and raises nothing else."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        """Wait until cancelled."""
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    host.registry.add(wait)
    request = Request(1, "tools.call", {"name": "wait", "arguments": {}})
    task = asyncio.create_task(host.dispatcher.handle(request, host.origin))
    async with asyncio.timeout(5):
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended.is_set()
    assert [call.outcome for call in host.calls] == ["cancelled"]


async def test_a_store_that_fails_is_a_failure(tmp_path):
    """Exceptions of a store are answered, whatever their class, and the next request works."""

    class Broken(MemoryArtifactStore):
        def list(self, prefix="", tag=None):
            raise OSError(28, "No space left on device")

        def get(self, name):
            raise SystemExit(3)

    host = Host(artifacts=Broken())
    kind, message = await host.failure("artifacts.list")
    assert (kind, "No space left" in message) == ("CodeModeError", True)
    assert await host.failure("artifacts.exists", name="x")
    assert await host.value("skills.list") == []
    await host.registry.aclose()


async def test_stores_do_not_hold_up_the_loop():
    """A store that blocks is asked in a thread: other requests are answered meanwhile."""
    go = threading.Event()

    class Slow(MemoryArtifactStore):
        def list(self, prefix="", tag=None):
            assert go.wait(10)
            return []

    host = Host(artifacts=Slow())
    slow = asyncio.create_task(host.value("artifacts.list"))
    await asyncio.sleep(0)
    assert await host.value("tools.call", name="double", arguments={"n": 1}) == 2
    assert not slow.done()
    go.set()
    assert await slow == []
    await host.registry.aclose()


# --- policy ------------------------------------------------------------------------------------


class Rule:
    """A policy that answers what it was given, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Action] = []

    async def decide(self, action: Action) -> Any:
        self.asked.append(action)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    __call__ = decide


CALL = {"name": "double", "arguments": {"n": 1}}


async def test_policy_sees_tools_and_commands():
    """The policy is asked before each tool and shell command, with all it needs to know."""
    rule = Rule(ALLOW)
    host = Host(policy=rule)
    assert await host.value("tools.call", **CALL) == 2
    assert await host.value("shell.check", command="  git   push --force ") is None
    assert await host.value("shell.check", command="") is None
    assert rule.asked == [
        Action("tool", "double", {"n": 1}, "main"),
        Action("shell", "git", {"command": "  git   push --force "}, "main"),
        Action("shell", "", {"command": ""}, "main"),
    ]
    await host.value("skills.list")
    assert len(rule.asked) == 3


async def test_policy_denies():
    """What the policy refuses is not run; the kernel hears the reason."""
    host = Host(policy=Rule(Decision(allowed=False, reason="not on Sundays")))
    kind, message = await host.failure("tools.call", **CALL)
    assert (kind, message) == ("ToolDeniedError", "double was not run: not on Sundays")
    kind, message = await host.failure("shell.check", command="ls")
    assert (kind, "not on Sundays" in message) == ("PolicyError", True)
    assert [call.outcome for call in host.calls] == ["denied"]
    silent = Host(policy=Rule(Decision(allowed=False)))
    assert "policy" in (await silent.failure("tools.call", **CALL))[1]


@pytest.mark.parametrize(
    "answer", [RuntimeError("policy server is down"), None, "yes", 5, object()]
)
async def test_a_broken_policy_allows_nothing(answer):
    """A policy that raises, or answers what is no decision, stops the call."""
    for seam in ("policy", "on_tool_call"):
        if seam == "on_tool_call" and answer is None:
            continue  # which allows
        host = Host(**{seam: Rule(answer)})
        await host.failure("tools.call", name="echo", arguments={"value": 1})
        assert [call.outcome for call in host.calls] == ["denied"]
        if seam == "policy":
            await host.failure("shell.check", command="ls")
        await host.registry.aclose()


@pytest.mark.parametrize(
    ("verdict", "value"),
    [
        (None, 2),
        (True, 2),
        (Decision(allowed=True), 2),
        (Decision(allowed=True, arguments={"n": 50}), 100),
    ],
    ids=repr,
)
async def test_on_tool_call_allows(verdict, value):
    """None, True and a decision let the call pass, with other arguments if it has some."""
    rule = Rule(verdict)
    host = Host(on_tool_call=rule)
    assert await host.value("tools.call", **CALL) == value
    assert rule.asked == [Action("tool", "double", {"n": 1}, "main")]
    assert host.calls[0].arguments == {"n": value // 2}
    assert await host.value("shell.check", command="ls") is None
    assert len(rule.asked) == 1  # commands are no tool calls


@pytest.mark.parametrize("verdict", [False, Decision(allowed=False, reason="no")], ids=repr)
async def test_on_tool_call_denies(verdict):
    """False and a decision against it stop the call."""
    host = Host(on_tool_call=Rule(verdict))
    kind, _ = await host.failure("tools.call", **CALL)
    assert kind == "ToolDeniedError"
    assert host.calls[0].outcome == "denied"


async def test_policy_comes_first():
    """What the policy denies never reaches ``on_tool_call``; what it changes is seen there."""
    rule = Rule(None)
    host = Host(policy=Rule(Decision(allowed=False)), on_tool_call=rule)
    await host.failure("tools.call", **CALL)
    assert rule.asked == []


async def test_changed_arguments_are_kept():
    """Arguments the policy has changed are used, and shown to ``on_tool_call``, also if that allows."""
    for verdict in (None, True, Decision(allowed=True)):
        rule = Rule(verdict)
        changed = Decision(allowed=True, arguments={"n": 50})
        host = Host(policy=Rule(changed), on_tool_call=rule)
        assert await host.value("tools.call", **CALL) == 100
        assert rule.asked[0].arguments == {"n": 50}


async def test_unhelpful_arguments_of_a_policy_are_failures():
    """A policy that changes arguments into nonsense has failed, and allows nothing."""
    host = Host(policy=Rule(Decision(allowed=True, arguments=[1, 2])))  # type: ignore[arg-type]
    _, message = await host.failure("tools.call", **CALL)
    assert "the policy failed" in message
    assert [call.outcome for call in host.calls] == ["denied"]
