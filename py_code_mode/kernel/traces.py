"""What a kernel leaves in its private directory: log, stacks, printed text.

Place in the house: inside ``kernel``, below ``process``. The files are the kernel's, so they
are read bounded and believed in nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from kernel_bootstrap.wire.birth import LOG_FILE
from kernel_bootstrap.wire.mirror import missing_text, read_end
from py_code_mode.kernel.forked import UNKNOWN
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.stacks import readable_stack

__all__ = ["Traces"]

STACK_FILE = "stack.txt"
"""Takes the stacks of all threads on SIGUSR1; the bootstrap opens it."""

LOG_BYTES = 4_000
STACK_BYTES = 100_000


class Traces:
    """Reads what a kernel left.

    Args:
        directory: Its private directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def stack(self) -> str:
        """Return the newest stack dump, readable; empty if there is none, or half of one."""
        dump = self._tail(STACK_FILE, STACK_BYTES)
        complete = "(most recent call first)" in dump and dump.endswith("\n")
        return readable_stack(dump) if complete else ""

    async def new_stack(self, ended: asyncio.Future[None]) -> str:
        """Wait a second for a stack dump that has been asked for; empty if there is none.

        Args:
            ended: Done when nothing more can come.
        """
        stack = ""
        for _ in range(100):
            # Threads are dumped one by one, the main thread last: wait until it stands still.
            before, stack = stack, self.stack()
            if (stack and stack == before) or ended.done():
                return stack
            await asyncio.sleep(0.01)
        return ""

    def log_tail(self) -> str:
        """Return the end of the log."""
        return self._tail(LOG_FILE, LOG_BYTES).strip()

    def missing(self, cell: str, received: Mapping[str, int]) -> Iterator[JupyterMessage]:
        """Yield messages of what ``cell`` printed beyond the ``received`` bytes of each stream."""
        for name, size in received.items():
            text = missing_text(self._directory / f"{name}.mirror", cell, size)
            if text:
                yield JupyterMessage("stream", cell, {"name": name, "text": text}, {}, [])

    def how_it_ended(self, code: int | None, why: str = "") -> str:
        """Say how the process ended, with the end of its log.

        Args:
            code: Its exit code; negative: the signal that killed it.
            why: What is known beside it.
        """
        how = "ended" if code in (None, UNKNOWN) else f"exited with code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = f"was killed by {signal.Signals(-code).name}"
        return f"the kernel {how}{why}\n{self.log_tail()}".strip()

    def _tail(self, name: str, most: int) -> str:
        return read_end(self._directory / name, most).decode("utf-8", "replace")
