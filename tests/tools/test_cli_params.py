"""Tests of declared parameters of commands: types, defaults, patterns, flags, paths."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from py_code_mode.errors import ConfigError, ToolCallError, ToolError
from py_code_mode.tools import NO_DEFAULT, CLIAdapter

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd()]))"

patient = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def argv(cli, tmp_path: Path):
    """Call a command with declared parameters; return the arguments a real child sees."""
    (tmp_path / "show.py").write_text(SHOW)

    async def see(args: str, params: dict, arguments: dict, **more) -> list[str]:
        whole = f"-S '{tmp_path / 'show.py'}' {args}"
        tool = cli(command=sys.executable, args=whole, params=params, parse="json", **more)
        return (await tool.call("tool", arguments))[0]

    return see


@pytest.mark.parametrize(
    ("param", "value", "text"),
    [
        ({"type": "string"}, "a b; $(id)", "a b; $(id)"),
        ({"type": "string"}, 80, "80"),
        ({"type": "integer"}, 5, "5"),
        ({"type": "integer"}, "05", "5"),
        ({"type": "integer"}, 5.0, "5"),
        ({"type": "number"}, 2, "2"),
        ({"type": "number"}, "1.50", "1.5"),
        ({"type": "number"}, 1e300, "1e+300"),
        ({"type": "boolean"}, True, "true"),
        ({"type": "boolean"}, "False", "false"),
        ({"type": "boolean"}, 1, "true"),
        ({"type": "enum", "choices": ["tcp", "udp"]}, "udp", "udp"),
        ({"enum": ["-a", "-b"]}, "-a", "-a"),
        ({"type": "integer", "choices": [1, 2]}, "2", "2"),
        ({"type": "path"}, "a/b", "a/b"),
        ({"type": "path"}, "-rf", "./-rf"),
        ({"type": "path"}, "@x", "./@x"),
        ({"type": "path"}, "host:x", "./host:x"),
        ({"type": "path"}, Path("a"), "a"),
        ({"type": "path", "outside": True}, "/etc/../tmp", "/etc/../tmp"),
        ({"pattern": "[a-z]+"}, "abc", "abc"),
        ({}, 1.5, "1.5"),
    ],
)
async def test_values_that_fit(argv, param: dict, value: object, text: str):
    """A value of the declared type, or one that can only mean it, is written in one way."""
    assert await argv("{x}", {"x": param}, {"x": value}) == [text]


@pytest.mark.parametrize(
    ("param", "value", "message"),
    [
        ({"type": "string"}, True, "must be text, not True"),
        ({"type": "string"}, ["a"], "must be text, not a list"),
        ({"type": "integer"}, "five", "must be a whole number, not 'five'"),
        ({"type": "integer"}, 1.5, "must be a whole number, not 1.5"),
        ({"type": "integer"}, True, "must be a whole number, not True"),
        ({"type": "integer"}, "1_000", "must be a whole number"),
        ({"type": "integer"}, "٣", "must be a whole number"),
        ({"type": "integer"}, 10**5000, "must be a whole number, not a much larger number"),
        ({"type": "integer"}, "9" * 100_000, "must be a whole number"),
        ({"type": "number"}, float("nan"), "must be a number, not nan"),
        ({"type": "number"}, "1e999", "must be a number"),
        ({"type": "boolean"}, "yes", "must be true or false, not 'yes'"),
        ({"type": "boolean"}, 5, "must be true or false, not 5"),
        (
            {"enum": ["tcp", "udp"]},
            "tpc",
            "one of 'tcp', 'udp': no choice 'tpc' (did you mean 'tcp'?)",
        ),
        ({"enum": ["tcp"]}, {"a": 1}, "must be one of 'tcp', not a dict"),
        ({"type": "path"}, "../x", "must stay below the working directory"),
        ({"type": "path"}, "a/../../x", "must stay below the working directory"),
        ({"type": "path"}, "/etc/passwd", "must stay below the working directory"),
        ({"type": "path"}, "", "must be a path, not ''"),
        ({"type": "path"}, "a\0b", "NUL"),
        ({"type": "path"}, "\ud800", "is no path"),
        ({"type": "path", "outside": True}, "a\0b", "NUL"),
        ({"type": "string"}, "a\0b", "NUL"),
        ({"type": "string"}, "-x", "must not begin with '-'"),
        ({"type": "integer"}, -5, "must not begin with '-'"),
        ({"type": "string", "pattern": "[a-z]+"}, "ab c", "must match '[a-z]+' as a whole, 'ab c'"),
        ({"pattern": "[a-z]+"}, "abc\n", "must match"),
        ({"type": "string", "pattern": "a*"}, "a" * 1001, "has 1001 characters; it may have 1000"),
        ({"type": "list", "items": "integer"}, [1, "x"], "'x[1]' must be a whole number, not 'x'"),
        ({"type": "list", "pattern": "[a-z]"}, ["a", "1"], "'x[1]' must match"),
        ({"required": True}, None, "argument 'x' is missing; it takes 'x'"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_values_that_do_not_fit(cli, param: dict, value: object, message: str):
    """A value of another type is refused, and the message says what would be right."""
    tool = cli("true", args="{x}", params={"x": param})
    with pytest.raises(ToolCallError) as caught:
        await tool.call("true", {"x": value})
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("args", "params", "arguments", "argv_seen"),
    [
        ("{p} {t}", {"p": {"flag": "-p {p}"}}, {"p": 80, "t": "h"}, ["-p", "80", "h"]),
        ("{p} {t}", {"p": {"flag": "-p {p}"}}, {"t": "h"}, ["h"]),
        ("{t}", {"p": {"flag": "--port={p}"}}, {"p": 80, "t": "h"}, ["h", "--port=80"]),
        ("{t} -- {f}", {"v": {"type": "boolean", "flag": "-v"}}, {"v": True}, ["-v", "--"]),
        ("{t}", {"v": {"type": "boolean", "flag": "-v"}}, {"v": False, "t": "h"}, ["h"]),
        ("", {"c": {"type": "boolean", "flag": "--color={c}"}}, {"c": False}, ["--color=false"]),
        (
            "",
            {"p": {"type": "list", "flag": "-p {p}"}},
            {"p": [1, 2]},
            ["-p", "1", "-p", "2"],
        ),
        ("", {"p": {"type": "list", "items": "integer", "flag": "-p{p}"}}, {"p": 3}, ["-p3"]),
        ("", {"p": {"type": "integer", "flag": "--by={p}"}}, {"p": -3}, ["--by=-3"]),
        ("", {"p": {"type": "integer", "flag": "-p {p}", "default": 22}}, {}, ["-p", "22"]),
        ("", {"p": {"flag": "-p {p}", "default": "-x"}}, {"p": None}, ["-p", "-x"]),
        ("", {"p": {"flag": "'a b' {p}"}}, {"p": "c d"}, ["a b", "c d"]),
        # what is declared as text is not split
        ("{flags}", {"flags": {"type": "string"}}, {"flags": "a b"}, ["a b"]),
        ("{flags}", {"flags": {"description": "any"}}, {"flags": "-a -b"}, ["-a", "-b"]),
        ("{a} {b}", {"b": {"type": "integer"}}, {"a": "-", "b": 1}, None),
    ],
)
async def test_flags(argv, args: str, params: dict, arguments: dict, argv_seen: list[str] | None):
    """A flag stands where its placeholder stands, or last, and only when there is a value."""
    if argv_seen is None:
        with pytest.raises(ToolCallError, match="'a' must not begin with '-'"):
            await argv(args, params, arguments)
    else:
        assert await argv(args, params, arguments) == argv_seen


async def test_a_switch_takes_true_alone(argv):
    """A flag without a placeholder, for a value of no declared type, is there for true."""
    params = {"v": {"flag": "-v"}}
    assert await argv("", params, {"v": True}) == ["-v"]
    assert await argv("", params, {"v": "no"}) == []


async def test_links_do_not_lead_out(cli, tmp_path: Path):
    """A path that leads out by a symbolic link is refused; one below a linked folder is not."""
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.txt").write_text("a")
    (real / "up").symlink_to(tmp_path)
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "work").symlink_to(real)
    tool = cli("cat", args="{file}", params={"file": {"type": "path"}}, cwd=str(tmp_path / "work"))
    assert await tool.call("cat", {"file": "a.txt"}) == "a"
    assert await tool.call("cat", {"file": str(real / "a.txt")}) == "a"
    for file in ("up/b.txt", "up/real/../b.txt", str(tmp_path / "b.txt")):
        with pytest.raises(ToolCallError, match="stay below"):
            await tool.call("cat", {"file": file})


def test_description():
    """Declared parameters are described with types, defaults, descriptions and JSON schemas."""
    tool = CLIAdapter(
        "scan",
        args="{opts} {target}",
        params={
            "proto": {"enum": ["tcp", "udp"], "default": "tcp", "flag": "--{proto}"},
            "port": {"type": "integer", "description": "Which\n  port.", "flag": "-p {port}"},
            "target": {"type": "string", "required": True, "pattern": "[a-z.]+"},
            "names": {"type": "list", "items": {"enum": ["a", "b"]}, "flag": "-n {names}"},
        },
    )
    (info,) = tool.tools()
    shown = [(p.name, p.annotation, p.required, p.default) for p in info.params]
    assert shown == [
        ("target", "str", True, NO_DEFAULT),
        ("proto", "Literal['tcp', 'udp']", False, "tcp"),
        ("port", "int | None", False, None),
        ("names", "list[Literal['a', 'b']] | None", False, None),
        ("opts", "str | int | float | list[str]", False, NO_DEFAULT),
    ]
    assert info.params[2].description == "Which port."
    assert info.params[0].schema == {"type": "string", "pattern": "^(?:[a-z.]+)$"}
    assert info.params[3].schema == {"type": "array", "items": {"enum": ["a", "b"]}}
    json.dumps(info.to_dict())


@pytest.mark.parametrize(
    ("param", "key", "message"),
    [
        ({"type": "int"}, "params.x.type", "there are 'string', 'integer'"),
        ({"type": "enum"}, "params.x.type", "needs choices"),
        ({"type": "enum", "choices": []}, "params.x.type", "needs choices"),
        ({"type": "boolean", "choices": [1]}, "params.x.choices", "has no choices"),
        ({"type": "list", "enum": ["a"]}, "params.x.enum", "under items"),
        ({"choices": ["a"], "enum": ["a"]}, "params.x.enum", "keep one"),
        ({"choices": [True]}, "params.x.choices", "texts and numbers"),
        ({"type": "string", "items": "integer"}, "params.x.items", "only a list has items"),
        ({"type": "string", "outside": True}, "params.x.outside", "only a path has outside"),
        ({"type": "list", "items": "list"}, "params.x.items.type", "list of lists"),
        ({"items": {"type": "nope"}}, "params.x.items.type", "no type 'nope'"),
        ({"type": "string", "pattern": "["}, "params.x.pattern", "no regular expression"),
        ({"pattern": "("}, "params.x.pattern", "no regular expression"),
        ({"required": True, "default": 1}, "params.x.default", "needs no default"),
        ({"type": "integer", "default": "a"}, "params.x.default", "must be a whole number"),
        ({"enum": ["a"], "default": "b"}, "params.x.default", "one of 'a'"),
        ({"default": {"a": 1}}, "params.x.default", "must be str, int"),
        ({"flag": ""}, "params.x.flag", "must say where the value goes"),
        ({"flag": "--x={y}"}, "params.x.flag", "only {x} may be"),
        ({"flag": "'"}, "params.x.flag", "no closing quotation"),
        ({"nope": 1}, "params.x.nope", "no key 'nope'"),
    ],
)
def test_declarations_that_make_no_sense(param: dict, key: str, message: str):
    """What cannot be meant is refused when the adapter is made, and the key is named."""
    with pytest.raises(ConfigError) as caught:
        CLIAdapter("tool", args="{x}", params={"x": param})
    assert caught.value.key == key
    assert message in str(caught.value)


def test_parameters_without_a_place():
    """A parameter that is in no argument, no input and has no flag is an error."""
    with pytest.raises(ConfigError, match="neither in args nor in stdin") as caught:
        CLIAdapter("tool", args="{y}", params={"x": {"type": "string"}})
    assert caught.value.key == "params.x"
    with pytest.raises(ConfigError, match="has a flag, so in args it stands alone") as caught:
        CLIAdapter("tool", args="--x={x}", params={"x": {"flag": "-x {x}"}})
    assert caught.value.key == "args"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from(["-rf", "../..", "$(id)", "`id`", "a;b", "a\nb", "\ud800", "~", "*", "@x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)

PARAMS = {
    "text": {"type": "string"},
    "count": {"type": "integer", "flag": "-c {count}"},
    "ratio": {"type": "number", "flag": "--ratio={ratio}"},
    "loud": {"type": "boolean", "flag": "--loud"},
    "mode": {"enum": ["fast", "slow"], "default": "fast"},
    "file": {"type": "path"},
    "names": {
        "type": "list",
        "items": {"type": "string", "pattern": "[a-z]*"},
        "flag": "-n{names}",
    },
    "data": {"description": "input"},
}


@patient
@given(st.dictionaries(st.sampled_from([*PARAMS, "free", "flags", "nope"]), ANYTHING, max_size=4))
@example({"text": "-x"})
@example({"file": "/etc/passwd"})
@example({"count": 10**5000})
@example({"data": float("nan")})
async def test_any_arguments_are_a_value_or_a_tool_error(cli, arguments: dict):
    """Through every type, whatever is passed ends as a value or a ``ToolError``, never a shell."""
    tool = cli(
        "show",
        command="printf",
        args="'%s\\0' -- '' {text} {mode} {file} {free} {flags}",
        params=PARAMS,
        stdin="{data}",
    )
    try:
        out = await tool.call("show", arguments)
    except ToolError:
        return
    shown = out.split("\0")
    assert "uid=" not in out
    text = arguments.get("text")
    assert text is None or str(text) in shown


@patient
@given(st.text())
@example("../" * 30 + "etc/passwd")
@example("/" * 5000)
@example("a" * 300)
@example("-")
async def test_any_path_stays_inside(argv, tmp_path: Path, path: str):
    """Whatever text is given as a path, what the command sees lies below its folder."""
    try:
        (seen,) = await argv("{p}", {"p": {"type": "path"}}, {"p": path}, cwd=str(tmp_path))
    except ToolError:
        return
    assert not seen.startswith("-")
    assert (tmp_path / seen).resolve().is_relative_to(tmp_path.resolve())
