"""Ctrl-C where it can do no harm."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uninterrupted"]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done.

    For starting and closing, which must not stop half-way, and for collecting garbage, where
    Python reports a ``KeyboardInterrupt`` in a finalizer and goes on.
    """
    held: list[int] = []
    saved = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, saved)
        if held:
            signal.raise_signal(signal.SIGINT)
