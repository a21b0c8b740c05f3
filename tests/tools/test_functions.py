"""Tests of Python functions as tools."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import datetime as dt
import functools
import math
import operator
import sys
import threading
import time
import typing
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Optional

import pandas as pd
import pytest
from pydantic import BaseModel

from py_code_mode.errors import (
    ConfigError,
    ToolCallError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
)
from py_code_mode.tools import NO_DEFAULT, FunctionAdapter, ToolInfo, ToolParam
from tests import descriptors

if TYPE_CHECKING:
    from somewhere import Unknown


def describe(function: Callable[..., Any], **settings) -> ToolInfo:
    return FunctionAdapter().add(function, **settings)


async def call(function: Callable[..., Any], **arguments) -> Any:
    adapter = FunctionAdapter()
    info = adapter.add(function, name="tool")
    try:
        return await adapter.call(info.name, arguments)
    finally:
        await adapter.aclose()


class Point(BaseModel):
    x: int
    y: int = 0


@dataclasses.dataclass
class Box:
    width: float


def scan(target: str, ports: list[int] = [22, 80], *, fast: "bool | None" = None) -> dict[str, int]:  # noqa: B006, UP037
    """Scan the ports
    of a target, all of them.

    More about it.

    Args:
        target: Host name
            or address.
        ports (list[int]): Which ones: all by default.
        fast: Less thorough.

    Returns:
        dict: by port.
    """  # noqa: D205 - some write so
    return {"n": len(ports), "fast": fast is True}


def test_description():
    """Signature, hints and docstring of a function describe its tool."""
    assert describe(scan, tags=["net"]) == ToolInfo(
        "scan",
        "Scan the ports of a target, all of them.",
        (
            ToolParam("target", "str", True, NO_DEFAULT, "Host name or address."),
            ToolParam("ports", "list[int]", False, [22, 80], "Which ones: all by default."),
            ToolParam("fast", "bool | None", False, None, "Less thorough."),
        ),
        frozenset({"net"}),
        "dict[str, int]",
    )


def test_own_name_and_description():
    """A name and a description that are given win over the function's."""
    info = describe(scan, name="other-name", description="Short.")
    assert (info.name, info.description) == ("other-name", "Short.")


class Greeter:
    """Greets."""

    def greet(self, name: str = "you") -> str:
        """Say hello."""
        return f"hello {name}"

    def __call__(self, name: str) -> str:
        """Say hello when called."""
        return f"called {name}"

    @classmethod
    def make(cls, name: str) -> str:
        return f"{cls.__name__} {name}"

    @staticmethod
    def plain(name: str) -> str:
        return name


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (Greeter().greet, "hello me"),
        (Greeter(), "called me"),
        (Greeter.make, "Greeter me"),
        (Greeter.plain, "me"),
        (functools.partial(Greeter().greet), "hello me"),
        (functools.partial(lambda greeting, name: f"{greeting} {name}", "hi"), "hi me"),
        (functools.lru_cache(Greeter.plain), "me"),
        (lambda name: f"lambda {name}", "lambda me"),
        (lambda **anything: anything, {"name": "me"}),
    ],
)
async def test_kinds_of_callables(function: Callable[..., Any], result: object):
    """Methods, partials, callable objects and wrapped functions are tools like any other."""
    assert await call(function, name="me") == result


def test_what_they_say():
    """The docstring of what is below a partial or an object describes the tool."""
    assert describe(Greeter(), name="g").description == "Say hello when called."
    assert describe(functools.partial(Greeter().greet), name="g").description == "Say hello."
    assert describe(Greeter().greet).name == "greet"
    assert describe(functools.lru_cache(scan), name="s").description.startswith("Scan the ports")


async def test_decorated_functions():
    """A decorator's function is what is called; what it wraps only describes it."""

    async def work(x: int) -> int:
        """Work."""
        return x + 1

    @functools.wraps(work)
    def blocking(x: int) -> int:
        return asyncio.run(work(x))

    assert describe(blocking).description == "Work."
    assert await call(blocking, x=1) == 2


async def test_positional_only():
    """Parameters that Python takes by position alone are given by name, as all are."""

    def power(base: int, exponent: int = 2, /, *, plus: int = 0) -> int:
        return base**exponent + plus

    assert await call(power, base=3) == 9
    assert await call(power, exponent=3, base=2, plus=1) == 9
    assert await call(math.sqrt, x=9.0) == 3.0
    assert await call(operator.add, a=1, b=2) == 3


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (print, r"\*args cannot be given by name"),
        (5, "must be a function, not int"),
        (lambda: 1, "no name of its own; give one"),
        (functools.partial(scan), "no name of its own; give one"),
        (dict, "no signature"),
    ],
)
def test_refused_when_added(function: Callable[..., Any], message: str):
    """What cannot be called by keywords, or has no name, is refused at once."""
    adapter = FunctionAdapter()
    with pytest.raises(ConfigError, match=message):
        adapter.add(function)
    assert not adapter.tools()


def test_same_name_twice():
    """A second function of one name does not replace the first."""
    adapter = FunctionAdapter(scan)
    with pytest.raises(ConfigError, match="'scan'"):
        adapter.add(scan)


@pytest.mark.parametrize(
    ("annotation", "given", "result"),
    [
        ("str", "x", "x"),
        ("int", "5", 5),
        ("int", 5.0, 5),
        ("float", 5, 5.0),
        ("bool", "true", True),
        ("list[int]", ["1", 2], [1, 2]),
        ("tuple[int, str]", [1, "a"], (1, "a")),
        ("set[int]", [1, 1], {1}),
        ("dict[str, float]", {"a": "1.5"}, {"a": 1.5}),
        ("int | None", None, None),
        ("Optional[int]", "3", 3),
        ("int | str", "3", "3"),
        ("Literal['a', 'b']", "a", "a"),
        ("Path", "a/b", Path("a/b")),
        ("dt.date", "2024-05-06", dt.date(2024, 5, 6)),
        ("Point", {"x": "1"}, Point(x=1)),
        ("list[Point]", [{"x": 1}], [Point(x=1)]),
        ("Box", {"width": 2}, Box(2.0)),
        ("Any", object, object),
        ("object", 1, 1),
        ("list", [1, "a"], [1, "a"]),
        ("Unknown", {"free": 1}, {"free": 1}),
        ("no python", 1, 1),
        ("1 / 0", 1, 1),
    ],
)
async def test_arguments_are_converted(annotation: str, given: object, result: object):
    """Arguments become what the annotation says; one nobody can resolve accepts anything."""
    seen = []

    def tool(value, other: Unknown = None):
        seen.append(value)

    tool.__annotations__["value"] = annotation
    await call(tool, value=given)
    (got,) = seen
    assert got == result
    assert type(got) is type(result)


@pytest.mark.parametrize(
    ("annotation", "given", "message"),
    [
        (int, "five", "'value' must be int, not str"),
        (int, None, "'value' must be int, not NoneType"),
        (str, 5, "'value' must be str, not int"),
        (list[int], [1, "x"], r"'value' must be list\[int\], not list \(value\[1\]: "),
        (Literal["a", "b"], "c", "'a' or 'b'"),
        (Point, {"y": 1}, r"value\['x'\]: Field required"),
        (pd.DataFrame, {"a": [1]}, "DataFrame"),
    ],
)
async def test_wrong_types(annotation: object, given: object, message: str):
    """An argument of a wrong type is refused, naming it, what was expected and what came."""

    def tool(value):
        raise AssertionError("must not be called")

    tool.__annotations__["value"] = annotation
    with pytest.raises(ToolCallError, match=message):
        await call(tool, value=given)


async def test_frames_pass():
    """A type that pydantic does not know is checked by isinstance and passes unchanged."""

    def rows(frame: pd.DataFrame) -> int:
        return len(frame)

    assert await call(rows, frame=pd.DataFrame({"a": [1, 2]})) == 2


async def test_none_default_without_optional():
    """``x: int = None`` accepts None, as its author meant."""

    def tool(x: int = None) -> Any:  # noqa: RUF013 - the point
        return x

    assert await call(tool, x=None) is None
    assert await call(tool) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "argument 'target' is missing; it takes 'target', 'ports', 'fast'"),
        ({"target": "x", "prots": []}, "no argument 'prots' (did you mean 'ports'?); it takes"),
        ({"tagret": "x"}, "no argument 'tagret' (did you mean 'target'?)"),
    ],
)
async def test_wrong_names(arguments: dict, message: str):
    """A missing or unknown argument is named, with the right ones."""
    with pytest.raises(ToolCallError) as caught:
        await call(scan, **arguments)
    assert message in str(caught.value)


async def test_sync_runs_in_a_thread_async_on_the_loop():
    """A sync function never blocks the loop; an async one runs on it."""

    async def on_loop() -> str:
        return threading.current_thread().name

    assert (await call(threading.current_thread)).name.startswith("py-code-mode-tool")
    assert await call(on_loop) == threading.current_thread().name


async def test_context_variables():
    """A function sees the context variables of its caller, in a thread, too."""
    who = contextvars.ContextVar("who", default="nobody")
    who.set("me")

    def in_thread() -> str:
        return who.get()

    async def on_loop() -> str:
        return who.get()

    assert await call(in_thread) == "me"
    assert await call(on_loop) == "me"


async def test_sync_function_that_returns_an_awaitable():
    """A coroutine that a sync function returns is awaited."""

    async def work(x: int) -> int:
        return x + 1

    assert await call(functools.partial(work), x=1) == 2
    assert await call(lambda x: work(x + 1), x=1) == 3


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad value"), "raised ValueError: bad value"),
        (KeyError("k"), "raised KeyError: 'k'"),
        (TimeoutError(), "raised TimeoutError"),
        (StopIteration(), "raised StopIteration"),
        (SystemExit(3), "raised SystemExit: 3"),
        (asyncio.CancelledError("self"), "raised CancelledError: self"),
        (UnprintableError(), "raised UnprintableError: (its message cannot be shown)"),
        (ValueError("x" * 1_000_000), "raised ValueError: xxx"),
        (RecursionError("deep"), "raised RecursionError: deep"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_exceptions(error: BaseException, message: str, is_async: bool):
    """Whatever a function raises is a ``ToolCallError`` that names it; the host lives on."""

    async def on_loop() -> None:
        raise error

    def in_thread() -> None:
        raise error

    with pytest.raises(ToolCallError) as caught:
        await call(on_loop if is_async else in_thread)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 11_000
    if not (is_async and isinstance(error, StopIteration)):  # Python makes that a RuntimeError
        assert caught.value.exception == type(error).__name__


async def test_keyboard_interrupt_in_a_thread():
    """A function that raises KeyboardInterrupt in its thread does not end the host."""

    def tool() -> None:
        raise KeyboardInterrupt

    with pytest.raises(ToolCallError, match="KeyboardInterrupt"):
        await call(tool)


@pytest.mark.parametrize("is_async", [False, True])
async def test_tool_errors_pass(is_async: bool):
    """A function may raise our own errors; they stay as they are."""
    error = ToolDeniedError("not you", who="me")

    async def on_loop() -> None:
        raise error

    def in_thread() -> None:
        raise error

    with pytest.raises(ToolDeniedError) as caught:
        await call(on_loop if is_async else in_thread)
    assert caught.value is error


async def test_cancelling_an_async_function(eventually):
    """Cancelling the call cancels the coroutine, and it may clean up."""
    events = []

    async def tool() -> None:
        events.append("started")
        try:
            await asyncio.sleep(60)
        finally:
            events.append("cleaned up")

    task = asyncio.create_task(call(tool))
    await eventually(lambda: events)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events == ["started", "cleaned up"]


@pytest.mark.alone
async def test_cancelling_a_sync_function(eventually):
    """Cancelling the call returns at once; the thread's result is dropped."""
    started, release = threading.Event(), threading.Event()

    def tool() -> None:
        started.set()
        release.wait(30)

    task = asyncio.create_task(call(tool))
    await eventually(started.is_set)
    before = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - before < 0.5
    release.set()


@pytest.mark.alone
async def test_closing(eventually):
    """Closing leaves no idle thread, does not wait for a busy one, and refuses later calls."""
    release, started = threading.Event(), threading.Event()

    def tool(wait: bool) -> None:
        started.set()
        if wait:
            release.wait(30)

    adapter = FunctionAdapter(tool)
    before = threading.active_count()
    await adapter.call("tool", {"wait": False})
    await adapter.aclose()
    assert threading.active_count() <= before
    with pytest.raises(ToolCallError, match="is closed"):
        await adapter.call("tool", {"wait": False})

    busy = FunctionAdapter(tool)
    started.clear()
    task = asyncio.create_task(busy.call("tool", {"wait": True}))
    await eventually(started.is_set)
    start = time.monotonic()
    await busy.aclose()
    assert time.monotonic() - start < 0.5
    release.set()
    assert await task is None
    await eventually(lambda: threading.active_count() <= before)


async def test_waiting_call_when_closed(eventually):
    """A call that still waits for a thread when the adapter is closed fails, it does not hang."""
    release = threading.Event()
    adapter = FunctionAdapter()
    adapter.add(lambda: release.wait(30), name="tool")
    calls = [asyncio.create_task(adapter.call("tool", {})) for _ in range(70)]
    await asyncio.sleep(0)
    await adapter.aclose()
    release.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    failed = [outcome for outcome in outcomes if outcome is not True]
    assert len(failed) == 6
    assert all(isinstance(outcome, ToolCallError) for outcome in failed)


async def test_no_descriptors_leak():
    """Many calls from many threads leave no descriptor behind."""
    adapter = FunctionAdapter(scan)
    await adapter.call("scan", {"target": "x"})
    before = descriptors.count()
    await asyncio.gather(*(adapter.call("scan", {"target": "x"}) for _ in range(500)))
    assert descriptors.count() <= before
    await adapter.aclose()


async def test_unknown_tool():
    """A wrong name lists near ones."""
    with pytest.raises(ToolNotFoundError, match="did you mean 'scan'") as caught:
        await FunctionAdapter(scan).call("scam", {})
    assert caught.value.near == ["scan"]


def test_defaults_that_are_no_plain_data():
    """A default that cannot be shown elsewhere leaves the parameter optional, without one."""

    def tool(a=NO_DEFAULT, b=sys, c=(1, {"x": [None]}), d=typing.List):  # noqa: UP006
        pass

    params = {param.name: param for param in describe(tool).params}
    assert not any(param.required for param in params.values())
    assert [name for name, param in params.items() if param.default is not NO_DEFAULT] == ["c"]


def test_object_annotations_as_source():
    """Annotations that are objects are shown as one would write them."""

    def tool(a, b, c, d) -> None:
        pass

    tool.__annotations__ = {
        "a": int,
        "b": Optional[int],  # noqa: UP045 - as written by many
        "c": dict[str, list[int]],
        "d": Point,
        "return": None,
    }
    info = describe(tool)
    assert [param.annotation for param in info.params] == [
        "int",
        "Optional[int]",
        "dict[str, list[int]]",
        "Point",
    ]
    assert info.returns == "None"


def test_simple_functions_do_not_load_pydantic():
    """Adding functions of simple types costs no import of pydantic."""
    import subprocess

    program = (
        "import sys\n"
        "from py_code_mode.tools import FunctionAdapter\n"
        "def tool(a: int, b: 'str | None' = None, c: list = []) -> dict: ...\n"
        "FunctionAdapter(tool)\n"
        "assert 'pydantic' not in sys.modules\n"
        "assert 'yaml' not in sys.modules\n"
        "assert 'sklearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_errors_are_tool_errors():
    """Everything a call may raise is below ``ToolError``."""
    assert issubclass(ToolCallError, ToolError)
    assert issubclass(ToolNotFoundError, ToolError)
