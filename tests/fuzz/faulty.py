"""Targets with faults, for the tests of the runner.

Place in the house: ``tests.fuzz``, run by ``test_fuzz`` alone.
"""

from __future__ import annotations

__all__ = ["hangs", "raises"]


def raises(data: bytes) -> None:
    """Raise where an input has a byte in it."""
    if b"!" in data:
        raise LookupError("a fault that was put here")


def hangs(data: bytes) -> None:
    """Take for ever where an input has a byte in it."""
    while b"!" in data:
        pass
