"""A place for one kernel: Ray chooses the node, and sets resources aside there.

Place in the house: inside ``cluster``. It is a placement group of one bundle, which costs no
worker. Which node it is on is Ray's decision; nothing of a scheduler is written here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from py_code_mode.errors import PlacementError
from py_code_mode.kernel.cluster.connection import load_ray, translated
from py_code_mode.kernel.waiting import in_thread
from py_code_mode.placement import Ray

__all__ = ["Reservation", "reserve"]

NODE = "ray.io/node-id"
"""Label that Ray gives each node."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A place on a node.

    Attributes:
        group: Ray's placement group.
        node: Ray's id of the node.
        ip: The node's address.
    """

    group: Any
    node: str
    ip: str

    async def release(self) -> None:
        """Give it back."""
        await _remove(self.group)


async def reserve(
    placement: Ray,
    *,
    avoid: Collection[str] = (),
    node: str | None = None,
    near: str | None = None,
) -> Reservation:
    """Wait for a place.

    Args:
        placement: What it must have.
        avoid: Nodes that are lost, which Ray may not know yet.
        node: The only one that will do; None: any.
        near: The one to fill up first, if sessions are not to be spread.

    Raises:
        PlacementError: There is none in time.
    """
    load_ray()
    from ray.util.placement_group import placement_group

    # A group of one is spread as against all others; filling up is a hint, which is Ray's private.
    hint = None if placement.spread or near in avoid else near
    chosen = node or (f"!in({','.join(avoid)})" if avoid else None)
    with translated("Ray takes no reservation"):
        group = await in_thread(
            lambda: placement_group(
                [dict(placement.resources)],
                strategy="SPREAD" if placement.spread else "STRICT_PACK",
                _soft_target_node_id=hint,
                bundle_label_selector=[{NODE: chosen}] if chosen else None,
            )
        )
        try:
            return await _settled(group, placement, node)
        except BaseException:
            await _remove(group)
            raise


async def _settled(group: Any, placement: Ray, node: str | None) -> Reservation:
    try:
        async with asyncio.timeout(placement.timeout):
            await group.ready()
    except TimeoutError:
        raise PlacementError(await in_thread(lambda: _no_room(placement, node))) from None
    where = await in_thread(lambda: _node_of(group))
    if where is None:
        raise PlacementError("the node that Ray chose was lost at once")
    return Reservation(group, *where)


def _node_of(group: Any) -> tuple[str, str] | None:
    import ray

    (node,) = ray.util.placement_group_table(group)["bundles_to_node_id"].values()
    ips = {each["NodeID"]: each["NodeManagerAddress"] for each in ray.nodes() if each["Alive"]}
    return (node, ips[node]) if node in ips else None


def _no_room(placement: Ray, node: str | None) -> str:
    """Say what was asked for and what there is."""
    import ray

    rows = []
    for each in ray.nodes():
        if each["Alive"] and node in (None, each["NodeID"]):
            has = {name: each["Resources"].get(name, 0) for name in placement.resources}
            rows.append(f"{each['NodeManagerAddress']} has {_shown(has)}")
    free = ray.available_resources()
    left = _shown({name: free.get(name, 0) for name in placement.resources})
    return (
        f"no node had {_shown(placement.resources)} free within {placement.timeout:g} s: "
        f"{'; '.join(rows) or 'no node is alive'}, in all, used or not; free in all: {left}"
    )


def _shown(resources: Any) -> str:
    return ", ".join(f"{name} {amount:g}" for name, amount in sorted(resources.items()))


async def _remove(group: Any) -> None:
    from ray.util.placement_group import remove_placement_group

    def remove() -> None:
        with translated("a reservation could not be given back"):
            remove_placement_group(group)

    try:
        await asyncio.shield(in_thread(remove))
    except PlacementError:  # the cluster is gone, and the place with it
        return
