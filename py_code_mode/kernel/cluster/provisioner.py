"""Kernels of a Ray cluster, for jupyter_client.

Place in the house: inside ``cluster``; registered as the entry point ``py-code-mode-ray``, so any
jupyter_client program can use it through a kernelspec. What it is asked goes to the host actor
of the kernel's node.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import Any

from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Bool, Dict, List, Unicode

from py_code_mode.config import KernelConfig
from py_code_mode.errors import CodeModeError, KernelUnresponsive
from py_code_mode.kernel.cluster.birth import Placed, start_anywhere
from py_code_mode.kernel.cluster.fleet import Fleet, fleet_of
from py_code_mode.kernel.cluster.host import HostLost
from py_code_mode.kernel.cluster.words import Ended
from py_code_mode.kernel.traces import Remains
from py_code_mode.placement import Ray

__all__ = ["RayProvisioner"]

PATIENCE = 5.0
"""Seconds a host may take to pass a signal on."""


class RayProvisioner(KernelProvisionerBase):
    """Starts a kernel on a node of a Ray cluster, and holds it."""

    address = Unicode(None, allow_none=True, help="As ``Ray.address``.").tag(config=True)
    resources = Dict(help="As ``Ray.resources``; empty: its default.").tag(config=True)
    spread = Bool(default_value=True, help="As ``Ray.spread``.").tag(config=True)
    packages = List(Unicode(), help="As ``Ray.packages``.").tag(config=True)

    placed: Placed | None = None
    ended: Ended | None = None
    _fleet: Fleet | None = None

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel."""
        return self.placed is not None and self.ended is None

    @property
    def remains(self) -> Remains:
        """What the kernel left, once it has ended."""
        return Remains() if self.ended is None else self.ended.remains

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Prepare nothing: command and environment are made up on the node."""
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel where Ray has room for it."""
        del cmd, kwargs
        bear: Callable[[], Awaitable[Placed]] = getattr(self.parent, "bear", self._bear)
        self.ended = None
        self.placed = await bear()
        self.connection_info = {**self.placed.born.info}  # type: ignore[typeddict-item]
        return self.connection_info

    async def _bear(self) -> Placed:
        """Start a kernel for a program that knows nothing of us."""
        options: dict[str, Any] = {"resources": self.resources} if self.resources else {}
        placement = Ray(address=self.address, spread=self.spread, packages=self.packages, **options)
        context: Any = getattr(self.parent, "context", None)
        fleet = self._fleet = await fleet_of(context, placement)
        return await start_anywhere(fleet, KernelConfig(placement=placement), placement)

    async def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        if self.placed is None:
            return 0
        if self.ended is None and self.placed.host.lost.done():
            await self.wait()
        return None if self.ended is None else _code(self.ended)

    async def wait(self) -> int | None:
        """Wait until it has ended, or is lost."""
        placed = self.placed
        if placed is not None and self.ended is None:
            try:
                self.ended = await placed.host.call("wait", placed.name)
            except HostLost as error:
                self.ended = Ended(None, Remains(why=f", for {error}"))
            except CodeModeError as error:
                self.ended = Ended(None, Remains(why=f": {error}"))
        return None if self.ended is None else self.ended.code

    async def send_signal(self, signum: int) -> None:
        """Send the kernel a signal; an interrupt comes to it also if its host does not answer."""
        if self.placed is None or self.ended is not None:
            return
        try:
            await self.placed.host.call("signal", self.placed.name, signum, patience=PATIENCE)
        except KernelUnresponsive:
            if signum == signal.SIGINT:
                self._request_interrupt()
        except HostLost:
            return  # it counts as ended

    def _request_interrupt(self) -> None:
        manager: Any = self.parent
        manager._connect_control_socket()
        request = manager.session.msg("interrupt_request", content={})
        manager.session.send(manager._control_socket, request)

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - jupyter_client's signature
        """End it now."""
        del restart
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - as above
        """Ask it to end."""
        del restart
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - as above
        """Remove what it has on its node, and give its place back."""
        placed, self.placed = self.placed, None
        if placed is not None:
            await placed.end()
        fleet, self._fleet = self._fleet, None
        if fleet is not None and fleet.is_empty() and not restart:
            await fleet.close()


def _code(ended: Ended) -> int:
    return 255 if ended.code is None else ended.code
