"""Where a kernel is launched: on this machine, or on a node of a cluster.

Place in the house: inside ``kernel``, above ``launch`` and ``cluster``, below ``process``; the only
place that asks.
"""

from __future__ import annotations

import zmq

from py_code_mode.config import KernelConfig
from py_code_mode.kernel.launch import launch as launch_here
from py_code_mode.kernel.launched import Launched

__all__ = ["launch"]


async def launch(config: KernelConfig, context: zmq.Context[zmq.Socket[bytes]]) -> Launched:
    """Start a kernel process; it is not yet ready.

    Args:
        config: How, and where.
        context: Its manager's.

    Raises:
        KernelStartError: It cannot be started; ``PlacementError`` if the cluster is why.
        ConfigError: It cannot be started as its configuration says.
    """
    if config.placement is None:
        return await launch_here(config, context)
    from py_code_mode.kernel.cluster.kernel import launch as launch_far

    return await launch_far(config, config.placement, context)
