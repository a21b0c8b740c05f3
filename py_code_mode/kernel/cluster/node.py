"""The host of kernels on one node: it starts them as they are started at home, and watches them.

Place in the house: inside ``cluster``; Ray runs one as an actor on each node that has sessions, so
that a further session costs no further worker. Each kernel has an owner, a program far away that
renews its lease. One that does not is dead, or cut off: its kernels are ended. A host without
owners ends itself, so nothing outlives the program for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import zmq

import py_code_mode
from py_code_mode.config import KernelConfig
from py_code_mode.errors import CodeModeError, KernelDied, KernelError
from py_code_mode.kernel.cluster.words import Born, Ended, Failure
from py_code_mode.kernel.launch import LocalKernel, launch
from py_code_mode.kernel.template import Holds

__all__ = ["NodeHost"]

IDLE_SECONDS = 5.0
"""Seconds a host without owners stays, should another come."""

MAX_SOCKETS = 65_535

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class _Lease:
    """How long an owner may give no sign, and until when it may give none."""

    seconds: float
    until: float


@dataclass(slots=True, eq=False)
class _Kernel:
    """A kernel that runs here, or has ended and is not yet put away."""

    owner: str
    local: LocalKernel
    ended: asyncio.Task[Ended]


@dataclass(slots=True, eq=False)
class _Branch:
    """A branch whose parent is being asked, far away, to fork."""

    forked: asyncio.Future[None]
    work: asyncio.Task[Born]


def _told(call: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T | Failure]]:
    """Let a call return our errors instead of raising them."""

    @functools.wraps(call)
    async def tell(*args: P.args, **options: P.kwargs) -> T | Failure:
        try:
            return await call(*args, **options)
        except CodeModeError as error:
            return Failure.of(error)

    return tell


class NodeHost:
    """Starts kernels on its node; all its calls come over Ray.

    Args:
        ip: The node's address, at which kernels listen.
    """

    def __init__(self, ip: str) -> None:
        self._ip = ip
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.max_sockets = MAX_SOCKETS
        self._kernels: dict[str, _Kernel] = {}
        self._branches: dict[str, _Branch] = {}
        self._unwanted: set[str] = set()
        self._owners: dict[str, _Lease] = {}
        self._alone_since = time.monotonic()
        self._templates = Holds()
        self._watching: asyncio.Task[None] | None = None

    async def join(self, owner: str, lease: float) -> str:
        """Take an owner, which may give no sign for so many seconds; return our version."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="leases")
        self._owners[owner] = _Lease(lease, time.monotonic() + lease)
        return py_code_mode.__version__

    async def renew(self, owner: str) -> bool:
        """Renew an owner's lease; false: it was out, and its kernels are gone."""
        lease = self._owners.get(owner)
        if lease is not None:
            lease.until = time.monotonic() + lease.seconds
        return lease is not None

    @_told
    async def start(self, owner: str, kernel: str, config: KernelConfig) -> Born:
        """Start a kernel; it is not yet ready.

        Args:
            owner: Whose it is.
            kernel: What it is called from now on.
            config: How.
        """
        local = await launch(config, self._context, ip=self._ip)
        self._templates.hold(local.template)
        return await self._take(owner, kernel, local)

    @_told
    async def branch(self, owner: str, kernel: str, parent: str, config: KernelConfig) -> str:
        """Begin to branch a kernel, which its owner must then ask to fork; ``go_on`` follows.

        Returns:
            The ticket to ask it with.
        """
        from_ = self._known(parent).local
        loop = asyncio.get_running_loop()
        ticket: asyncio.Future[str] = loop.create_future()
        forked: asyncio.Future[None] = loop.create_future()

        async def ask(_: str, *, exit_file: str) -> None:
            ticket.set_result(exit_file)
            await forked

        async def work() -> Born:
            local, _ = await from_.branch(ask, config, self._context)
            return await self._take(owner, kernel, local)

        task = asyncio.create_task(work(), name="branch")
        first: set[asyncio.Future[str] | asyncio.Task[Born]] = {ticket, task}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not ticket.done():
            await task  # raises
        self._branches[kernel] = _Branch(forked, task)
        return ticket.result()

    @_told
    async def go_on(self, kernel: str) -> Born:
        """Take a branch whose parent has agreed to fork."""
        branch = self._branches.pop(kernel, None)
        if branch is None:
            raise KernelError("there is no such branch")
        branch.forked.set_result(None)
        return await branch.work

    @_told
    async def wait(self, kernel: str) -> Ended:
        """Wait until a kernel has ended."""
        return await asyncio.shield(self._known(kernel).ended)

    async def signal(self, kernel: str, number: int) -> None:
        """Send a kernel a signal; one that has ended is fine."""
        known = self._kernels.get(kernel)
        if known is not None and known.local.manager.provisioner is not None:
            with contextlib.suppress(OSError):
                await known.local.manager.provisioner.send_signal(number)

    async def stack(self, kernel: str) -> str:
        """Return the stack dump that a kernel was asked for by signal; empty if none came."""
        known = self._kernels.get(kernel)
        if known is None:
            return ""
        ended = asyncio.ensure_future(asyncio.wait({known.ended}))
        try:
            return await known.local.traces.new_stack(ended)  # type: ignore[arg-type]
        finally:
            ended.cancel()

    async def end(self, kernel: str) -> None:
        """End a kernel and remove all that was its, also if it is only just being started."""
        branch = self._branches.pop(kernel, None)
        if branch is not None:
            branch.work.cancel()
        known = self._kernels.pop(kernel, None)
        if known is None:
            self._unwanted.add(kernel)
        else:
            await _put_away(known)

    async def leave(self, owner: str) -> None:
        """Let go of an owner, and of its kernels."""
        self._owners.pop(owner, None)
        mine = [name for name, kernel in self._kernels.items() if kernel.owner == owner]
        await asyncio.gather(*(self.end(name) for name in mine))
        if not self._owners:
            self._unwanted.clear()
            self._alone_since = time.monotonic()

    def _known(self, kernel: str) -> _Kernel:
        if kernel not in self._kernels:
            raise KernelDied("the kernel is gone: its program gave no sign for too long")
        return self._kernels[kernel]

    async def _take(self, owner: str, kernel: str, local: LocalKernel) -> Born:
        """Keep a kernel that was launched, if it is still wanted."""
        ended = asyncio.create_task(_end_of(local), name="kernel exit")
        known = _Kernel(owner, local, ended)
        if kernel in self._unwanted or owner not in self._owners:
            self._unwanted.discard(kernel)
            await _put_away(known)
            raise KernelError("the kernel is not wanted any more")
        self._kernels[kernel] = known
        info = dict(local.manager.get_connection_info())
        return Born(local.pid, info)

    async def _watch(self) -> None:
        """End what nobody owns any more, at last this actor."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for owner in [name for name, lease in self._owners.items() if lease.until < now]:
                await self.leave(owner)
            if not self._owners and now > self._alone_since + IDLE_SECONDS:
                self._templates.close()
                _leave_ray()


async def _end_of(local: LocalKernel) -> Ended:
    provisioner = local.manager.provisioner
    assert provisioner is not None
    code = await provisioner.wait()
    return Ended(code, local.traces.remains())


async def _put_away(kernel: _Kernel) -> None:
    manager = kernel.local.manager
    if not kernel.ended.done() and manager.provisioner is not None:
        with contextlib.suppress(OSError):
            await manager.provisioner.send_signal(signal.SIGKILL)
        await asyncio.wait({kernel.ended}, timeout=5)
    with contextlib.suppress(CodeModeError, OSError):
        await manager.cleanup_resources()
    await kernel.local.end()


def _leave_ray() -> None:
    import ray

    ray.kill(ray.get_runtime_context().current_actor)
