"""Tests of the rules that make an argument vector out of a template and values."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from py_code_mode.errors import ConfigError, ToolCallError, ToolError
from py_code_mode.tools.cli.argv import Template

# The machine may be busy: time says nothing here.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NASTY = "a b 'c' \"d\" ; $(id) `id` | > < & * ? ~ # \\ \n {x} %s ü"


@pytest.mark.parametrize(
    ("args", "arguments", "argv"),
    [
        # one value is one argument
        ("{target}", {"target": NASTY}, [NASTY]),
        ("-s {url}", {"url": "http://x/?a=1&b=2"}, ["-s", "http://x/?a=1&b=2"]),
        ("--x={y}", {"y": NASTY}, [f"--x={NASTY}"]),
        ("{a}", {"a": ""}, [""]),
        ("{a} {a}", {"a": "x"}, ["x", "x"]),
        # not given drops out with its token
        ("{flags} {target}", {"target": "h"}, ["h"]),
        ("-s {url}", {}, ["-s"]),
        ("--port={port} {target}", {"target": "h"}, ["h"]),
        ("--port={port} {target}", {"target": "h", "port": None}, ["h"]),
        ("{a} {b}", {"a": [], "b": ()}, []),
        ("", {}, []),
        # several arguments
        ("{hosts}", {"hosts": ["a b", "c"]}, ["a b", "c"]),
        ("{hosts}", {"hosts": ("a", 2)}, ["a", "2"]),
        ("--port={port}", {"port": [80, 443]}, ["--port=80", "--port=443"]),
        ("{user}@{host}", {"user": "me", "host": ["a", "b"]}, ["me@a", "me@b"]),
        ("{host}:{host}", {"host": ["a", "b"]}, ["a:a", "b:b"]),
        # flags, args and options are split
        ("{flags} {target}", {"flags": "-p 80 -sV", "target": "h"}, ["-p", "80", "-sV", "h"]),
        ("{options}", {"options": "--name 'a b' \"c d\""}, ["--name", "a b", "c d"]),
        ("{args}", {"args": ["-p", "80 90"]}, ["-p", "80 90"]),
        ("{flags}", {"flags": "$(id); `id`"}, ["$(id);", "`id`"]),
        ("{flags}", {"flags": ""}, []),
        ("{flags}", {"flags": 5}, ["5"]),
        ("--raw={flags}", {"flags": "-a -b"}, ["--raw=-a -b"]),
        # behind other text a dash begins no option
        ("-p{port}", {"port": "-"}, ["-p-"]),
        ("--x={y}", {"y": ["-a", "-b"]}, ["--x=-a", "--x=-b"]),
        # other types
        ("{a}", {"a": True}, ["true"]),
        ("{a}", {"a": False}, ["false"]),
        ("{a}", {"a": 1.5}, ["1.5"]),
        ("{a}", {"a": 10**30}, ["1" + "0" * 30]),
        # quotes and braces of the template
        ("'a b' {x}", {"x": "c"}, ["a b", "c"]),
        ('"--x={x} y"', {"x": "c"}, ["--x=c y"]),
        ("'' {x}", {"x": "c"}, ["", "c"]),
        ("{{x}} {{{x}}} }}{{", {"x": "c"}, ["{x}", "{c}", "}{"]),
        ("-w '%{{http_code}}' {url}", {"url": "u"}, ["-w", "%{http_code}", "u"]),
    ],
)
def test_rules(args: str, arguments: dict, argv: list[str]):
    """Template and values give exactly these arguments."""
    assert Template.parse(args).build(arguments) == argv


@pytest.mark.parametrize(
    ("args", "arguments", "message"),
    [
        # option injection
        ("{target}", {"target": "-oN/etc/passwd"}, "'target' must not begin with '-'"),
        ("{target}", {"target": ["a", "-b"]}, "'target' must not begin with '-'"),
        ("{target}", {"target": -1}, "'target' must not begin with '-'"),
        ("{target}", {"target": "-"}, "'target' must not begin with '-'"),
        ("{host}:{port}", {"host": "-x", "port": 1}, "'host' must not begin with '-'"),
        ("{a}{b}", {"a": "", "b": "-x"}, "must not begin with '-'"),
        ("{flags} {target}", {"target": "-x"}, "pass options in 'flags'"),
        # names
        ("{target}", {"tagret": "x"}, "no argument 'tagret' (did you mean 'target'?)"),
        ("{target}", {"x": "x"}, "it takes 'target'"),
        ("", {"x": "x"}, "it takes none"),
        # types
        ("{a}", {"a": {"k": 1}}, "not dict"),
        ("{a}", {"a": b"x"}, "not bytes"),
        ("{a}", {"a": {1}}, "not set"),
        ("{a}", {"a": object()}, "not object"),
        ("{a}", {"a": [["x"]]}, "'a[0]' must be"),
        ("{a}", {"a": [None]}, "not NoneType"),
        ("{a}", {"a": 10**5000}, "cannot be written"),
        ("{a}", {"a": "x\ud800"}, "cannot be written"),
        ("{a}", {"a": "x\0y"}, "NUL"),
        ("{flags}", {"flags": ["a\0"]}, "NUL"),
        # a value must not vanish
        ("{user}@{host}", {"user": "me"}, "'user' needs 'host' too"),
        ("{a}-{b}", {"a": ["x"], "b": ["y"]}, "only one of the arguments 'a', 'b' can be a list"),
        ("{flags}", {"flags": "'x"}, "no closing quotation"),
        ("{flags}", {"flags": "x" * 200_000}, "pass it as a list"),
    ],
)
def test_refusals(args: str, arguments: dict, message: str):
    """What cannot be an argument is refused with what was wrong."""
    with pytest.raises(ToolCallError) as caught:
        Template.parse(args).build(arguments)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("allow", [True, ["target"], ("target",)])
def test_allow_options(allow: bool | list[str]):
    """A placeholder the tool file names may begin with a dash, alone or in a list."""
    template = Template.parse("{target} {other}", allow)
    assert template.build({"target": "-x"}) == ["-x"]
    assert template.build({"target": ["-x", "-1"]}) == ["-x", "-1"]
    if allow is not True:
        with pytest.raises(ToolCallError, match="'other'"):
            template.build({"other": "-x"})


@pytest.mark.parametrize(
    ("args", "allow", "key", "message"),
    [
        ("'x", False, "args", "no closing quotation"),
        ("{a", False, "args", "write '{{'"),
        ("a}", False, "args", "write '}}'"),
        ("{}", False, "args", "no placeholder"),
        ("{a-b}", False, "args", "no placeholder"),
        ("{0}", False, "args", "no placeholder"),
        ("{class}", False, "args", "no placeholder"),
        ("{a}", ["b"], "allow_options", "args has 'a'"),
    ],
)
def test_bad_templates(args: str, allow: bool | list[str], key: str, message: str):
    """A template that means nothing is refused when it is read, naming its key."""
    with pytest.raises(ConfigError) as caught:
        Template.parse(args, allow)
    assert caught.value.key == key
    assert message in str(caught.value)


def test_params():
    """Placeholders are the tool's parameters, none of them required, in order, each once."""
    params = Template.parse("{flags} --p={port} {target} {port}").params()
    assert [param.name for param in params] == ["flags", "port", "target"]
    assert not any(param.required for param in params)
    assert params[0].annotation == "str | list[str]"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.binary(),
    max_leaves=5,
)


@patient
@given(st.dictionaries(st.sampled_from(["flags", "a", "b", "c"]), json_like))
def test_always_arguments_or_an_error(arguments: dict):
    """Any values give a list of text without NULs, or a ``ToolError``."""
    try:
        argv = Template.parse("-x {flags} {a} --b={b} {a}@{c}").build(arguments)
    except ToolError:
        return
    assert all(type(text) is str and "\0" not in text for text in argv)


@patient
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_one_argument(value: str):
    """Any text that begins with no dash is one argument, unchanged."""
    template = Template.parse("--x={x} {y}", allow_options=["y"])
    assert template.build({"x": value, "y": value}) == [f"--x={value}", value]


@patient
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_flags_split_like_a_shell(words: list[str]):
    """Quoted for a shell, any words come out of ``flags`` as they went in."""
    assert Template.parse("{flags}").build({"flags": shlex.join(words)}) == words
