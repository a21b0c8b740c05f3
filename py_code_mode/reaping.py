"""What the reaper's process does: hold a list, and carry it out once the host is gone.

Place in the house: ground layer, the other side of ``reaper``, which starts this file as a script
(``python -I -S reaping.py <pid of the host>``). So it imports nothing of the house, and little at
all. A pipe carries one JSON object a line, host to reaper:

==========  =====================  ===========================================================
``do``      fields                 meaning
==========  =====================  ===========================================================
``watch``   ``what, which, start`` in the end, end the process group or the cgroup, or remove
                                   the directory; ``start``: when the group's leader started,
                                   null if unknown
``forget``  ``what, which``        it ended, or is to stay
``finish``                         the end has come
==========  =====================  ===========================================================

``what`` is ``group``, ``cgroup`` or ``directory``, ``which`` the group's number or the path.
The end comes with ``finish``, with the end of the pipe, or with the host's death, whichever
is first: a forked child of the host may hold the pipe open, so the host's pid is watched too.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

__all__ = ["start_time"]

_CHECK_MILLISECONDS = 500  # between looks at the parent where there is no pidfd
_ATTEMPTS = 40  # what was just killed may need a moment to be gone
_PAUSE = 0.05  # seconds between them


def start_time(pid: int) -> str | None:
    """Return when a process started (clock ticks since boot), None when it is not there."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - starts faster without pathlib
            # Field 22; the second field, the program's name, may hold anything but ends in ")".
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return None


def _end_group(pgid: int, start: str | None) -> None:
    """Kill a group, unless its number now belongs to somebody else.

    A number is not given out again while a group still bears it. So a leader that started at
    another time means: that group is long gone. No leader means: only its children are left.
    """
    if sys.platform == "linux" and start_time(pgid) not in {start, None}:
        return
    with suppress(OSError):  # it ended by itself, or runs as another user
        os.killpg(pgid, signal.SIGKILL)


def _end_cgroup(path: str) -> None:
    """Kill what is in a cgroup, also what has left its process group, and remove it."""
    for _ in range(_ATTEMPTS):
        try:
            with open(f"{path}/cgroup.procs", "rb") as file:  # noqa: PTH123 - as above
                pids = [int(word) for word in file.read().split()]
            for pid in pids:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            os.rmdir(path)  # noqa: PTH106 - as above
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(_PAUSE)


def _remove(path: str) -> None:
    import shutil

    for _ in range(_ATTEMPTS):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return
        time.sleep(_PAUSE)


def _commands(host: int) -> Iterator[dict[str, Any]]:
    """Yield what the host wrote, until its end."""
    events, patience = select.poll(), _CHECK_MILLISECONDS
    events.register(0, select.POLLIN)
    if sys.platform == "linux":
        with suppress(OSError):  # the host is gone already, or the kernel is old
            events.register(os.pidfd_open(host), select.POLLIN)
            patience = -1
    os.set_blocking(0, False)
    rest, is_over = b"", False
    while True:
        # Looked at before reading, so that everything a dead host wrote is read.
        is_over = is_over or os.getppid() != host
        with suppress(BlockingIOError):
            while chunk := os.read(0, 65536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(json.loads, lines)
            is_over = True
        if is_over:
            return
        is_over = any(fd != 0 for fd, _ in events.poll(patience))


def _main(host: int) -> None:
    """Hold the list, then carry it out."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the host's end is ours
    watched: dict[tuple[str, Any], str | None] = {}
    for command in _commands(host):
        if command["do"] == "finish":
            break
        if command["do"] == "watch":
            watched[command["what"], command["which"]] = command["start"]
        else:
            watched.pop((command["what"], command["which"]), None)
    for (what, which), start in watched.items():
        if what == "group":
            _end_group(which, start)
        elif what == "cgroup":
            _end_cgroup(which)
    for what, which in watched:
        if what == "directory":  # after the groups: what writes there is dead now
            _remove(which)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
