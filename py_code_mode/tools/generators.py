"""Generators as tools: each item is told while the call runs, the result is what came of them.

Place in the house: ``tools``, used by ``functions``.

The result is what the generator returns, or the list of its items when it returns nothing.
However the call ends, the generator is closed, so that its ``finally`` blocks run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from py_code_mode.errors import ToolCallError
from py_code_mode.tools.models import plain
from py_code_mode.tools.reports import report_progress

__all__ = ["MAX_ITEMS", "Stop", "collect", "collect_async"]

MAX_ITEMS = 10_000
"""Items a generator may give in one call."""

_MAX_MESSAGE = 500


class Stop:
    """Says that nobody waits for a call any more."""

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        self.is_set = False


def collect(name: str, generator: Generator[Any, None, Any], stop: Stop) -> Any:
    """Take what a generator gives, in the thread it runs in.

    Args:
        name: Name of the tool, for messages.
        generator: What the tool's function returned.
        stop: When it is set, the generator is closed at its next item.

    Raises:
        ToolCallError: It gave too many items, or was stopped.
    """
    items: list[Any] = []
    try:
        while True:
            try:
                item = next(generator)
            except StopIteration as end:
                return items if end.value is None else end.value
            _take(name, item, items, stop)
    finally:
        generator.close()


async def collect_async(name: str, generator: AsyncGenerator[Any, None], stop: Stop) -> list[Any]:
    """Take what an async generator gives, on the loop; see ``collect``."""
    items: list[Any] = []
    try:
        async for item in generator:
            _take(name, item, items, stop)
    finally:
        await generator.aclose()
    return items


def _take(name: str, item: Any, items: list[Any], stop: Stop) -> None:
    if stop.is_set:
        raise ToolCallError(f"tool {name!r} was closed while it ran")
    if len(items) == MAX_ITEMS:
        raise ToolCallError(f"tool {name!r} gave more than {MAX_ITEMS:,} items")
    items.append(plain(item))
    report_progress(len(items), message=_message(item))


def _message(item: Any) -> str:
    try:
        text = str(item)
    except Exception:  # noqa: BLE001 - a broken __str__ is the tool's, not ours
        text = type(item).__name__
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 3] + "..."
