"""Python functions of the host as tools.

Place in the house: ``tools``, one of the adapters. ``signatures`` says what a function takes;
here it is called: a coroutine function on the loop, any other in a thread. What a generator
gives is taken by ``generators``: an async one's on the loop, any other's in its thread.

A thread cannot be stopped from outside. When the call of a sync function is cancelled, the
call returns at once; the function runs on to its end, which nobody looks at, and a generator to
its next item, where it is closed.
"""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import ConfigError, ToolCallError, ToolError
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.generators import Stop, collect, collect_async
from py_code_mode.tools.models import plain
from py_code_mode.tools.names import check_name, not_found
from py_code_mode.tools.signatures import Signature
from py_code_mode.tools.threads import CallThreads

__all__ = ["FunctionAdapter"]

_MAX_THREADS = 64
_MAX_MESSAGE = 10_000  # characters of an exception's message that are passed on


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a call: a value, or an exception."""

    value: Any = None
    error: ToolError | None = None

    def unwrap(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


@dataclass(frozen=True, slots=True)
class _Tool:
    info: ToolInfo
    function: Callable[..., Any]
    signature: Signature
    in_loop: bool  # its function is called on the loop, not in a thread


class FunctionAdapter:
    """Python functions as tools, one each.

    Args:
        functions: Functions to begin with, under their own names.

    Raises:
        ConfigError: One of them cannot be a tool, see ``add``.
    """

    def __init__(self, *functions: Callable[..., Any]) -> None:
        self._tools: dict[str, _Tool] = {}
        self._threads = CallThreads(_MAX_THREADS, "py-code-mode-tool")
        self._running: set[Stop] = set()
        self._is_closed = False
        for function in functions:
            self.add(function)

    def add(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        tags: Collection[str] = (),
    ) -> ToolInfo:
        """Make a tool of a function.

        Args:
            function: Sync or async, a generator or not; its parameters, type hints and docstring
                describe the tool.
            name: Name of the tool, by default the function's.
            description: What it does, by default the docstring's first paragraph.
            tags: Labels for scoping.

        Returns:
            The tool.

        Raises:
            ConfigError: It takes ``*args``, has no signature or no usable name, or the name
                is taken.
        """
        if not callable(function):
            raise ConfigError(f"a tool must be a function, not {type(function).__name__}")
        name = getattr(function, "__name__", None) if name is None else name
        if name is None or name == "<lambda>":
            raise ConfigError(f"{function!r} has no name of its own; give one: name=...")
        check_name(name)
        if name in self._tools:
            raise ConfigError(f"there is a function tool {name!r} already", key=name)
        signature = Signature(function)
        info = signature.describe(name, description, tags)
        # Not what is below a decorator: that may well make a sync function of an async one.
        method = getattr(type(function), "__call__", None)  # noqa: B004 - of an object of a class
        in_loop = any(
            inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
            for each in (function, method)
        )
        self._tools[name] = _Tool(info, signature.by_keyword(function), signature, in_loop)
        return info

    def remove(self, name: str) -> None:
        """Take a function out again."""
        del self._tools[name]

    def tools(self) -> Sequence[ToolInfo]:
        """Return a tool for each function."""
        return [tool.info for tool in self._tools.values()]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a function.

        Returns:
            What it returns, with pydantic's models as dicts. Of a generator: what it returns, or
            the list of its items.

        Raises:
            ToolNotFoundError: There is no such tool.
            ToolCallError: The arguments do not fit its signature; or it raised (``exception``
                is the exception's type).
        """
        tool = self._tools.get(name)
        if tool is None:
            raise not_found(name, self._tools)
        if self._is_closed:
            raise ToolCallError(f"tool {name!r} is closed")
        stop = Stop()
        self._running.add(stop)
        try:
            return await self._run(tool, tool.signature.check(name, arguments), stop)
        except (ToolError, GeneratorExit, KeyboardInterrupt):
            raise  # the last is the person at the keyboard: threads never see theirs
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this call: the function did so to itself, or we are closed.
            raise _translate(name, error) from error
        except BaseException as error:
            raise _translate(name, error) from error
        finally:
            stop.is_set = True
            self._running.discard(stop)

    async def _run(self, tool: _Tool, arguments: Mapping[str, Any], stop: Stop) -> Any:
        name = tool.info.name
        if tool.in_loop:
            value = tool.function(**arguments)
        else:
            outcome = await self._threads.run(_attempt, name, tool.function, arguments, stop)
            value = outcome.unwrap()
        if isinstance(value, Awaitable):
            value = await value
        if isinstance(value, AsyncGenerator):
            value = await collect_async(name, value, stop)
        return plain(value)

    async def aclose(self) -> None:
        """Refuse further calls and end idle threads; a function that runs in one runs on.

        Generators are closed at their next item.
        """
        self._is_closed = True
        for stop in self._running:
            stop.is_set = True
        self._threads.close()


def _attempt(
    name: str, function: Callable[..., Any], arguments: Mapping[str, Any], stop: Stop
) -> _Outcome:
    """Call a function in a thread: ``SystemExit`` there must not end the host."""
    try:
        value = function(**arguments)
        is_generator = isinstance(value, types.GeneratorType)
        return _Outcome(collect(name, value, stop) if is_generator else value)
    except ToolError as error:
        return _Outcome(error=error)
    except BaseException as error:  # noqa: BLE001 - the docstring says why
        translated = _translate(name, error)
        translated.__cause__ = error
        return _Outcome(error=translated)


def _translate(name: str, error: BaseException) -> ToolCallError:
    kind = type(error).__name__
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ is the tool's, not ours
        message = "(its message cannot be shown)"
    what = f"{kind}: {message[:_MAX_MESSAGE]}" if message else kind
    return ToolCallError(f"tool {name!r} raised {what}", exception=kind)
