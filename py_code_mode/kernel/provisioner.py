"""Launch kernels on this machine: as child processes, or forked from a template.

Place in the house: inside ``kernel``; registered as the jupyter_client entry points
``py-code-mode-local`` and ``py-code-mode-template``, so any jupyter_client program can use them
through a kernelspec. Other ways to launch (sandbox, cluster) are further provisioners.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Bool, Dict, Integer, List, Unicode

from kernel_bootstrap.wire.birth import DIRECTORY, Birth
from kernel_bootstrap.wire.confinement import Confinement
from py_code_mode import reaper
from py_code_mode.kernel import template
from py_code_mode.kernel.forked import UNKNOWN, ForkedProcess
from py_code_mode.kernel.line import Line
from py_code_mode.kernel.waiting import in_thread, readable
from py_code_mode.sandbox import Bundle, signal_command

__all__ = [
    "BranchKernelProvisioner",
    "LocalKernelProvisioner",
    "TemplateKernelProvisioner",
    "can_fork",
]


def can_fork() -> bool:
    """Whether kernels can be forked here: Linux, because forks need pidfds to be held safely."""
    return sys.platform == "linux" and hasattr(os, "fork") and hasattr(os, "pidfd_open")


class LocalKernelProvisioner(LocalProvisioner):
    """``LocalProvisioner`` whose kernels leave nothing behind.

    The kernel leads a process group. The group dies with it, with the host (see ``reaper``),
    and its end is noticed at once (pidfd) instead of by polling.
    """

    tells = Bool(
        default_value=False,
        help="Whether the command is our bootstrap's, which waits to be told what to become.",
    ).tag(config=True)

    bounds = Unicode(
        help="What the kernel takes away from itself: a wire.Confinement as JSON."
    ).tag(config=True)

    own_env = Dict(help="Environment variables of this kernel alone.").tag(config=True)

    bundle = Unicode(help="Folder for what gVisor is to run: the kernel within its bounds.").tag(
        config=True
    )

    line: Line | None = None
    _reaper: reaper.Reaper | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the process and put its group under the reaper's watch."""
        self._reaper = reaper.acquire()
        try:
            info = await self._launch(cmd, **kwargs)
        except BaseException:
            self._release()
            raise
        return info

    async def _launch(self, cmd: list[str], **kwargs: Any) -> Any:
        if self.bundle:
            cmd = self._sealed(cmd, kwargs)
        if not self.tells:
            info = await super().launch_kernel(cmd, **kwargs)
            self._watch()
            return info
        command, argv = _split(cmd)
        env = {**(kwargs.get("env") or os.environ), **self.own_env}
        ours, theirs = socket.socketpair()
        self.line = Line(ours)
        with theirs:
            cmd = [*command, "--birth", str(theirs.fileno()), *argv]
            info = await super().launch_kernel(cmd, **kwargs, pass_fds=[theirs.fileno()])
        self._watch()
        self.line.begin(self._birth(argv, env=env), info, self._listeners())
        return info

    def _listeners(self) -> Sequence[socket.socket]:
        return getattr(self.parent, "listeners", ())

    def _sealed(self, cmd: list[str], kwargs: dict[str, Any]) -> list[str]:
        """Write down what gVisor is to run; return the command that runs it."""
        env = {**(kwargs.get("env") or os.environ), **self.own_env}
        bundle = Bundle(Path(self.bundle), Confinement.from_json(self.bounds), cmd[0])
        bundle.write(cmd, env, str(kwargs.get("cwd") or Path.cwd()))
        return bundle.command

    def _birth(self, argv: list[str], **more: Any) -> Birth:
        bounds = Confinement.from_json(self.bounds) if self.bounds else None
        return Birth(argv, bounds=bounds, **more)

    def _watch(self) -> None:
        """Put the process where it is ended with the host, and bounded."""
        if self.pgid and self._reaper is not None:
            self._reaper.watch_group(self.pgid)
        group, hand_over = (getattr(self.parent, name, None) for name in ("group", "hand_over"))
        if group is not None and self.pid:
            group.add(self.pid)
        if hand_over is not None:
            hand_over()

    async def send_signal(self, signum: int) -> None:
        """Send the kernel a signal."""
        if not self.bundle or signum == signal.SIGKILL:
            await super().send_signal(signum)
        elif self.process is not None:
            command = signal_command(Path(self.bundle), signum)
            # One that has ended is fine.
            await in_thread(lambda: subprocess.run(command, check=False, capture_output=True))  # noqa: S603 - runsc

    async def wait(self) -> int | None:
        """Wait for the kernel's end; kill what it leaves in its group."""
        if self.process is not None:
            await _process_exit(self.process.pid)
            # The leader is dead but not yet reaped, so the group's number cannot be another's.
            if self.process.returncode is None and self.pgid:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pgid, signal.SIGKILL)
        code = await super().wait()
        self._release()
        return code

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - jupyter_client's signature
        """Let go of the reaper."""
        self._release()
        await super().cleanup(restart=restart)

    def _release(self) -> None:
        line, self.line = self.line, None
        if line is not None:
            line.close()
        held, self._reaper = self._reaper, None
        if held is not None:
            if self.pgid:
                held.forget_group(self.pgid)
            reaper.release()


class _ForkingProvisioner(LocalKernelProvisioner):
    """A provisioner whose process is forked by another one."""

    process: ForkedProcess | None  # type: ignore[assignment]

    async def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> tuple[ForkedProcess, Birth]:
        raise NotImplementedError

    async def _launch(self, cmd: list[str], **kwargs: Any) -> Any:
        process, birth = await self._fork(cmd, kwargs)
        self.process, self.pid, self.pgid = process, process.pid, process.pid
        self.line = process.line
        try:
            # Only when it is on the list may it begin; if this program ends first, so does it.
            self._watch()
            process.line.begin(birth, self.connection_info, self._listeners())
        except BaseException:
            process.kill()
            await self.wait()
            raise
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the kernel's end; its parent kills what it leaves in its group."""
        process = self.process
        if process is None:
            return 0
        code = await process.ended()
        if code == UNKNOWN and self.pgid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pgid, signal.SIGKILL)
        self.process = None
        process.close()
        self._release()
        return code


class TemplateKernelProvisioner(_ForkingProvisioner):
    """Forks kernels from a template that has imported everything."""

    preload = List(
        Unicode(), help="Modules to import, and scripts (.py) to run, once in the template."
    ).tag(config=True)

    wrap = List(Unicode(), help="What stands before the template's command.").tag(config=True)

    user = Integer(
        default_value=None, allow_none=True, help="As whom the template runs, if not as us."
    ).tag(config=True)

    template: template.Template | None = None

    async def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> tuple[ForkedProcess, Birth]:
        command, argv = _split(cmd)
        env, cwd = dict(kwargs.get("env") or os.environ), str(kwargs.get("cwd") or Path.cwd())
        _check_directory(cwd)
        command = [*self.wrap, *command]
        key = template.TemplateKey.make(command, list(self.preload), env, self.user)
        held, self.template = self.template, template.acquire(key)
        if held is not None:
            template.release(held)
        with _output(kwargs.get("stdout"), 1) as out, _output(kwargs.get("stderr"), 2) as err:
            process = await self.template.fork(out.fileno(), err.fileno())
        env |= self.own_env
        return process, self._birth(argv, env=env, cwd=cwd, directory=env.get(DIRECTORY))

    def _release(self) -> None:
        held, self.template = self.template, None
        if held is not None:
            template.release(held)
        super()._release()


class BranchKernelProvisioner(_ForkingProvisioner):
    """Takes the branch of a live kernel; its manager's ``branch`` makes it."""

    async def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> tuple[ForkedProcess, Birth]:
        branch: Callable[[], Awaitable[ForkedProcess]] = self.parent.branch  # type: ignore[union-attr]
        _, argv = _split(cmd)
        process = await branch()
        return process, Birth(argv, directory=kwargs["env"][DIRECTORY])


def _split(cmd: list[str]) -> tuple[list[str], list[str]]:
    """Part a kernel's command into what a template shares, and the rest."""
    if "-f" not in cmd:
        raise RuntimeError(
            f"a kernel cannot be forked from {cmd!r}: its command must be that of "
            "`python -m kernel_bootstrap -f {connection_file}`"
        )
    at = cmd.index("-f")
    return cmd[:at], cmd[at:]


def _check_directory(cwd: str) -> None:
    if not Path(cwd).is_dir():
        raise NotADirectoryError(f"{cwd!r} is no directory the kernel could work in")


def _output(wanted: Any, descriptor: int) -> Any:
    """Open what ``Popen`` would have made of an argument for a standard stream."""
    if wanted == subprocess.DEVNULL:
        return open(os.devnull, "wb")  # noqa: PTH123 - the caller closes it
    if wanted is None:
        wanted = descriptor
    fd = wanted if isinstance(wanted, int) else wanted.fileno()
    if fd < 0:
        raise RuntimeError("a forked kernel's output cannot be a new pipe: give a file")
    return os.fdopen(os.dup(fd), "wb")


async def _process_exit(pid: int) -> None:
    """Return when the child process ``pid`` has ended; it is not reaped."""
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return  # not Linux: the base class polls
    try:
        fd = opener(pid)
    except OSError:
        return
    try:
        await readable(fd)
    finally:
        os.close(fd)
