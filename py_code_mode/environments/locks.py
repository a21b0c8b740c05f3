"""Locks between processes: whoever uses an environment shares one, whoever changes it owns it.

Place in the house: bottom of ``environments``. ``flock`` locks end with the last process that
has the file open, however that ends: nothing is left locked by the dead.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

__all__ = ["FileLock", "Stopped", "is_shared", "let_go", "pause", "share"]

_LOOK_AGAIN = 0.1  # seconds: a blocking flock could not be stopped


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """Nobody waits for the work any more."""


def pause(until: float, stop: threading.Event) -> None:
    """Wait a little before looking again.

    Raises:
        TimeoutError: It is later than ``until``, in monotonic time.
        Stopped: ``stop`` was set.
    """
    if time.monotonic() >= until:
        raise TimeoutError
    if stop.wait(_LOOK_AGAIN):
        raise Stopped


class FileLock:
    """A lock on a file beside what it guards; made on first use, removed by whoever owns it.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = -1

    def try_lock(self, *, shared: bool) -> bool:
        """Take the lock, or change the kind of the one held; False if others are in the way.

        When that fails the lock is held no more: ``flock`` does not change kinds in one step.
        """
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        while True:
            if self.descriptor < 0:
                self.descriptor = os.open(self.path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self.descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                self.release()
                return False
            if self._is_current():
                return True
            self.release()  # its owner removed the file meanwhile: lock the new one

    def lock(self, *, shared: bool, until: float, stop: threading.Event) -> None:
        """Wait for the lock.

        Args:
            shared: Whether others may share it.
            until: Monotonic time to give up at.
            stop: Set when nobody waits any more.

        Raises:
            TimeoutError: Others had it until then.
            Stopped: ``stop`` was set.
        """
        while not self.try_lock(shared=shared):
            pause(until, stop)

    def _is_current(self) -> bool:
        try:
            there = os.stat(self.path)  # noqa: PTH116 - beside os.fstat
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self.descriptor))

    def remove(self) -> None:
        """Remove the file and let go; only its owner may."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go; the lock of a child that inherited the descriptor stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


_shared: dict[Path, FileLock] = {}
_shared_guard = threading.Lock()
"""Locks this process shares until it ends, by the environment's directory."""


def share(directory: Path, lock: FileLock) -> None:
    """Keep sharing an environment's lock until this process ends."""
    with _shared_guard:
        ours = _shared.setdefault(directory, lock)
    if ours is not lock:  # another thread was as fast
        lock.release()


def is_shared(directory: Path) -> bool:
    """Whether this process shares an environment's lock."""
    with _shared_guard:
        return directory in _shared


def let_go(directory: Path) -> None:
    """Stop sharing an environment's lock: it is to be made anew."""
    with _shared_guard:
        lock = _shared.pop(directory, None)
    if lock is not None:
        lock.release()
