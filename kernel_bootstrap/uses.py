"""How often skills ran, counted here and told to the host when a cell has ended.

Place in the house: above ``link``, below ``skills``. A run costs two readings of a clock; the
message costs nothing that anybody waits for.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from kernel_bootstrap.link import Link
from kernel_bootstrap.wire.errors import CodeModeError
from kernel_bootstrap.wire.messages import Method

__all__ = ["Use", "Uses", "uncounted"]

uncounted: ContextVar[bool] = ContextVar("py_code_mode_uncounted", default=False)
"""Whether runs are tests rather than uses."""


class Uses:
    """Counts of runs that the host has not heard of.

    Args:
        link: The line to the host.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, int, float]] = {}

    def of(self, name: str) -> Use:
        """Return a context whose block is one run of that skill."""
        return Use(self, name)

    def add(self, name: str, *, failed: bool, seconds: float) -> None:
        """Count a run that has ended."""
        with self._lock:
            uses, failures, took = self._counts.get(name, (0, 0, 0.0))
            self._counts[name] = uses + 1, failures + failed, took + seconds

    def send(self, *, wait: bool = False) -> None:
        """Tell the host what it has not heard of.

        Args:
            wait: Whether to wait until it has counted. A host that is gone is no error: counts
                are not worth failing for.
        """
        if not self._counts:
            return
        with self._lock:
            counts, self._counts = self._counts, {}
        try:
            if wait:
                self._link.call(Method.SKILLS_USED, used=counts)
            else:
                self._link.tell(Method.SKILLS_USED, used=counts)
        except CodeModeError:
            pass


class Use:
    """One run of a skill.

    Attributes:
        counts: Whether it is counted when it ends.
    """

    __slots__ = ("_name", "_started", "_uses", "counts")

    def __init__(self, uses: Uses, name: str) -> None:
        self._uses = uses
        self._name = name
        self.counts = not uncounted.get()

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        # What was interrupted or cancelled has neither worked nor failed.
        broken_off = isinstance(error, KeyboardInterrupt | GeneratorExit | asyncio.CancelledError)
        if self.counts and not broken_off:
            seconds = time.perf_counter() - self._started
            self._uses.add(self._name, failed=kind is not None, seconds=seconds)
