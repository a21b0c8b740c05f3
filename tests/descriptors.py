"""How many descriptors this process has open, when what nobody holds any more is gone.

A test compares two counts by ``<=``: between them may be closed what an earlier test left to the
garbage collector, or to a thread of a library, so that fewer are open; a leak makes them more.
"""

from __future__ import annotations

import gc

import psutil


def count() -> int:
    """The number of open descriptors, after a collection of garbage."""
    gc.collect()
    return psutil.Process().num_fds()
