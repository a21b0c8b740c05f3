"""Many calls of one tool, some at once, again when that may help.

Place in the house: below ``namespaces``, above ``link``. ``Batch`` knows what to do next and does
no I/O; ``run`` and ``arun`` are the two ways to drive it.

The rule of retries: a call is made again after a ``ToolTimeoutError``, and after a
``ToolCallError`` unless that says that the same arguments must fail again: they were wrong
(``wrong_arguments``), or the answer was an HTTP ``status`` of 400 to 499 other than 408, 425 and
429. Never after any other error: a denial stays a denial, and a tool that is not there stays away.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sized
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from kernel_bootstrap.progress import Bar
from kernel_bootstrap.wire.errors import CodeModeError, ToolCallError, ToolError, ToolTimeoutError

__all__ = ["Batch", "Begin", "arun", "may_pass", "run"]

Begin = Callable[[Mapping[str, Any]], "Future[Any]"]
"""Begins one call with these arguments."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
"""Seconds before a call is made again: twice as long each time, a part of it by chance."""

_REFUSED = range(400, 500)
_PASSING = frozenset({408, 425, 429})
_UNFINISHED: Any = object()


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, ToolTimeoutError):
        return True
    if not isinstance(error, ToolCallError) or error.details.get("wrong_arguments"):
        return False
    status = error.details.get("status")
    return not (isinstance(status, int) and status in _REFUSED and status not in _PASSING)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a batch, for the first time or again."""

    slot: int
    arguments: Mapping[str, Any]
    attempt: int = 0


class Batch:
    """The calls of one ``tools.map``.

    Args:
        name: The tool, for the progress bar and messages.
        calls: Arguments of each call; taken one at a time, when there is room for it.
        concurrency: How many may be out at once.
        retries: How often a call is made again that failed in a way that may pass.
        progress: Whether to show a bar; None: when it takes longer than half a second.

    Attributes:
        results: One value or error for each call so far, in order.
    """

    def __init__(
        self,
        name: str,
        calls: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = 8,
        retries: int = 0,
        progress: bool | None = None,
    ) -> None:
        self.results: list[Any] = []
        self._name = name
        self._calls = iter(calls)
        self._has_more = True
        self._most, self._retries = max(1, concurrency), retries
        self._out = 0
        self._again: list[tuple[float, int, Call]] = []
        self.bar = Bar(name, len(calls) if isinstance(calls, Sized) else None, progress)

    @property
    def is_over(self) -> bool:
        """Whether every call has its result."""
        return not (self._has_more or self._out or self._again)

    def next(self) -> Call | None:
        """Return a call to make now, if there is one."""
        if self._again and self._again[0][0] <= time.monotonic():
            call = heapq.heappop(self._again)[2]
        # Those that wait keep their places: a host that is overloaded gets no more on top.
        elif not self._has_more or self._out + len(self._again) >= self._most:
            return None
        else:
            try:
                arguments = next(self._calls)
            except StopIteration:
                self._has_more = False
                return None
            call = Call(len(self.results), arguments)
            self.results.append(_UNFINISHED)
        self._out += 1
        return call

    def finish(self, call: Call, outcome: Any) -> None:
        """Take what came of a call: a value, or an error."""
        self._out -= 1
        failed = isinstance(outcome, CodeModeError)
        if failed and call.attempt < self._retries and may_pass(outcome):
            due = time.monotonic() + _pause(outcome, call.attempt)
            again = replace(call, attempt=call.attempt + 1)
            heapq.heappush(self._again, (due, call.slot, again))
            return
        self.results[call.slot] = outcome
        self.bar.advance(failed=failed)

    def seconds_to_next(self) -> float | None:
        """How long there is nothing to do unless a call ends; None: until then."""
        seconds = [max(0.0, due - time.monotonic()) for due, _, _ in self._again[:1]]
        drawing = self.bar.seconds_to_next()
        return min([*seconds, *([] if drawing is None else [drawing])], default=None)

    def abandon(self, error: BaseException) -> None:
        """Hand what is done to the exception that ends everything, as ``results``."""
        done = sum(each is not _UNFINISHED for each in self.results)
        text = f"{self._name} was not finished: tools.map was stopped"
        self.results = [ToolError(text) if r is _UNFINISHED else r for r in self.results]
        with suppress(AttributeError):  # an exception of the caller's own may take no attributes
            error.results = self.results  # type: ignore[attr-defined]
        error.add_note(
            f"tools.map: {done} calls of {self._name} were done; their results are in the "
            "exception's .results (in the next cell: sys.last_value.results)"
        )


def _pause(error: CodeModeError, attempt: int) -> float:
    asked = error.details.get("retry_after")
    if isinstance(asked, int | float) and asked >= 0:
        return min(float(asked), _LONGEST_PAUSE * 3)
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - it only spreads calls


def _outcome(future: Future[Any] | asyncio.Future[Any]) -> Any:
    try:
        return future.result()
    except CodeModeError as error:
        return error


def _begun(begin: Begin, call: Call) -> Future[Any]:
    try:
        return begin(call.arguments)
    except CodeModeError as error:
        # What cannot be sent is one failed call, not the end of all of them.
        failed: Future[Any] = Future()
        failed.set_exception(error)
        return failed


def run(batch: Batch, begin: Begin) -> list[Any]:
    """Make all calls and wait for them; whatever ends that early cancels those that are out."""
    out: dict[Future[Any], Call] = {}
    ended: deque[Future[Any]] = deque()
    wake = threading.Event()

    def on_end(future: Future[Any]) -> None:
        ended.append(future)
        wake.set()

    try:
        while True:
            while (call := batch.next()) is not None:
                future = _begun(begin, call)
                out[future] = call
                future.add_done_callback(on_end)
            if batch.is_over:
                return batch.results
            if not ended:
                wake.wait(batch.seconds_to_next())
            wake.clear()
            while ended:
                future = ended[0]  # still in `out` while it is looked at: an interrupt cancels it
                batch.finish(out[future], _outcome(future))
                del out[ended.popleft()]
            batch.bar.update()
    except BaseException as error:
        for future in out:
            future.cancel()
        batch.abandon(error)
        raise
    finally:
        batch.bar.close()


async def arun(batch: Batch, begin: Begin) -> list[Any]:
    """Make all calls and await them, as ``run``."""
    out: dict[asyncio.Future[Any], Call] = {}
    try:
        while True:
            while (call := batch.next()) is not None:
                out[asyncio.wrap_future(_begun(begin, call))] = call
            if batch.is_over:
                return batch.results
            seconds = batch.seconds_to_next()
            if out:
                await asyncio.wait(out, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(seconds or 0)
            for future in [future for future in out if future.done()]:
                batch.finish(out.pop(future), _outcome(future))
            batch.bar.update()
    except BaseException as error:
        for future in out:
            if not future.cancel() and not future.cancelled():
                future.exception()  # else the loop would complain that nobody looked
        batch.abandon(error)
        raise
    finally:
        batch.bar.close()
