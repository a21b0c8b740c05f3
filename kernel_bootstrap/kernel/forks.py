"""What a process must do right after it was forked to be one of its own.

Place in the house: bottom of ``kernel``; used by ``branch`` and ``template``. What a fork
shares with its parent, and must not: sockets, process group, standard streams, the state of
random generators, exit handlers.
"""

from __future__ import annotations

import atexit
import os
import stat
import sys
import threading
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["be_independent", "cut_off", "end_process", "redirect_output"]


def be_independent(keep: Iterable[int]) -> None:
    """Cut a freshly forked process off its parent.

    Sockets of the parent become ``/dev/null`` here rather than closed: whoever still holds one
    gets an error, and closing it later cannot hit a descriptor that was opened since.

    Args:
        keep: Descriptors of sockets that are this process's own.
    """
    if os.getsid(0) != os.getpid():
        os.setsid()
    kept = set(keep)
    cut_off(*(fd for fd in _descriptors() if fd not in kept and _is_shared(fd)))
    _forget_exit_handlers()
    _reseed()


def cut_off(*fds: int) -> None:
    """Let descriptors be ``/dev/null`` from now on."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in fds:
        os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)


def _descriptors() -> list[int]:
    try:
        return [int(link.name) for link in Path("/proc/self/fd").iterdir()]
    except OSError:  # a confined process may not look there
        import resource

        return [*range(resource.getrlimit(resource.RLIMIT_NOFILE)[0])]


def _is_shared(fd: int) -> bool:
    """Whether two processes cannot both use a descriptor: what one reads, the other misses.

    Those are sockets, and what has no type of its own: epoll, eventfd, pidfd, inotify.
    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISSOCK(mode) or stat.S_IFMT(mode) == 0


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
