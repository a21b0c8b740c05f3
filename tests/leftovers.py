"""What a session may leave behind: processes, threads, descriptors, directories, tasks."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests import descriptors


def here() -> Counter[str]:
    """What there is now; an earlier test's may still go, so only what is more than before counts."""
    found = Counter(descriptors=descriptors.count(), tasks=len(asyncio.all_tasks()))
    found.update(f"process {child.pid}" for child in psutil.Process().children(recursive=True))
    # A loop's own pool keeps its threads until the loop is closed.
    names = (thread.name for thread in threading.enumerate())
    found.update(f"thread {name}" for name in names if not name.startswith("asyncio_"))
    found.update(map(str, Path(tempfile.gettempdir()).glob("pcm-*")))
    return found


async def nothing_more_than(before: Counter[str]) -> None:
    """Wait until all that came after ``before`` is gone; fail, and say what is left, if it stays."""
    for _ in range(100):
        if not (left := here() - before):
            return
        await asyncio.sleep(0.05)
    told = [str(child) for child in psutil.Process().children(recursive=True)]
    pytest.fail(f"left behind: {dict(left)}, of {told}")
