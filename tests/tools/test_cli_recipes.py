"""Tests of what a command reads, prints and is: input, parsed output, environment, recipes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from py_code_mode.errors import ConfigError, ToolCallError, ToolNotFoundError, ToolTimeoutError
from py_code_mode.secrets import Secrets
from py_code_mode.tools import CLIAdapter, ToolRegistry
from py_code_mode.tools.base import StartingAdapter
from py_code_mode.tools.cli.parsing import PARSERS
from py_code_mode.tools.loader import load_file
from tests import descriptors

# --- input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb\0c", "a\nb\0c"),
        ("-x", "-x"),
        (b"bytes", "bytes"),
        (5, "5"),
        (True, "true"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        (["ü", 2], '["ü", 2]'),
        (None, ""),
    ],
)
async def test_input(cli, value: object, text: str):
    """A value for the input is written there as it is; lists and dicts as JSON."""
    tool = cli("cat", stdin="{text}")
    assert await tool.call("cat", {"text": value}) == text
    assert await tool.call("cat", {}) == ""


async def test_input_with_text_around(cli):
    """Input may have literal text; a value may be input and argument at once."""
    tool = cli("sh", args="-c 'cat; echo \"$0\"' {x}", stdin="<{x}|{y}>")
    assert await tool.call("sh", {"x": "a", "y": "b"}) == "<a|b>a\n"
    with pytest.raises(ToolCallError, match="argument 'x' needs 'y' too"):
        await tool.call("sh", {"x": "a"})
    assert await cli("cat", stdin="always").call("cat", {}) == "always"


async def test_declared_input(cli):
    """Declared parameters are checked in the input, too; a list becomes lines."""
    params = {"n": {"type": "list", "items": "integer"}}
    tool = cli("sort", args="-n", stdin="{n}", params=params, parse="lines")
    assert await tool.call("sort", {"n": [10, "9", 1]}) == ["1", "9", "10"]
    with pytest.raises(ToolCallError, match="whole number"):
        await tool.call("sort", {"n": ["x"]})
    lone = cli("cat", stdin="{x}", params={"x": {"type": "string", "default": "d\0"}})
    assert await lone.call("cat", {}) == "d\0"


@pytest.mark.parametrize("value", [{"a": b"x"}, float("nan"), "\ud800", [object()]])
async def test_input_that_cannot_be_written(cli, value: object):
    """What is no text, bytes or JSON is a clear error, or is written as Python writes it."""
    tool = cli("cat", stdin="{x}")
    if isinstance(value, float):
        assert await tool.call("cat", {"x": value}) == "nan"
        return
    with pytest.raises(ToolCallError, match="cannot be written as input"):
        await tool.call("cat", {"x": value})


async def test_large_input_and_output_at_once(cli):
    """Twenty megabytes through a command that answers as it reads do not lock it up."""
    text = "x" * 19_999_999 + "\n"
    tool = cli("cat", stdin="{text}", max_output=30_000_000)
    assert await tool.call("cat", {"text": text}) == text


async def test_input_that_nobody_reads(cli):
    """A command that does not read its input, or stops reading, ends as it would."""
    text = "x\n" * 1_000_000
    assert await cli("true", stdin="{text}").call("true", {"text": text}) == ""
    head = cli("head", args="-n 1", stdin="{text}")
    assert await head.call("head", {"text": text}) == "x\n"
    slow = cli("sleep", args="60", stdin="{text}", timeout=0.3)
    before = descriptors.count()
    with pytest.raises(ToolTimeoutError):
        await slow.call("sleep", {"text": text})
    assert descriptors.count() <= before


async def test_cancelled_while_it_writes(cli, eventually):
    """A call that is cancelled in the middle of its input leaves no descriptor."""
    tool = cli("sleep", args="60", stdin="{text}")
    await cli("true").call("true", {})
    before = descriptors.count()
    call = asyncio.create_task(tool.call("sleep", {"text": "x" * 1_000_000}))
    await eventually(lambda: descriptors.count() > before)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert descriptors.count() <= before + 1  # its own reaper's


# --- output ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        ("text", "a\n", "a\n"),
        ("json", ' {"a": [1, "ü"]}\n', {"a": [1, "ü"]}),
        ("json", "\ufeff5", 5),
        ("jsonl", '{"a": 1}\n\n[2]\r\n"x\u2028y"\n', [{"a": 1}, [2], "x\u2028y"]),
        ("jsonl", "", []),
        ("lines", "a\nb \r\n\n c\x0cd", ["a", "b ", "", " c\x0cd"]),
        ("lines", "", []),
        ("lines", "\n", [""]),
        ("csv", 'a,b\n1,"x,\ny"\n\n2,\n', [{"a": "1", "b": "x,\ny"}, {"a": "2", "b": ""}]),
        ("csv", "\ufeffa\r\n1\r\n", [{"a": "1"}]),
        ("csv", "", []),
        ("csv", "a,b\n", []),
    ],
)
async def test_output_is_parsed(cli, parse: str, text: str, value: object):
    """The output becomes the value it stands for."""
    tool = cli("cat", stdin="{x}", parse=parse)
    assert await tool.call("cat", {"x": text}) == value


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        ("json", "", "cannot be read as JSON: Expecting value"),
        ("json", "{'a': 1}", "cannot be read as JSON"),
        ("json", "1 2", "Extra data"),
        ("json", "[" * 100_000, "cannot be read as JSON"),
        ("json", "9" * 5000, "cannot be read as JSON"),
        ("jsonl", "1\n2\nx\n", "JSON lines: in line 3: Expecting value"),
        ("csv", "a,b\n1\n", "line 2 has 1 fields, the first has 2"),
        ("csv", "a,a\n1,2\n", "two columns are called 'a'"),
        ("csv", 'a\n"x\n', "in line"),
    ],
)
async def test_output_that_does_not_parse(cli, parse: str, text: str, message: str):
    """Output of another shape is an error that says where it goes wrong, and keeps the output."""
    tool = cli("cat", stdin="{x}", parse=parse)
    with pytest.raises(ToolCallError, match="tool 'cat': its output cannot be read") as caught:
        await tool.call("cat", {"x": text})
    assert message in str(caught.value)
    assert (caught.value.stdout, caught.value.stderr, caught.value.exit_code) == (text, "", 0)


async def test_output_that_was_cut_is_not_parsed(cli):
    """Output longer than ``max_output`` is an error when it is to be parsed."""
    tool = cli("seq", args="{n}", parse="lines", max_output=100)
    assert (await tool.call("seq", {"n": 3})) == ["1", "2", "3"]
    with pytest.raises(ToolCallError, match="longer than max_output, 100 bytes") as caught:
        await tool.call("seq", {"n": 1000})
    assert "bytes cut" in caught.value.stdout


@pytest.mark.alone
async def test_long_output_is_parsed_beside_the_loop(cli):
    """Megabytes are parsed in a thread; the loop runs on."""
    tool = cli("seq", args="{n}", parse="json", max_output=10_000_000)
    with pytest.raises(ToolCallError, match="Extra data"):
        await tool.call("seq", {"n": 200_000})
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - start)

    watcher = asyncio.create_task(watch())
    lines = cli("seq", args="{n}", parse="jsonl", max_output=10_000_000)
    assert len(await lines.call("seq", {"n": 400_000})) == 400_000
    watcher.cancel()
    assert longest < 1


@settings(deadline=None)
@given(st.sampled_from([*PARSERS]), st.text())
def test_any_output_parses_or_is_a_value_error(parse: str, text: str):
    """No output makes a parser fail in another way."""
    with contextlib.suppress(ValueError):
        PARSERS[parse].parse(text)


async def test_exit_codes_that_are_no_failure(cli):
    """Listed exit codes give a value; all others, 0 too, raise."""
    tool = cli("sh", args="-c 'echo out; exit {n}'", ok_exit_codes=[0, 1])
    assert await tool.call("sh", {"n": 1}) == "out\n"
    with pytest.raises(ToolCallError, match="exited with code 2"):
        await tool.call("sh", {"n": 2})
    odd = cli("true", ok_exit_codes=[3])
    with pytest.raises(ToolCallError, match="exited with code 0"):
        await odd.call("true", {})


def test_annotations_follow_parse():
    """The tool's return annotation and schema say what the output becomes."""
    returns = {
        parse: CLIAdapter("t", parse=parse).tools()[0].returns
        for parse in ("text", "json", "jsonl", "lines", "csv")
    }
    assert returns == {
        "text": "str",
        "json": "Any",
        "jsonl": "list[Any]",
        "lines": "list[str]",
        "csv": "list[dict[str, str]]",
    }
    assert CLIAdapter("t", parse="lines").tools()[0].output_schema == {
        "type": "array",
        "items": {"type": "string"},
    }


# --- environment and folder --------------------------------------------------------------------


async def test_environment_folder_and_secrets(tmp_path: Path, monkeypatch):
    """``env`` is added with its secrets filled in, which nobody sees; ``cwd`` is the file's."""
    monkeypatch.setenv("PCM_OTHER", "no")
    (tmp_path / "data").mkdir()
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "show.yaml").write_text(
        "name: show\ncommand: sh\ncwd: ../data\nparse: lines\n"
        "args: -c 'pwd; echo $TOKEN; echo $PLAIN; echo $PCM_OTHER; echo $LANG'\n"
        "env: {TOKEN: 'Bearer ${KEY}', PLAIN: 'a $$ b', LANG: C}\n"
    )
    async with await ToolRegistry.from_dir(
        tmp_path / "tools", secrets={"KEY": "s3cret"}
    ) as registry:
        lines = await registry.call_tool("show", {})
    assert Path(lines[0]).resolve() == (tmp_path / "data").resolve()
    assert lines[1:] == ["Bearer ***", "a $ b", "", "C"]


async def test_secret_that_is_not_set(tmp_path: Path, monkeypatch):
    """A secret without a value is an error at the line of its variable."""
    monkeypatch.delenv("PCM_NOPE", raising=False)
    file = tmp_path / "a.yaml"
    file.write_text("name: a\nrecipes:\n  b:\n    env:\n      X: ${PCM_NOPE}\n")
    with pytest.raises(ConfigError, match="PCM_NOPE") as caught:
        load_file(file, Secrets())
    assert (caught.value.line, caught.value.key) == (5, "recipes.b.env.X")


async def test_folder_that_is_not_there(cli, tmp_path: Path):
    """A missing working directory is named at the start and in a call, not taken for the command."""
    tool = cli("echo", cwd=str(tmp_path / "nope"))
    (told,) = await tool.start()
    assert "nope of 'echo' is not there" in told
    with pytest.raises(ToolCallError, match="the working directory of 'echo'"):
        await tool.call("echo", {})


# --- commands that are not installed -----------------------------------------------------------


async def test_missing_command_is_reported(tmp_path: Path, caplog):
    """What is not installed is told when a directory is loaded and when it is called, by name."""
    (tmp_path / "a.yaml").write_text("name: a\ncommand: no-such-program\n")
    (tmp_path / "b.yaml").write_text("name: b\ncommand: echo\n")
    (tmp_path / "c.yaml").write_text("name: c\ncommand: ./bin/c\nrecipes: {x: {}, y: {}}\n")
    async with await ToolRegistry.from_dir(tmp_path) as registry:
        assert [info.name for info in registry.list_tools()] == ["a", "b", "c.x", "c.y"]
        first, second, third = map(str, registry.problems)
        assert f"{tmp_path / 'a.yaml'}:1: command 'no-such-program' is not installed" in first
        assert "calls of 'a' will fail" in first
        assert "/bin/c" in second
        assert "'c.x'" in second
        assert "'c.y'" in third
        assert "no-such-program" in caplog.text
        with pytest.raises(ToolCallError, match="'no-such-program' is not installed"):
            await registry.call_tool("a", {})


async def test_start_is_optional(cli, tmp_path: Path):
    """The adapter can be started, need not be, and finds commands where the command would."""
    tool = cli("echo", args="{x}")
    assert isinstance(tool, StartingAdapter)
    assert await tool.call("echo", {"x": 1}) == "1\n"
    assert await tool.start() == []
    script = tmp_path / "hello"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    local = cli("hello", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert await local.start() == []
    assert await local.call("hello", {}) == "hello\n"
    beside = cli("x", command="./hello", cwd=str(tmp_path))
    assert await beside.start() == []
    assert await beside.call("x", {}) == "hello\n"


async def test_a_thousand_files_start_fast(tmp_path: Path):
    """A thousand tool files load, and their commands are looked for, within seconds."""
    for number in range(1000):
        (tmp_path / f"t{number}.yaml").write_text(
            f"name: t{number}\ncommand: echo\nargs: '{{x}} {{y}}'\n"
            "params: {x: {type: integer, required: true}}\n"
        )
    start = time.perf_counter()
    async with await ToolRegistry.from_dir(tmp_path) as registry:
        took = time.perf_counter() - start
        assert len(registry.list_tools()) == 1000
    assert took < 5  # a busy machine; alone it is a tenth of that


# --- recipes -----------------------------------------------------------------------------------


RECIPES = """\
name: say
description: Says things.
command: printf
tags: [talk]
params:
  who: {type: string, default: you, description: To whom.}
  loud: {type: boolean, flag: '!'}
recipes:
  hello:
    args: "'hello %s%s' {who}"
    description: Says hello.
  count:
    args: "'%s\\n' {numbers}"
    parse: lines
    tags: [numbers]
    params:
      numbers: {type: list, items: integer, required: true}
  more.again: {args: "'again %s' {who}", params: {who: {enum: [me]}}}
"""


async def test_recipes(tmp_path: Path):
    """Each recipe is a tool below the file's name; its keys override the file's."""
    file = tmp_path / "say.yaml"
    file.write_text(RECIPES)
    _, adapter = load_file(file, Secrets())
    infos = {info.name: info for info in adapter.tools()}
    assert [*infos] == ["say.hello", "say.count", "say.more.again"]
    assert infos["say.hello"].description == "Says hello."
    assert infos["say.more.again"].description == "Says things."
    assert infos["say.count"].tags == {"numbers"}
    assert infos["say.hello"].tags == {"talk"}
    assert [param.name for param in infos["say.count"].params] == ["numbers", "loud"]
    assert infos["say.count"].returns == "list[str]"
    assert await adapter.call("say.hello", {"loud": True}) == "hello you!"
    assert await adapter.call("say.count", {"numbers": [1, "2"]}) == ["1", "2"]
    assert await adapter.call("say.more.again", {"who": "me"}) == "again me"
    with pytest.raises(ToolNotFoundError, match=r"did you mean 'say.hello'"):
        await adapter.call("say.helo", {})
    with pytest.raises(ToolCallError, match=r"tool 'say.count': argument 'numbers' is missing"):
        await adapter.call("say.count", {})
    await adapter.aclose()


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("recipes: {}\n", 2, "recipes", "no recipe"),
        ("recipes:\n  a: {argz: x}\n", 3, "recipes.a.argz", "did you mean"),
        ("recipes:\n  a:\n    args: '{'\n", 4, "recipes.a.args", "write '{{'"),
        ("args: '{'\nrecipes:\n  a: {}\n", 2, "args", "write '{{'"),
        ("recipes:\n  ' a': {}\n", 3, "recipes. a", "blanks"),
        (
            "params: {x: {type: nope}}\nrecipes:\n  a: {args: '{x}'}\n",
            2,
            "params.x.type",
            "no type 'nope'",
        ),
        (
            "recipes:\n  a:\n    params:\n      x: {type: integer}\n",
            5,
            "recipes.a.params.x",
            "neither in args",
        ),
        ("parse: xml\n", 2, "parse", "there are 'text', 'json'"),
        ("ok_exit_codes: [256]\n", 2, "ok_exit_codes", "0 to 255"),
        ("ok_exit_codes: []\n", 2, "ok_exit_codes", "0 to 255"),
        ("ok_exit_codes: 1\n", 2, "ok_exit_codes", "must be a list"),
        ("env: {'A=B': c}\n", 2, "env.A=B", "no variable"),
        ("env: {A: 5}\n", 2, "env.A", "must be text, not 5; put quotes"),
        ("stdin: '{'\n", 2, "stdin", "write '{{'"),
        ("args: '{x}'\nparams: {x: {typ: integer}}\n", 3, "params.x.typ", "no known key"),
        ("args: '{x}'\nparams: {x: {choices: [on]}}\n", 3, "params.x.choices.0", "not true"),
        ("args: '{x}'\nparams: {x: {required: 1}}\n", 3, "params.x.required", "true or false"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str, line: int, key: str, message: str):
    """Whatever is wrong in the longer form, the error names file, line and key."""
    file = tmp_path / "tool.yaml"
    file.write_text(f"name: a\n{text}")
    with pytest.raises(ConfigError) as caught:
        load_file(file, Secrets())
    assert (caught.value.file, caught.value.line, caught.value.key) == (file, line, key)
    assert message in str(caught.value)


def test_settings_in_python():
    """In Python an unknown setting is refused, by name."""
    with pytest.raises(ConfigError, match="no setting 'argz'"):
        CLIAdapter("a", argz="x")
    with pytest.raises(ConfigError, match="no setting 'argz'") as caught:
        CLIAdapter("a", recipes={"b": {"argz": "x"}})
    assert caught.value.key == "recipes.b.argz"


async def test_recipes_in_a_registry(tmp_path: Path):
    """Recipes have scopes and searches of their own, and clash like other tools."""
    (tmp_path / "say.yaml").write_text(RECIPES)
    async with await ToolRegistry.from_dir(tmp_path) as registry:
        assert registry.search("says hello")[0].name == "say.hello"
        view = registry.scoped_view(["numbers"])
        assert [info.name for info in view.list_tools()] == ["say.count"]
        with pytest.raises(ConfigError, match=r"tool 'say' and tool 'say\.hello'"):
            registry.register_adapter(CLIAdapter("say", command="echo"))
        json.dumps([info.to_dict() for info in registry.list_tools()])
