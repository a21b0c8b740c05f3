"""Nothing outlives the host: a second, tiny process that cleans up once the host is gone.

Place in the house: ground layer. Whoever starts a process group, makes a cgroup or a private
directory (``tools``, ``kernel``) names it to the reaper and takes it off the list when it is done.

A host killed with ``kill -9`` cleans up nothing, and parent-death signals follow the *thread*
that started a child. So a process that does nothing else holds the list: see ``reaping``.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import select
import subprocess
import sys
import threading
from typing import IO, Any

from py_code_mode import reaping

__all__ = ["Reaper", "acquire", "release"]

_WRITE_SECONDS = 1.0  # a reaper that does not read for that long is replaced
_FINISH_SECONDS = 5.0  # for removing what is still on the list


class Reaper:
    """The host's side; use the one of this process, by ``acquire`` and ``release``.

    All calls are thread-safe and cost microseconds. The process behind it starts with the first
    thing to watch; when somebody killed it, the next call starts another with the same list.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.RLock()  # a finalizer may call us while we are at work
        self._holders = 0
        self._list: dict[tuple[str, int | str], dict[str, Any]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: IO[bytes] | None = None

    def watch_group(self, pgid: int) -> None:
        """Kill the process group when the host dies. Call it before its leader is waited for."""
        self._watch("group", pgid, reaping.start_time(pgid))

    def forget_group(self, pgid: int) -> None:
        """Take a process group off the list; one that is not on it is fine."""
        self._forget("group", pgid)

    def watch_cgroup(self, path: str | os.PathLike[str]) -> None:
        """End whatever is in the cgroup and remove it when the host dies."""
        self._watch("cgroup", os.fspath(path))

    def forget_cgroup(self, path: str | os.PathLike[str]) -> None:
        """Take a cgroup off the list; one that is not on it is fine."""
        self._forget("cgroup", os.fspath(path))

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
        self._discard()
        if not self._list:
            return
        keep = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # some interpreters do not start without
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
                [sys.executable, "-I", "-S", reaping.__file__, str(os.getpid())],
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
        text = "reaper process %s; if this host is killed, tools and kernels may live on"
        logging.getLogger(__name__).warning(text, what)


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
