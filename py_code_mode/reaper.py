"""Nothing outlives the host: a second, tiny process that cleans up once the host is gone.

Place in the house: ground layer. Whoever starts a process group or makes a private directory
(``tools``, ``kernel``) names it to the reaper and takes it off the list when it is done.

A host killed with ``kill -9`` cleans up nothing, and parent-death signals follow the *thread*
that started a child. So a process that does nothing else holds the list. This file is both
sides: imported, it is the host's ``Reaper``; run as a script (``python -I -S reaper.py <pid of
the host>``) it is that process. A pipe carries one JSON object a line, host to reaper:

==========  =====================  ===========================================================
``do``      fields                 meaning
==========  =====================  ===========================================================
``watch``   ``what, which, start`` in the end kill the process group or remove the directory;
                                   ``start``: when the group's leader started, null if unknown
``forget``  ``what, which``        it ended, or is to stay
``finish``                         the end has come
==========  =====================  ===========================================================

``what`` is ``group`` or ``directory``, ``which`` the group's number or the directory's path.
The end comes with ``finish``, with the end of the pipe, or with the host's death, whichever
is first: a forked child of the host may hold the pipe open, so the host's pid is watched too.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

__all__ = ["Reaper", "acquire", "release"]

_WRITE_SECONDS = 1.0  # a reaper that does not read for that long is replaced
_FINISH_SECONDS = 5.0  # for removing what is still on the list
_CHECK_MILLISECONDS = 500  # between looks at the parent where there is no pidfd


def _start_time(pid: int) -> str | None:
    """Return when a process started (clock ticks since boot), None when it is not there."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - starts faster without pathlib
            # Field 22; the second field, the program's name, may hold anything but ends in ")".
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return None


class Reaper:
    """The host's side; use the one of this process, by ``acquire`` and ``release``.

    All calls are thread-safe and cost microseconds. The process behind it starts with the first
    thing to watch; when somebody killed it, the next call starts another with the same list.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        import threading

        self._lock = threading.RLock()  # a finalizer may call us while we are at work
        self._holders = 0
        self._list: dict[tuple[str, int | str], dict[str, Any]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: IO[bytes] | None = None

    def watch_group(self, pgid: int) -> None:
        """Kill the process group when the host dies. Call it before its leader is waited for."""
        self._watch("group", pgid, _start_time(pgid))

    def forget_group(self, pgid: int) -> None:
        """Take a process group off the list; one that is not on it is fine."""
        self._forget("group", pgid)

    def watch_directory(self, path: str | os.PathLike[str]) -> None:
        """Remove the directory and all it holds when the host dies."""
        self._watch("directory", os.path.abspath(path))  # noqa: PTH100 - keeps links as they are

    def forget_directory(self, path: str | os.PathLike[str]) -> None:
        """Take a directory off the list; one that is not on it is fine."""
        self._forget("directory", os.path.abspath(path))  # noqa: PTH100 - as above

    def hold(self) -> None:
        """Count one more holder."""
        with self._lock:
            self._holders += 1
            if self._list and not self._is_alive():
                self._start()

    def let_go(self) -> None:
        """Count one holder less; the last one ends the process and whatever it still watches."""
        with self._lock:
            self._holders -= 1
            if self._holders <= 0:
                self.close()

    def close(self) -> None:
        """End the process for all holders; done at the interpreter's exit, too."""
        with self._lock:
            self._holders = 0
            if self._list and not self._is_alive():
                self._start()
            if self._list and self._process and self._write([{"do": "finish"}]):
                self._await_finish(self._process)
            self._list.clear()
            self._discard()

    def _watch(self, what: str, which: int | str, start: str | None = None) -> None:
        command = {"do": "watch", "what": what, "which": which, "start": start}
        with self._lock:
            self._list[what, which] = command
            self._send(command)

    def _forget(self, what: str, which: int | str) -> None:
        with self._lock:
            if self._list.pop((what, which), None) is not None:
                self._send({"do": "forget", "what": what, "which": which})

    def _send(self, command: dict[str, Any]) -> None:
        if not self._is_alive() or not self._write([command]):
            self._start()

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        """Start a process and send it the whole list."""
        import subprocess

        self._discard()
        if not self._list:
            return
        keep = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # some interpreters do not start without
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
                [sys.executable, "-I", "-S", __file__, str(os.getpid())],
                stdin=subprocess.PIPE,
                bufsize=0,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in keep if name in os.environ},
                start_new_session=True,  # a Ctrl-C in the terminal is for the host alone
            )
        except OSError as error:
            self._warn(f"did not start ({error})")
            return
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        self._process, self._pipe = process, process.stdin
        if not self._write(list(self._list.values())):
            self._warn("does not read its list")

    def _write(self, commands: list[dict[str, Any]]) -> bool:
        """Write to the pipe; False when nobody reads it."""
        assert self._pipe is not None
        pipe = self._pipe.fileno()
        data = "".join(json.dumps(command) + "\n" for command in commands).encode()
        while data:
            try:
                data = data[os.write(pipe, data) :]
            except BlockingIOError:
                room = select.poll()
                room.register(pipe, select.POLLOUT)
                if not room.poll(_WRITE_SECONDS * 1000):
                    return False
            except OSError:
                return False
        return True

    def _await_finish(self, process: subprocess.Popen[bytes]) -> None:
        import subprocess

        try:
            process.wait(_FINISH_SECONDS)
        except subprocess.TimeoutExpired:
            self._warn(f"was not done after {_FINISH_SECONDS:g} s: {list(self._list)}")

    def _discard(self) -> None:
        """Kill and wait for the process: with nothing to do, or broken, there is no other way."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:  # closes the pipe and waits
                self._pipe = None

    def _after_fork(self) -> None:
        """In a forked child: what the parent watches is the parent's."""
        process, pipe = self._process, self._pipe
        self._reset()  # the lock too: held by another thread, it would stay held for ever
        if process is not None and pipe is not None:
            pipe.close()  # or the parent's reaper would wait for our end, too
            process.returncode = 0  # not our child: no one here can wait for it

    def _warn(self, what: str) -> None:
        import logging

        text = "reaper process %s; if this host is killed, tools and kernels may live on"
        logging.getLogger(__name__).warning(text, what)


def _end_group(pgid: int, start: str | None) -> None:
    """Kill a group, unless its number now belongs to somebody else.

    A number is not given out again while a group still bears it. So a leader that started at
    another time means: that group is long gone. No leader means: only its children are left.
    """
    if sys.platform == "linux" and _start_time(pgid) not in {start, None}:
        return
    with suppress(OSError):  # it ended by itself, or runs as another user
        os.killpg(pgid, signal.SIGKILL)


def _remove(path: str) -> None:
    import shutil
    import time

    for _ in range(40):  # what was just killed may still be writing
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return
        time.sleep(0.05)


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
    for what, which in watched:
        if what == "directory":  # after the groups: what writes there is dead now
            _remove(which)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
else:
    import atexit

    _REAPER = Reaper()

    # Looked up then: tests put another one in its place.
    os.register_at_fork(after_in_child=lambda: _REAPER._after_fork())  # noqa: PLW0108
    atexit.register(_REAPER.close)


def acquire() -> Reaper:
    """Return this process's reaper and count as one of its holders.

    Returns:
        The reaper; give it back with ``release``.
    """
    _REAPER.hold()
    return _REAPER


def release() -> None:
    """Stop being a holder. With the last one the reaper's process ends and is waited for."""
    _REAPER.let_go()
