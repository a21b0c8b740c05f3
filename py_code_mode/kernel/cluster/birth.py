"""From a place that Ray has set aside to a kernel in it.

Place in the house: inside ``cluster``, above ``fleet``, below ``provisioner``.
"""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

from kernel_bootstrap.wire.messages import Query as Queries
from py_code_mode.config import KernelConfig
from py_code_mode.errors import KernelUnresponsive, PlacementError
from py_code_mode.kernel.branching import sentences
from py_code_mode.kernel.cluster.fleet import Fleet
from py_code_mode.kernel.cluster.host import Host, HostLost
from py_code_mode.kernel.cluster.reservation import Reservation, reserve
from py_code_mode.kernel.cluster.words import Born
from py_code_mode.kernel.launched import Query
from py_code_mode.placement import Ray

__all__ = ["Placed", "branch_beside", "start_anywhere"]

ATTEMPTS = 3
"""Nodes tried for one kernel, should they be lost meanwhile."""

END_SECONDS = 15.0


@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    """A kernel in its place.

    Attributes:
        name: What its host calls it.
        host: Who watches it.
        place: What Ray has set aside for it.
        born: What its host told of it.
    """

    name: str
    host: Host
    place: Reservation
    born: Born

    async def end(self) -> None:
        """Remove what it has on its node, and give the place back."""
        self.host.kernels.pop(self.name, None)
        with suppress(PlacementError, KernelUnresponsive):
            await self.host.call("end", self.name, patience=END_SECONDS)
        await self.place.release()


async def start_anywhere(fleet: Fleet, config: KernelConfig, placement: Ray) -> Placed:
    """Start a kernel where Ray has room for it.

    Raises:
        PlacementError: Ray has no room, or node after node was lost.
        KernelStartError: It could not be started there.
        ConfigError: It cannot be started as its configuration says.
    """
    sent = _for_node(config)

    async def start(host: Host, name: str) -> Born:
        born: Born = await host.call("start", fleet.owner, name, sent)
        return born

    for attempt in range(ATTEMPTS):
        place = await reserve(placement, avoid=fleet.lost(), near=fleet.newest)
        try:
            return await _bear(fleet, place, placement, start)
        except HostLost:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def branch_beside(
    fleet: Fleet, parent: Placed, config: KernelConfig, placement: Ray, query: Query
) -> tuple[Placed, list[str]]:
    """Branch a kernel, on its own node.

    Returns:
        The branch, and sentences on what did not come along.

    Raises:
        CodeModeError: The node has no room, the kernel refuses, or the branch did not come up.
    """
    lost: list[str] = []

    async def branch(host: Host, name: str) -> Born:
        sent = _for_node(config)
        ticket = await host.call("branch", fleet.owner, name, parent.name, sent)
        # What the kernel says goes no further than this.
        lost.extend(sentences(await query(Queries.FORK, exit_file=ticket)))
        born: Born = await host.call("go_on", name)
        return born

    place = await reserve(placement, node=parent.place.node)
    return await _bear(fleet, place, placement, branch), lost


async def _bear(
    fleet: Fleet,
    place: Reservation,
    placement: Ray,
    begin: Callable[[Host, str], Awaitable[Born]],
) -> Placed:
    name = uuid.uuid4().hex
    try:
        host = await fleet.host(place, placement)
        try:
            born = await begin(host, name)
        except BaseException:
            host.forget(name)
            raise
        host.kernels[name] = born.info
        return Placed(name, host, place, born)
    except BaseException:
        await place.release()
        raise


def _for_node(config: KernelConfig) -> KernelConfig:
    """Return a configuration as its node must see it, where this program's environment is not."""
    passed = {name: os.environ[name] for name in config.pass_env if name in os.environ}
    return dataclasses.replace(
        config, placement=None, warm=0, pass_env=(), env={**passed, **config.env}
    )
