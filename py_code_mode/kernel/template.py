"""Template processes of this program: one for each configuration, shared, gone when unused.

Place in the house: inside ``kernel``, below the provisioners. What a template is stands in
``kernel_bootstrap.kernel.template``. Here its process is started, asked for kernels, and
started again when it has died.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kernel_bootstrap.wire.birth import DIRECTORY, LOG_FILE
from kernel_bootstrap.wire.mirror import read_end
from py_code_mode import reaper
from py_code_mode.kernel.forked import ForkedProcess, pid_of
from py_code_mode.kernel.line import Line
from py_code_mode.kernel.waiting import in_thread, readable

__all__ = ["Holds", "Template", "TemplateKey", "acquire", "release"]

START_SECONDS = 120
"""For a template's imports and preloads."""

ATTEMPTS = 8
"""Templates tried for one kernel, should somebody kill them."""

FORK_SECONDS = 30
"""For one fork on a loaded machine."""


@dataclass(frozen=True, slots=True)
class TemplateKey:
    """What two kernels must have in common to come from one template.

    Attributes:
        command: Interpreter and bootstrap.
        preload: Modules and scripts.
        env: The environment, sorted.
        user: As whom it runs, if not as this program's user.
    """

    command: tuple[str, ...]
    preload: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    user: int | None = None

    @classmethod
    def make(
        cls, command: list[str], preload: list[str], env: Mapping[str, str], user: int | None = None
    ) -> TemplateKey:
        """Make a key; variables that differ from session to session are left out."""
        own = {name: value for name, value in env.items() if not name.startswith(PER_SESSION)}
        return cls(tuple(command), tuple(preload), tuple(sorted(own.items())), user)


PER_SESSION = (DIRECTORY, "JPY_")
"""Beginnings of the names of variables that each kernel gets for itself."""


class Template:
    """One template process, and its successors.

    All methods may be called from any thread; none is bound to an event loop.

    Args:
        key: How it is started.
    """

    def __init__(self, key: TemplateKey) -> None:
        self.key = key
        self.users = 0
        self._lock = threading.Lock()
        self._is_closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._pidfd = -1
        self._directory: Path | None = None

    @property
    def pid(self) -> int | None:
        """Number of the process, if there is one."""
        return None if self._process is None else self._process.pid

    async def fork(self, out: int, err: int) -> ForkedProcess:
        """Fork a process; it waits to be told what to become.

        Args:
            out: Descriptor for its stdout.
            err: Descriptor for its stderr.

        Raises:
            RuntimeError: The template cannot be started: what it preloads fails, say.
            OSError: The system refuses: there is no room on the disk, say.
        """
        last: Exception
        for _ in range(ATTEMPTS):
            if not self._is_running():
                try:
                    await in_thread(self._ensure_running)
                except BrokenPipeError as error:  # it was killed: once more, with another
                    last = error
                    continue
            process = self._process
            try:
                return await self._ask(out, err)
            except (OSError, TimeoutError, ValueError) as error:  # it was killed meanwhile
                last = error
                await in_thread(functools.partial(self._stop, process))
        raise RuntimeError(f"the template was killed {ATTEMPTS} times; at last: {last!r}")

    async def _ask(self, out: int, err: int) -> ForkedProcess:
        control = self._control
        if control is None:
            raise BrokenPipeError("the template is not running")
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(control, [b"fork"], [theirs.fileno(), out, err])
            # A child that it could not tell of keeps the other side open when it dies.
            await asyncio.wait_for(readable(ours.fileno(), self._pidfd), FORK_SECONDS)
            # Python 3.11 passes none of the flags of `recv_fds` on.
            ours.setblocking(False)  # noqa: FBT003 - its only argument
            _, fds, _, _ = socket.recv_fds(ours, 4_096, 1)
            ours.setblocking(True)  # noqa: FBT003 - its only argument
            for fd in fds:
                os.set_inheritable(fd, False)  # noqa: FBT003 - its only argument
            if not fds:
                raise BrokenPipeError("the template has died")
            return ForkedProcess(pid_of(fds[0]), fds[0], Line(ours))
        except BaseException:
            ours.close()
            raise

    def _is_running(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None and self._control is not None

    def _ensure_running(self) -> None:
        with self._lock:
            if self._is_running():
                return
            if self._is_closed:  # meanwhile, by its last user
                raise RuntimeError("the template was closed before it was started")
            self._discard()
            try:
                self._start()
            except BaseException:
                self._discard()
                raise

    def _start(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="pcm-template-"))
        holder = reaper.acquire()
        holder.watch_directory(self._directory)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        user = self.key.user
        preload = [word for item in self.key.preload for word in ("--preload", item)]
        with theirs, (self._directory / LOG_FILE).open("wb") as log:
            self._control = ours
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter of the configuration
                [*self.key.command, *preload, "--template", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.key.env),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd=os.sep if user is not None else None,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        holder.watch_group(self._process.pid)
        self._pidfd = os.pidfd_open(self._process.pid)
        self._await_ready(ours)

    def _await_ready(self, control: socket.socket) -> None:
        control.settimeout(START_SECONDS)
        try:
            words = control.recv(65_536)
        except ConnectionResetError:
            words = b""
        except TimeoutError:
            raise RuntimeError(f"the template was not ready after {START_SECONDS} s") from None
        if not words and self._process is not None and self._process.wait() < 0:
            raise BrokenPipeError("the template was killed")
        if not words:
            log = read_end(self._directory / LOG_FILE, 4_000) if self._directory else b""
            raise RuntimeError(f"the template has died: {log.decode('utf-8', 'replace').strip()}")
        answer = json.loads(words)
        if not answer["ready"]:
            raise RuntimeError(f"a preload failed: {answer['error']}")
        control.settimeout(FORK_SECONDS)

    def _stop(self, process: subprocess.Popen[bytes] | None) -> None:
        with self._lock:
            if self._process is process:  # else somebody else has started another
                self._discard()

    def _discard(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            control.close()
        process, self._process = self._process, None
        directory, self._directory = self._directory, None
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what wraps it, as well
            process.wait()
            reaper.acquire().forget_group(process.pid)
            reaper.release()
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)
            reaper.acquire().forget_directory(directory)
            reaper.release()
            reaper.release()  # that of `_start`

    def close(self) -> None:
        """End the process, one that is just starting too; kernels that came from it live on."""
        with self._lock:
            self._is_closed = True
            self._discard()


_templates: dict[TemplateKey, Template] = {}
_lock = threading.Lock()


def acquire(key: TemplateKey) -> Template:
    """Return this program's template of that configuration, for one more user."""
    with _lock:
        template = _templates.setdefault(key, Template(key))
        template.users += 1
        return template


def release(template: Template) -> None:
    """Count one user less; the last one ends the template."""
    with _lock:
        template.users -= 1
        unused = template.users <= 0
        if unused:
            _templates.pop(template.key, None)
    if unused:
        template.close()


class Holds:
    """Templates that somebody wants to keep, whether or not kernels come from them now."""

    def __init__(self) -> None:
        self._held: list[Template] = []

    def hold(self, template: Template | None) -> None:
        """Keep a template; None, and one that is kept already, is fine."""
        if template is not None and template not in self._held:
            self._held.append(acquire(template.key))

    def close(self) -> None:
        """Let go of all."""
        while self._held:
            release(self._held.pop())


def _forget_in_child() -> None:
    """A forked host has templates of its own; the parent's are the parent's."""
    global _lock  # noqa: PLW0603 - its holder may not exist in the child
    _lock = threading.Lock()
    _templates.clear()


os.register_at_fork(after_in_child=_forget_in_child)
