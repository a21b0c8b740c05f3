"""What a kernel leaves behind: its log, stacks, text that it had no time to send.

Place in the house: inside ``kernel``, below ``process``. Where the kernel runs, these are files in
its private directory; of one on another machine they are handed over when it has ended. Either
way they are the kernel's: read bounded, and believed in nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kernel_bootstrap.wire.birth import LOG_FILE
from kernel_bootstrap.wire.mirror import MIRROR_BYTES, missing_in, read_end
from py_code_mode.kernel.forked import UNKNOWN
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.stacks import readable_stack

__all__ = ["FileTraces", "Remains", "Traces"]

STACK_FILE = "stack.txt"
"""Takes the stacks of all threads on SIGUSR1; the bootstrap opens it."""

LOG_BYTES = 4_000
STACK_BYTES = 100_000
STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Remains:
    """What there is of a kernel at one moment, so small that it can be handed over.

    Attributes:
        log: End of its log.
        mirrors: What each stream's mirror held.
        why: Why it ended, as far as that is known beside its exit code; begins with a space.
    """

    log: bytes = b""
    mirrors: Mapping[str, bytes] = field(default_factory=dict)
    why: str = ""

    def log_tail(self) -> str:
        """Return the end of the log."""
        return self.log[-LOG_BYTES:].decode("utf-8", "replace").strip()

    def missing(self, cell: str, received: Mapping[str, int]) -> Iterator[JupyterMessage]:
        """Yield messages of what ``cell`` printed beyond the ``received`` bytes of each stream."""
        for name, size in received.items():
            text = missing_in(self.mirrors.get(name, b""), cell, size)
            if text:
                yield JupyterMessage("stream", cell, {"name": name, "text": text}, {}, [])

    def how_it_ended(self, code: int | None) -> str:
        """Say how the process ended, with the end of its log.

        Args:
            code: Its exit code; negative: the signal that killed it.
        """
        how = "ended" if code in (None, UNKNOWN) else f"exited with code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = f"was killed by {signal.Signals(-code).name}"
        return f"the kernel {how}{self.why}\n{self.log_tail()}".strip()


class Traces:
    """Where what a kernel leaves is found."""

    def remains(self) -> Remains:
        """Return what there is now; of a kernel far away: once it has ended."""
        raise NotImplementedError

    async def new_stack(self, ended: asyncio.Future[None]) -> str:
        """Wait a second for a stack dump that has been asked for; empty if there is none.

        Args:
            ended: Done when nothing more can come.
        """
        raise NotImplementedError


class FileTraces(Traces):
    """Reads what a kernel of this machine left.

    Args:
        directory: Its private directory.
        why: Says why it ended, as ``Remains.why``.
    """

    def __init__(self, directory: Path, why: Callable[[], str] = str) -> None:
        self._directory = directory
        self._why = why

    def remains(self) -> Remains:
        """Read the files."""
        mirrors = {name: self._end(f"{name}.mirror", MIRROR_BYTES) for name in STREAMS}
        return Remains(self._end(LOG_FILE, LOG_BYTES), mirrors, self._why())

    def stack(self) -> str:
        """Return the newest stack dump, readable; empty if there is none, or half of one."""
        dump = self._end(STACK_FILE, STACK_BYTES).decode("utf-8", "replace")
        complete = "(most recent call first)" in dump and dump.endswith("\n")
        return readable_stack(dump) if complete else ""

    async def new_stack(self, ended: asyncio.Future[None]) -> str:
        """Wait a second for a stack dump."""
        stack = ""
        for _ in range(100):
            # Threads are dumped one by one, the main thread last: wait until it stands still.
            before, stack = stack, self.stack()
            if (stack and stack == before) or ended.done():
                return stack
            await asyncio.sleep(0.01)
        return ""

    def _end(self, name: str, most: int) -> bytes:
        return read_end(self._directory / name, most)
