"""``run_code``: a cell, told of while it runs, broken when the client cancels it.

Place in the house: inside ``mcp_server``, above ``backend`` and ``content``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from mcp_types import CallToolResult

from py_code_mode.events import Event, Finished, Printed, ToolCalled, ToolLogged, ToolProgressed
from py_code_mode.mcp_server.backend import Backend, Context
from py_code_mode.mcp_server.content import content_of, structure_of
from py_code_mode.results import ExecutionResult
from py_code_mode.session import Session

__all__ = ["run_code"]

_INTERVAL = 0.1
"""Seconds between two notifications; what comes in between goes into the next one."""

_MESSAGE = 2_000
"""Characters of a notification: the last ones count."""


async def run_code(
    ctx: Context, code: str, timeout: float | None, handle: str | None
) -> CallToolResult:
    """Run code in the client's session.

    Raises:
        CodeModeError: There is no such session, or it cannot run anything.
    """
    backend: Backend = ctx.lifespan_context
    session, handle = await backend.session(ctx, handle)
    with backend.using(handle):
        result = await _run(session, code, timeout, _reporter(ctx))
    # In a thread, because large pictures take their time.
    content = await asyncio.to_thread(content_of, result, handle, backend.max_tokens)
    return CallToolResult(
        content=content,
        structured_content=structure_of(result, handle),
        is_error=result.error is not None,
    )


_Report = Callable[[int, str], Awaitable[None]]


def _reporter(ctx: Context) -> _Report | None:
    """Return what tells the client of progress, if it wants to know."""
    meta = ctx.meta or {}
    if meta.get("progress_token", meta.get("progressToken")) is None:
        return None

    async def report(number: int, text: str) -> None:
        await ctx.session.report_progress(number, None, text)

    return report


async def _run(
    session: Session, code: str, timeout: float | None, report: _Report | None
) -> ExecutionResult:
    """Run a cell; leaving, as a cancelled call does, interrupts it."""
    news = _News(report)
    teller = asyncio.create_task(news.tell()) if report is not None else None
    try:
        async with aclosing(session.stream(code, timeout=timeout)) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, Finished):
                    await news.end()
                    return event.result
                news.add(event)
    finally:
        if teller is not None:
            teller.cancel()
    raise AssertionError("a stream ends with Finished")


class _News:
    """What a cell has told since the client heard of it last."""

    def __init__(self, report: _Report | None) -> None:
        self._report = report
        self._text = ""
        self._count = 0
        self._some = asyncio.Event()

    def add(self, event: Event) -> None:
        text = _text_of(event)
        if text:
            self._text = (self._text + text)[-_MESSAGE:]
            self._some.set()

    async def tell(self) -> None:
        """Tell the client, again and again, but not too often."""
        while True:
            await self._some.wait()
            await self._send()
            await asyncio.sleep(_INTERVAL)

    async def end(self) -> None:
        """Tell the rest."""
        await self._send()

    async def _send(self) -> None:
        text, self._text = self._text, ""
        self._some.clear()
        if text and self._report is not None:
            self._count += 1
            await self._report(self._count, text.rstrip("\n"))


def _text_of(event: Event) -> str:
    if isinstance(event, Printed):
        return event.text
    if isinstance(event, ToolCalled):
        return f"[{event.call.tool}: {event.call.outcome}, {event.call.seconds:.1f} s]\n"
    if isinstance(event, ToolLogged):
        return f"[{event.tool}: {event.text}]\n"
    if isinstance(event, ToolProgressed):
        of = "" if event.total is None else f" of {event.total:g}"
        return f"[{event.tool}: {event.progress:g}{of} {event.message}".rstrip() + "]\n"
    return ""
