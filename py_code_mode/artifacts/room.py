"""The room a store has left, of which its writers take as they write.

Place in the house: inside ``artifacts``, above ``quota``, below ``writer``. A quota that is looked
at only when an artifact is complete lets any number of half-written ones fill a disk before that;
so every writer takes its bytes here, before it writes them.

The sum is exact for the writers of one store object. What other processes do shows when it is
counted: as room seems to run out, and each time so much was taken that it matters. The last word
is had by whoever puts an artifact in its place, under the store's own lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from py_code_mode.artifacts.quota import Quota

__all__ = ["Room", "Share"]

Sizes = Callable[[bool], Iterable[tuple[str, int]]]
"""Yields name and bytes of everything that takes room, but for what this store's writers hold;
told True, it removes what has expired first."""

_COUNTS = 8
"""Of a quota an eighth is taken before what other processes took is looked at again."""


@dataclass(slots=True, eq=False)
class Share:
    """What one writer has taken.

    Attributes:
        name: The artifact.
        size: Bytes it holds.
        former: Bytes of the artifact it is to replace, as they were counted last.
    """

    name: str
    size: int = 0
    former: int = 0


class Room:
    """The room of one store.

    Args:
        quota: What the store may hold.
        sizes: Counts what it holds.
    """

    def __init__(self, quota: Quota, sizes: Sizes) -> None:
        self.quota = quota
        self._sizes = sizes
        self._lock = threading.RLock()  # a forgotten writer may be collected inside
        self._kept = 0
        self._writing = 0
        self._uncounted = quota.max_bytes or 0  # so the first to take counts

    def take(self, share: Share, more: int) -> None:
        """Take bytes for an artifact.

        Raises:
            ArtifactWriteError: There is no room for them.
        """
        self.quota.check_artifact(share.name, share.size + more)
        most = self.quota.max_bytes
        if most is None:
            share.size += more
            return
        with self._lock:
            self._uncounted += more
            if self._uncounted > most // _COUNTS or self._total(share) + more > most:
                self._count(share, expire=False)
            if self._total(share) + more > most:
                self._count(share, expire=True)
            kept, others = self._kept - share.former, self._writing - share.size
            self.quota.check_store(share.name, share.size + more, kept, others)
            self._writing += more
            share.size += more

    def _total(self, share: Share) -> int:
        return self._kept - share.former + self._writing

    def _count(self, share: Share, *, expire: bool) -> None:
        sizes = list(self._sizes(expire))
        self._kept = sum(size for _, size in sizes)
        share.former = sum(size for name, size in sizes if name == share.name)
        self._uncounted = 0

    @contextmanager
    def settling(self, share: Share) -> Iterator[None]:
        """Make what was written kept: while that is done nobody counts it twice."""
        if self.quota.max_bytes is None:
            yield
            return
        with self._lock:
            yield
            self._kept += share.size - share.former
            self._writing -= share.size
            share.size = 0

    def give_back(self, share: Share) -> None:
        """Take back what was not kept."""
        if self.quota.max_bytes is not None:
            with self._lock:
                self._writing -= share.size
                share.size = 0
