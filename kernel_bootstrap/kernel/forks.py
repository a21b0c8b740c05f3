"""What a process must do right after it was forked to be one of its own.

Place in the house: bottom of ``kernel``; used by ``branch`` and ``template``. What a fork
shares with its parent, and must not: sockets, process group, standard streams, the state of
random generators, exit handlers.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["be_independent", "end_process", "redirect_output"]

SHARED = ("socket:", "anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[pidfd]")
"""Descriptors two processes cannot both use: what one reads, the other misses."""


def be_independent(keep: Iterable[int]) -> None:
    """Cut a freshly forked process off its parent.

    Sockets of the parent become ``/dev/null`` here rather than closed: whoever still holds one
    gets an error, and closing it later cannot hit a descriptor that was opened since.

    Args:
        keep: Descriptors of sockets that are this process's own.
    """
    os.setsid()
    kept = set(keep)
    nothing = os.open(os.devnull, os.O_RDWR)
    for link in list(Path("/proc/self/fd").iterdir()):
        fd = int(link.name)
        with suppress(OSError):
            if fd not in kept and str(link.readlink()).startswith(SHARED):
                os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)
    _forget_exit_handlers()
    _reseed()


def _forget_exit_handlers() -> None:
    """Leave the parent's cleaning up to the parent: temporary directories are its own."""
    atexit._clear()
    registry: Any = weakref.finalize
    for info in list(registry._registry.values()):
        info.atexit = False
    registry._registered_with_atexit = False


def _reseed() -> None:
    """Give each fork random numbers of its own; Python's ``random`` does it by itself."""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "seed"):
        torch.seed()


def redirect_output(out: int, err: int) -> None:
    """Let descriptors 1 and 2 be those, and 0 be empty."""
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - the shortest way to a descriptor
        os.dup2(nothing.fileno(), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)


def end_process(code: int) -> NoReturn:
    """End a forked process as a program ends, but without taking the interpreter down.

    That would visit, and so copy, the memory that is still shared with the parent.
    """
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(BaseException):
            if stream is not None:
                stream.flush()
    os._exit(code)
