"""Tests of tool files: what is right loads, what is wrong is named with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from py_code_mode.errors import ConfigError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.loader import TYPES, load_file
from py_code_mode.yamlcheck import validate
from py_code_mode.yamlfile import read_yaml
from tests.examples import examples

LAUGHS = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGED_LAUGHS = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
CHAIN = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tool.yaml"


def test_readme_file(file: Path):
    """The README's nmap file gives the tool it describes."""
    file.write_text(
        'name: nmap\nargs: "{flags} {target}"\ndescription: Network scanner\n'
        "tags: [recon]\ntimeout: 300\n"
    )
    _, adapter = load_file(file, Secrets())
    (info,) = adapter.tools()
    assert (info.name, info.description, info.tags) == ("nmap", "Network scanner", {"recon"})
    assert [param.name for param in info.params] == ["flags", "target"]


def test_all_keys(file: Path):
    """Every key of a command's file is understood, in a file with a byte order mark, too."""
    file.write_bytes(
        b"\xef\xbb\xbf"
        b"name: show\ntype: cli\ncommand: printf\nargs: '%s {a} {b}'\ndescription: |\n  Shows.\n"
        b"tags: [x, y]\ntimeout: 1.5\nallow_options: [a]\nmax_output: 100\n"
    )
    _, adapter = load_file(file, Secrets())
    (info,) = adapter.tools()
    assert info.description == "Shows."


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        # no YAML
        ("", 1, None, "is empty"),
        (" \n", 1, None, "is empty"),
        ("# nothing\n", 1, None, "must hold 'key: value' lines"),
        ("- a\n", 1, None, "must hold 'key: value' lines"),
        ("!!set {name: a}\n", 1, None, "must hold 'key: value' lines"),
        ("hello", 1, None, "must hold 'key: value' lines"),
        ("name: [", 2, None, "no valid YAML"),
        ("name: a\n\ttags: x\n", 2, None, "tab"),
        ("name: a\nargs: *x\n", 2, None, "undefined alias"),
        ("name: a\n---\nname: b\n", 2, None, "another document"),
        ("name: a\nargs: x\x07\n", 2, None, "character"),
        ("name: a\nargs: !!python/object:os.system x\n", 2, None, "tag"),
        # keys
        ("args: x\n", 1, "name", "is missing"),
        ("name: a\nname: b\n", 2, "name", "twice, first in line 1"),
        ("name: a\nargz: x\n", 2, "argz", "did you mean 'args'"),
        ("name: a\nzzz: x\n", 2, "zzz", "known are allow_options, args, command"),
        ("name: a\n5: x\n", 2, "5", 'write "5"'),
        ("? [1]\n: x\n", 1, None, "keys are words"),
        # values
        ("name: 5\n", 1, "name", "must be text, not 5; put quotes around it"),
        ("name: no\n", 1, "name", "must be text, not false; put quotes around it"),
        ("name:\n", 1, "name", "must be text, not empty"),
        ("name: ''\n", 1, "name", "characters"),
        ("name: ' a'\n", 1, "name", "blanks"),
        ("name: a\ntype: smtp\n", 2, "type", "no tools of type 'smtp'; it has 'cli'"),
        ("name: a\ntype: [x]\n", 2, "type", "no tools of type"),
        ("name: a\ncommand: git log\n", 2, "command", "set command to 'git'"),
        ("name: a\nargs: [x]\n", 2, "args", "must be text, not a list"),
        ("name: a\nargs: '{x'\n", 2, "args", "write '{{'"),
        ("name: a\nargs: '\"x'\n", 2, "args", "no closing quotation"),
        ("name: a\nargs: '{a-b}'\n", 2, "args", "identifier"),
        ("name: a\ndescription: 2001-01-01\n", 2, "description", "not a date; put quotes"),
        ("name: a\ndescription: 2001-99-99\n", 2, "description", "month must be in"),
        ("name: a\ntags: recon\n", 2, "tags", "must be a list, not text; put [ ]"),
        ("name: a\ntags:\n- x\n- 5\n", 4, "tags.1", "must be text, not 5"),
        ("name: a\ntimeout: 1 min\n", 2, "timeout", "must be a number, not text"),
        ("name: a\ntimeout: true\n", 2, "timeout", "must be a number, not true"),
        ("name: a\ntimeout: 0\n", 2, "timeout", "must be greater than 0, not 0"),
        ("name: a\ntimeout: .inf\n", 2, "timeout", "must be a finite number"),
        ("name: a\nmax_output: 1.5\n", 2, "max_output", "must be a whole number, not 1.5"),
        ("name: a\nmax_output: 0\n", 2, "max_output", "greater than or equal to 1"),
        ("name: a\nallow_options: 3\n", 2, "allow_options", "true or false or a list, not 3"),
        ("name: a\nallow_options: [1]\n", 2, "allow_options", "must be text, not 1"),
        ("name: a\nallow_options: [x]\n", 2, "allow_options", "no placeholder 'x'"),
        # bombs
        ("a: &a [*a]\n", 1, "a.0", "refers to itself"),
        (LAUGHS, 6, "a5", "aliases expanded"),
        (MERGED_LAUGHS, 11, "a5.<<", "aliases expanded"),
        (CHAIN, 30, "a30.0", "nested more than"),
        ("name: " + "[" * 200_000, 1, None, "nested more than"),
        ("name: " + "{a: " * 50 + "1" + "}" * 50, 1, None, "nested more than"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_bad_files(file: Path, text: str, line: int, key: str | None, message: str):
    """Whatever is wrong in a file, one error names the file, the line and the key."""
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_file(file, Secrets())
    error = caught.value
    assert (error.file, error.line, error.key) == (file, line, key)
    assert message in str(error)
    assert f"{file}:{line}: " in str(error)


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (b"name: a\nargs: \xff\n", 2, "byte 0xff is no UTF-8"),
        ("name: a\n".encode("utf-16"), 1, "no UTF-8"),
        (b"#" * (1024 * 1024 + 1), None, "more than 1048576 bytes"),
    ],
    ids=["latin-1", "utf-16", "huge"],
)
def test_bad_bytes(file: Path, raw: bytes, line: int | None, message: str):
    """Files that are no UTF-8, or far too large, are refused before they are parsed."""
    file.write_bytes(raw)
    with pytest.raises(ConfigError, match=message) as caught:
        load_file(file, Secrets())
    assert (caught.value.file, caught.value.line) == (file, line)


def test_unreadable_file(tmp_path: Path):
    """A file that cannot be read is named with the system's reason."""
    (tmp_path / "tool.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"tool\.yaml: cannot be read: Is a directory"):
        load_file(tmp_path / "tool.yaml", Secrets())


def test_all_problems_of_a_file(file: Path):
    """The first problem of a file has the error's line; the message names all of them."""
    file.write_text("name: a\ntags: x\nargz: 1\ntimeout: -1\n")
    with pytest.raises(ConfigError) as caught:
        load_file(file, Secrets())
    assert (caught.value.line, caught.value.key) == (2, "tags")
    assert "line 3: key 'argz'" in str(caught.value)
    assert "line 4: key 'timeout'" in str(caught.value)


def test_values_are_not_repeated(file: Path):
    """A wrong value may be a secret: an error names its kind, not its text."""
    file.write_text("name: a\ntimeout: my-secret\n")
    with pytest.raises(ConfigError) as caught:
        load_file(file, Secrets())
    assert "my-secret" not in str(caught.value)


async def test_command_beside_the_file(file: Path):
    """A command with a slash is looked for beside its file, wherever the host was started."""
    script = file.parent / "bin" / "hello"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    file.write_text("name: hello\ncommand: bin/hello\n")
    _, adapter = load_file(file, Secrets())
    assert await adapter.call("hello", {}) == "hello\n"
    await adapter.aclose()


def test_lines_of_nested_keys(file: Path):
    """Lines are known for keys and items at any depth, merged ones included."""
    file.write_text("base: &base\n  x: 1\nmore:\n  <<: *base\n  y: [a,\n    {z: 1}]\n")
    read = read_yaml(file)
    assert read.data == {"base": {"x": 1}, "more": {"x": 1, "y": ["a", {"z": 1}]}}
    assert read.line(("more", "y", 1, "z")) == 6
    assert read.line(("more", "x")) == 2
    assert read.line(("more", "not there")) == 3
    assert read.line(()) == 1


def test_validate_gives_the_model(file: Path):
    """Data that fits comes back as the model, with its defaults."""

    class Inner(BaseModel):
        model_config = ConfigDict(extra="forbid")
        size: int = 1

    class Outer(BaseModel):
        inner: Inner
        items: list[Inner] = []

    file.write_text("inner: {size: 2}\n")
    assert validate(read_yaml(file), Outer) == Outer(inner=Inner(size=2))
    file.write_text("inner:\n  size: x\nitems:\n- {}\n- {sise: 1}\n")
    with pytest.raises(ConfigError) as caught:
        validate(read_yaml(file), Outer)
    assert (caught.value.line, caught.value.key) == (2, "inner.size")
    assert "line 5: key 'items.1.sise': is no known key" in str(caught.value)


@examples()
@given(st.text() | st.binary())
def test_any_file_loads_or_is_a_config_error(file: Path, content: str | bytes):
    """Whatever a file holds, it loads or raises ``ConfigError``."""
    if isinstance(content, str):
        content = b"name: a\n" + content.encode("utf-8", "surrogatepass")
    file.write_bytes(content)
    try:
        load_file(file, Secrets())
    except ConfigError as error:
        assert error.file == file  # noqa: PT017 - either outcome is right


def test_types_are_listed():
    """The types of tools are one literal dict; commands are among them."""
    assert "cli" in TYPES
