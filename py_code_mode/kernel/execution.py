"""One cell in flight: its transcript, and the future that says when waiting is over.

Place in the house: inside ``kernel``, above ``transcript``, below ``process``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kernel_bootstrap.wire.limits import Limits
from py_code_mode.events import Event
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.transcript import Transcript

__all__ = ["Execution", "execute_content"]


def execute_content(code: str, *, silent: bool) -> dict[str, Any]:
    """Return the content of the request that runs a cell."""
    return {
        "code": code,
        "silent": silent,
        "store_history": not silent,
        "user_expressions": {},
        "allow_stdin": False,
        # Cells are serialised by the session; aborting queued ones is for notebooks.
        "stop_on_error": False,
    }


class Execution:
    """One cell in flight.

    Attributes:
        transcript: Its story so far.
        ended: Set to ``"done"`` when it is over, or to why waiting was given up.
    """

    def __init__(self, limits: Limits, emit: Callable[[Event], None] | None) -> None:
        self.transcript = Transcript(limits)
        self.emit = emit
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def feed(self, message: JupyterMessage) -> None:
        """Take one message of this cell."""
        event = self.transcript.feed(message)
        if event is not None and self.emit is not None:
            self.emit(event)
        if self.transcript.done:
            self.end("done")

    def end(self, why: str) -> None:
        """Wake whoever waits."""
        if not self.ended.done():
            self.ended.set_result(why)

    def rearm(self) -> asyncio.Future[str]:
        """Wait on: return a fresh ``ended``, already set if the cell is over."""
        self.ended = asyncio.get_running_loop().create_future()
        if self.transcript.done:
            self.ended.set_result("done")
        return self.ended
