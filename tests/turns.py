"""Turns of tests that run in several processes: side by side, and some by themselves.

A test that is marked ``alone`` holds something against the clock, or is heavy enough to disturb
one that does. It waits until the tests of other processes have ended, and they wait for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
"""Which of several processes this is; None: it is the only one, or starts the others."""

_SHARED = "PY_CODE_MODE_TESTS"
"""The environment variable that names the folder of all processes of a run."""


def set_up() -> Callable[[], None]:
    """Give this process temporary files of its own; return what puts them away at the end."""
    if WORKER is None:
        os.environ[_SHARED] = tempfile.mkdtemp(prefix="tests-")
        return lambda: shutil.rmtree(os.environ.pop(_SHARED), ignore_errors=True)
    own = Path(os.environ[_SHARED], WORKER)
    own.mkdir()
    os.environ["TMPDIR"], tempfile.tempdir = str(own), None
    return lambda: None


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Run the block while other processes run theirs, or while none does."""
    if WORKER is None:
        yield
        return
    folder = Path(os.environ[_SHARED])
    with (folder / "next").open("ab") as gate, (folder / "running").open("ab") as running:
        # Whoever waits for the others keeps the gate, so that they do not begin anew meanwhile.
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            # Said, and not left to closing: a process that a test has forked may have it, too.
            fcntl.flock(running, fcntl.LOCK_UN)
