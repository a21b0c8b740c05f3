"""Launch kernels as local processes.

Place in the house: inside ``kernel``; registered as the jupyter_client entry point
``py-code-mode-local``, so any jupyter_client program can use it through a kernelspec. Other
ways to launch (sandbox, fork, cluster) are further provisioners beside this one.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from py_code_mode import reaper

__all__ = ["LocalKernelProvisioner"]


class LocalKernelProvisioner(LocalProvisioner):
    """``LocalProvisioner`` whose kernels leave nothing behind.

    The kernel leads a process group. The group dies with it, with the host (see ``reaper``),
    and its end is noticed at once (pidfd) instead of by polling.
    """

    _reaper: reaper.Reaper | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the process and put its group under the reaper's watch."""
        self._reaper = reaper.acquire()
        try:
            info = await super().launch_kernel(cmd, **kwargs)
        except BaseException:
            self._release()
            raise
        if self.pgid:
            self._reaper.watch_group(self.pgid)
        return info

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
        held, self._reaper = self._reaper, None
        if held is not None:
            if self.pgid:
                held.forget_group(self.pgid)
            reaper.release()


async def _process_exit(pid: int) -> None:
    """Return when the child process ``pid`` has ended; it is not reaped."""
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return  # not Linux: the base class polls
    try:
        fd = opener(pid)
    except OSError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        loop.add_reader(fd, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
