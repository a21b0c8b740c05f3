"""A bar of text that says how far many calls have come.

Place in the house: below ``mapping``. It writes to the cell's stderr and goes back to the
beginning of its line, so a front end shows one line, and of a result only its last state is left.
"""

from __future__ import annotations

import sys
import time

__all__ = ["Bar"]

_SHOW_AFTER = 0.5
"""Seconds after which a bar is shown that nobody asked for."""

_EVERY = 0.5
"""Seconds between two drawings."""

_WIDTH = 20


class Bar:
    """One bar.

    Args:
        name: What stands before it.
        total: How many calls there will be, None when that is not known.
        wanted: True: show it at once; None: when it takes longer; False: never.
    """

    def __init__(self, name: str, total: int | None, wanted: bool | None) -> None:  # noqa: FBT001 - as in map
        self._name, self._total = name, total
        self._done = self._failed = self._drawn = self._longest = 0
        self._began = time.monotonic()
        self._next = None if wanted is False else self._began + (0 if wanted else _SHOW_AFTER)
        self._is_shown = bool(wanted)

    def advance(self, *, failed: bool) -> None:
        """Count one more call that is done."""
        self._done += 1
        self._failed += failed

    def seconds_to_next(self) -> float | None:
        """How long until it wants to be drawn; None while there is nothing new to show."""
        if self._next is None or (self._is_shown and self._drawn == self._done):
            return None
        return max(0.0, self._next - time.monotonic())

    def update(self) -> None:
        """Draw it if it is time."""
        if self.seconds_to_next() == 0.0:
            self._draw()

    def close(self) -> None:
        """Draw it a last time, if it has been drawn at all."""
        if self._is_shown and sys.stderr is not None:
            self._draw()
            print(file=sys.stderr, flush=True)  # noqa: T201 - the line of the bar ends

    def _draw(self) -> None:
        now = time.monotonic()
        self._is_shown, self._drawn, self._next = True, self._done, now + _EVERY
        if sys.stderr is None:
            return
        text = self._text(now - self._began)
        self._longest = max(self._longest, len(text))
        sys.stderr.write("\r" + text.ljust(self._longest))
        sys.stderr.flush()

    def _text(self, seconds: float) -> str:
        told = [f"{seconds:.1f} s"]
        if self._done:
            told.append(f"{self._done / max(seconds, 1e-3):.3g}/s")
        if self._failed:
            told.append(f"{self._failed} failed")
        end = f"[{', '.join(told)}]"
        if not self._total:
            return f"{self._name}: {self._done} done {end}"
        share = min(1.0, self._done / self._total)
        bar = ("#" * round(share * _WIDTH)).ljust(_WIDTH)
        return f"{self._name}: {share:4.0%} |{bar}| {self._done}/{self._total} {end}"
