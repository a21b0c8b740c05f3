"""A kernel on a node of a cluster, as the rest of the house sees it.

Place in the house: top of ``cluster``; ``placing`` calls ``launch``.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from py_code_mode.config import KernelConfig
from py_code_mode.errors import KernelUnresponsive, PlacementError
from py_code_mode.kernel.cluster.birth import Placed, branch_beside, start_anywhere
from py_code_mode.kernel.cluster.fleet import Fleet, fleet_of
from py_code_mode.kernel.cluster.provisioner import RayProvisioner
from py_code_mode.kernel.homes import Home
from py_code_mode.kernel.launched import Query
from py_code_mode.kernel.onespec import OneSpec
from py_code_mode.kernel.traces import Remains, Traces
from py_code_mode.kernel.waiting import in_thread
from py_code_mode.placement import Ray

__all__ = ["ClusterKernel", "launch"]

STACK_PATIENCE = 3.0

PROVISIONER = "py-code-mode-ray"


class _Manager(AsyncKernelManager):
    """A kernel manager, with what its provisioner must know.

    Attributes:
        bear: Starts the kernel.
    """

    bear: Callable[[], Awaitable[Placed]]


class _FarTraces(Traces):
    """What the kernel's host handed over."""

    def __init__(self, provisioner: RayProvisioner) -> None:
        self._provisioner = provisioner

    def remains(self) -> Remains:
        """Return what was handed over when the kernel ended."""
        return self._provisioner.remains

    async def new_stack(self, ended: asyncio.Future[None]) -> str:
        """Fetch the stack dump."""
        placed = self._provisioner.placed
        if placed is None or ended.done():
            return ""
        try:
            return str(await placed.host.call("stack", placed.name, patience=STACK_PATIENCE))
        except (PlacementError, KernelUnresponsive):
            return ""


@dataclass(frozen=True, slots=True)
class ClusterKernel:
    """A kernel process of another machine; see ``Launched``.

    Attributes:
        manager: Its jupyter_client manager, on this machine.
        notes: Private directory on this machine: connection file, and notes.
        traces: What it leaves, handed over.
        provisioner: Who holds it.
        placement: What was asked for.
        fleet: Hosts of the executor.
    """

    manager: AsyncKernelManager
    notes: Path
    provisioner: RayProvisioner
    placement: Ray
    fleet: Fleet
    home: Home = field(repr=False)

    @property
    def traces(self) -> Traces:
        """What it leaves behind."""
        return _FarTraces(self.provisioner)

    @property
    def pid(self) -> int:
        """Number of the process on its node; 0 when it has ended."""
        placed = self.provisioner.placed
        return 0 if placed is None or self.provisioner.ended is not None else placed.born.pid

    @property
    def template(self) -> None:
        """Templates of its node are its host's business."""

    async def branch(
        self, query: Query, config: KernelConfig, context: zmq.Context[zmq.Socket[bytes]]
    ) -> tuple[ClusterKernel, list[str]]:
        """Fork it, on its own node."""
        parent = self.provisioner.placed
        if parent is None:
            raise KernelUnresponsive("the kernel has ended")
        lost: list[str] = []

        async def bear() -> Placed:
            placed, told = await branch_beside(self.fleet, parent, config, self.placement, query)
            lost.extend(told)
            return placed

        return await _launch(self.fleet, self.placement, context, bear), lost

    async def end(self) -> None:
        """Remove what is left of it on this machine."""
        await in_thread(lambda: self.home.leave(self.notes))


async def launch(
    config: KernelConfig, placement: Ray, context: zmq.Context[zmq.Socket[bytes]]
) -> ClusterKernel:
    """Start a kernel process on a node; it is not yet ready.

    Args:
        config: How.
        placement: Where.
        context: Its manager's.

    Raises:
        PlacementError: The cluster cannot be reached, or has no room.
        KernelStartError: It could not be started there.
        ConfigError: It cannot be started as its configuration says.
    """
    fleet = await fleet_of(context, placement)
    bear = functools.partial(start_anywhere, fleet, config, placement)
    return await _launch(fleet, placement, context, bear)


async def _launch(
    fleet: Fleet,
    placement: Ray,
    context: zmq.Context[zmq.Socket[bytes]],
    bear: Callable[[], Awaitable[Placed]],
) -> ClusterKernel:
    home = Home(confined=False)
    notes, _ = home.new_kernel()
    manager = _manager(notes, context)
    manager.bear = bear
    try:
        await manager.start_kernel()
        provisioner = manager.provisioner
        assert isinstance(provisioner, RayProvisioner)
    except BaseException:
        if manager.provisioner is not None:
            await manager.provisioner.cleanup()
        home.leave(notes)
        raise
    return ClusterKernel(manager, notes, provisioner, placement, fleet, home)


def _manager(directory: Path, context: zmq.Context[zmq.Socket[bytes]]) -> _Manager:
    spec = KernelSpec(
        argv=[],
        display_name="py-code-mode",
        language="python",
        interrupt_mode="signal",
        metadata={"kernel_provisioner": {"provisioner_name": PROVISIONER, "config": {}}},
    )
    manager = _Manager(
        kernel_name="py-code-mode",
        kernel_spec_manager=OneSpec(spec),
        context=zmq.asyncio.Context.shadow(context.underlying),
        connection_file=str(directory / "kernel.json"),
        autorestart=False,
    )
    manager.session.digest_history_size = 0  # as for kernels of this machine
    return manager
