"""What a quiet point holds against the beginning: nothing is left, and memory is flat.

Place in the house: beside ``journal``. At a quiet point no action is under way and all executors
are closed, so whatever is more than before the first one is a leak.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from py_code_mode.sandbox import find_parents
from tests.soak.journal import Journal, Quiet

__all__ = ["BOUNDS", "MIB", "LeakWatch", "growth", "judge_memory", "let_memory_tell"]

SETTLING_SECONDS = 10.0
"""What was closed has so long until it must be gone; the report says how long it took."""

WARM_UP = 1 / 3
"""Part of the quiet points, from the first, that the trend of memory leaves out: caches fill, and
the allocator comes to the largest heap that a round needs."""

MIB = 1024 * 1024

BOUNDS = {"rss": 8 * MIB, "uss": 8 * MIB, "in_use": 2 * MIB, "blocks": 8_000, "objects": 2_000}
"""How much each measure may grow by its trend, over a whole run after its warm-up: see ``judge_memory``."""

FEWEST_POINTS = 4


def here() -> Counter[str]:
    """Return what this process has now, each thing by a name that says what it is."""
    found = Counter(tasks=len(asyncio.all_tasks()), descriptors=psutil.Process().num_fds())
    for child in psutil.Process().children(recursive=True):
        try:
            found[f"process {child.pid} {' '.join(child.cmdline())[:120]}"] += 1
        except psutil.NoSuchProcess:
            continue
    found.update(f"thread {thread.name}" for thread in threading.enumerate())
    found.update(_directories())
    return found


def _directories() -> list[str]:
    """Return private directories of kernels, what is in their boxes, and cgroups."""
    temporary = Path(tempfile.gettempdir())
    patterns = ("pcm-*", "pcmbox-*", "pcmbox-*/*")
    private = [path for pattern in patterns for path in temporary.glob(pattern)]
    groups = {
        group
        for parent in find_parents().values()
        for group in parent.glob(f"py-code-mode-{os.getpid()}-*")
    }
    return [str(path) for path in (*private, *groups)]


class LeakWatch:
    """Remembers what there was, and says what has been left since.

    Args:
        journal: Where leaks are noted.
        look: Says what there is; tests give another.
    """

    def __init__(self, journal: Journal, look: Callable[[], Counter[str]] = here) -> None:
        self._journal = journal
        self._look = look
        gc.collect()
        self.before = look()

    async def check(self, seconds: float = SETTLING_SECONDS) -> Quiet:
        """Wait until all that came since the beginning is gone; what stays is a violation."""
        began = time.monotonic()
        gc.collect()
        left = self._look() - self.before
        while left and time.monotonic() - began < seconds:
            await asyncio.sleep(0.05)
            gc.collect()
            left = self._look() - self.before
        settled = time.monotonic() - began
        if left:
            text = f"still there {settled:.1f} s after all executors were closed: {dict(left)}"
            self._journal.violate("leak", "quiet point", f"{text}\n{_descriptors()}")
        quiet = self._measure(settled)
        self._journal.quiets.append(quiet)
        return quiet

    def _measure(self, settled: float) -> Quiet:
        process = psutil.Process()
        memory = process.memory_full_info()
        return Quiet(
            at=self._journal.now,
            rss=memory.rss,
            uss=memory.uss,
            in_use=_in_use(),
            blocks=sys.getallocatedblocks(),
            objects=len(gc.get_objects()),
            descriptors=process.num_fds(),
            threads=threading.active_count(),
            actions=self._journal.actions,
            settled=settled,
        )


class _Mallinfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc: ``mallinfo(3)``."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def _in_use() -> int:
    """Return how many bytes malloc has given out; 0 where it cannot be asked (glibc 2.33)."""
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return 0
    mallinfo.restype = _Mallinfo
    info = mallinfo()
    return int(info.uordblks + info.hblkhd)


M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""Of ``mallopt(3)``."""

LARGE, ARENAS = 128 * 1024, 1
"""glibc's first threshold for memory that is given back at once, which stays so; and no arenas that
threads have for themselves."""


def let_memory_tell() -> None:
    """Keep malloc from keeping what is free (glibc), so that the process is as large as what it uses.

    Else it learns from large values to keep up to 64 MiB in each of eight arenas a processor, and a
    host grows for many minutes while what is in use stays the same.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_ARENA_MAX, ARENAS)


def _descriptors() -> str:
    """Say what each open descriptor is."""
    lines = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            lines.append(f"{entry.name} -> {entry.readlink()}")
        except OSError:
            continue
    return "\n".join(lines)


def growth(points: list[tuple[float, float]]) -> float:
    """Return how much a value has grown from the first point to the last, by its trend.

    The trend is the median of the slopes between any two points (Theil and Sen), so one point that
    lies far off does not move it.
    """
    slopes = sorted(
        (late[1] - early[1]) / (late[0] - early[0])
        for number, early in enumerate(points)
        for late in points[number + 1 :]
        if late[0] > early[0]
    )
    if not slopes:
        return 0.0
    middle = len(slopes) // 2
    median = slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2
    return median * (points[-1][0] - points[0][0])


def judge_memory(journal: Journal) -> dict[str, float]:
    """Note a violation if memory or objects grow from quiet point to quiet point.

    The bounds are for the whole run after the warm-up, not for a minute of it: what leaks leaks with
    each action, so a longer run finds smaller leaks. Blocks, objects and what malloc has given out are
    counted exactly; they move by what caches hold, some thousand blocks and a thousand objects. RSS and
    USS move by pages that are used in part, see ``let_memory_tell``.

    Returns:
        The growth of each measure after the warm-up; empty where there are too few points.
    """
    points = journal.quiets[int(len(journal.quiets) * WARM_UP) :]
    if len(points) < FEWEST_POINTS:
        return {}
    grown = {name: growth([(each.at, getattr(each, name)) for each in points]) for name in BOUNDS}
    for name, most in BOUNDS.items():
        seconds = points[-1].at - points[0].at
        text = f"{name} grew by {grown[name]:,.0f} in {seconds:.0f} s; {most:,} are allowed"
        journal.check(holds=grown[name] <= most, kind="memory", action="quiet points", text=text)
    return grown
