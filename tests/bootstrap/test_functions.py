"""Tools as Python functions: signatures, documentation, and how arguments find their names."""

from __future__ import annotations

import inspect
import pydoc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernel_bootstrap.functions import SourceText, build_function, signature_of
from kernel_bootstrap.wire.errors import ToolCallError
from tests.bootstrap.fakes import param, tool


def made(*params, **more):
    """A tool's function that gives back the call it would make."""

    async def acall(name, arguments):
        return "awaited", name, arguments

    return build_function(
        tool("scan", *params, **more), lambda name, arguments: (name, arguments), acall
    )


optional = {"required": False}

SIGNATURES = {
    "nothing": ((), "", "()"),
    "required": ((param("a", "int"),), "", "(a: int)"),
    "returns": ((param("a", "int"),), "list[str]", "(a: int) -> list[str]"),
    "defaults": (
        (param("a", "str", default="x"), param("b", "Any", default=None)),
        "",
        "(a: str = 'x', b: Any = None)",
    ),
    "optional without default": ((param("a", "int", **optional),), "", "(a: int = None)"),
    "no annotation": ((param("a", ""),), "", "(a: Any)"),
    "annotation that is no Python": ((param("a", "int | <odd>"),), "", "(a: int | <odd>)"),
    "required after optional": (
        (param("a", "int", default=1), param("b", "int"), param("c", "int", default=2)),
        "",
        "(a: int = 1, *, b: int, c: int = 2)",
    ),
    "no identifier": ((param("a"), param("b-c"), param("")), "", "(a: Any, **more)"),
    "keyword": ((param("class"), param("a", default=1)), "", "(a: Any = 1, **more)"),
    "soft keyword": ((param("match"), param("type")), "", "(match: Any, type: Any)"),
    "only odd names": ((param("1"), param("None")), "", "(**more)"),
    "odd name beside one called more": (
        (param("more"), param("b-c")),
        "",
        "(more: Any, **more_)",
    ),
}


@pytest.mark.parametrize(("params", "returns", "shown"), SIGNATURES.values(), ids=SIGNATURES.keys())
def test_signatures(params, returns, shown):
    """A signature shows annotations and defaults as source, and leaves odd names to ``**``."""
    assert str(signature_of(params, returns)) == shown


def test_annotations_read_as_source():
    """An annotation is a string that shows without quotes."""
    annotation = signature_of([param("a", "list[int]")], "").parameters["a"].annotation
    assert annotation == "list[int]"
    assert repr(annotation) == "list[int]"
    assert isinstance(annotation, SourceText)


async def test_a_function_says_what_it_is():
    """Name, signature, documentation and ``help`` are the tool's, for both ways to call."""
    target = param("target", "str", description="Where to look.")
    function = made(target, param("fast", "bool", default=False), description="Scan a host.")
    for one, name in ((function, "tools.scan"), (function.acall, "tools.scan.acall")):
        assert str(inspect.signature(one)) == "(target: str, fast: bool = False)"
        assert one.__qualname__ == name
        assert one.__module__ == "tools"
        assert inspect.getdoc(one) == "Scan a host.\n\nArgs:\n    target: Where to look."
        page = pydoc.render_doc(one, renderer=pydoc.plaintext)
        assert "Scan a host." in page
        assert "scan(target: str, fast: bool = False)" in page
    assert inspect.iscoroutinefunction(function.acall)
    assert function("h") == ("scan", {"target": "h"})
    assert await function.acall("h", fast=True) == (
        "awaited",
        "scan",
        {"target": "h", "fast": True},
    )


def test_a_tool_without_description_is_named():
    """A tool that says nothing of itself still has a docstring."""
    assert made().__doc__ == "Tool scan."


def test_a_nested_tool_is_called_by_its_exact_name():
    """The function's name is the last part of its path; the call uses the tool's own name."""
    function = build_function(
        tool("my-server.get-it", path="my_server.get_it"), lambda name, _: name, None
    )
    assert function.__name__ == "get_it"
    assert function.__qualname__ == "tools.my_server.get_it"
    assert function() == "my-server.get-it"


def test_positional_arguments_find_their_names():
    """Positional arguments go to the parameters in order, mixed with named ones."""
    function = made(param("a"), param("b", default=1), param("c", default=2))
    assert function(1)[1] == {"a": 1}
    assert function(1, 2, 3)[1] == {"a": 1, "b": 2, "c": 3}
    assert function(1, c=3)[1] == {"a": 1, "c": 3}
    assert function(b=1)[1] == {"b": 1}


@pytest.mark.parametrize(
    ("args", "kwargs", "what"),
    [
        ((1, 2, 3), {}, "too many positional"),
        ((1,), {"a": 2}, r"\['a'\] given twice"),
        ((1, 2), {}, "too many positional"),  # the second is keyword-only
    ],
)
def test_arguments_that_do_not_fit_are_refused(args, kwargs, what):
    """Too many positional arguments, or one given twice, name the right signature."""
    function = made(param("a", default=0), param("b"), path="s.scan")
    with pytest.raises(ToolCallError, match=what) as caught:
        function(*args, **kwargs)
    assert "scan(a: Any = 0, *, b: Any)" in str(caught.value)


def test_odd_names_reach_the_tool():
    """Arguments whose names are no identifiers, or are ours, arrive under exactly that name."""
    odd = {"a-b": 1, "class": 2, "self": 3, "name": 4, "args": 5, "kwargs": 6, "call": 7, "": 8}
    function = made(*map(param, odd))
    assert function(**odd)[1] == odd
    assert function(3, 4, **{"a-b": 1})[1] == {"self": 3, "name": 4, "a-b": 1}


@given(st.lists(st.one_of(st.text(max_size=5), st.just("more")), unique=True, max_size=5))
@example(["more", "-"])
def test_any_names_make_a_function(names):
    """Whatever a tool calls its parameters, it has a function and every name can be given."""
    function = made(*map(param, names))
    inspect.signature(function)
    arguments = dict.fromkeys(names, 1)
    assert function(**arguments)[1] == arguments
