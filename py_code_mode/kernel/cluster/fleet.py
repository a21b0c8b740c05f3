"""The host actors that one executor has kernels on.

Place in the house: inside ``cluster``, above ``host`` and ``node``. An executor is known by its
zmq context, as in ``closing``: when that is closed, it leaves all its hosts.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import zmq

import py_code_mode
from py_code_mode.errors import ConfigError, KernelUnresponsive, PlacementError
from py_code_mode.kernel.closing import at_close
from py_code_mode.kernel.cluster.connection import (
    NAMESPACE,
    connect,
    disconnect,
    load_ray,
    translated,
)
from py_code_mode.kernel.cluster.host import Host, HostLost
from py_code_mode.kernel.cluster.node import NodeHost
from py_code_mode.kernel.cluster.reservation import Reservation
from py_code_mode.kernel.waiting import in_thread
from py_code_mode.placement import Ray

__all__ = ["Fleet", "fleet_of"]

MAX_CALLS = 10_000
"""Calls to a host at once: one waits for each kernel's end."""

JOIN_SECONDS = 120.0
"""For a host's worker to come up."""

PACKAGES_SECONDS = 900.0
"""The same where Ray installs packages first; itself it gives up after 600 s."""

KILL_CHILDREN = "RAY_kill_child_processes_on_worker_exit"
"""Ray's setting by which a worker that ends, for its raylet has died, kills its children: our
reaper would be among them, and kernels, which are their templates' children, would not."""

AVOID_SECONDS = 60.0
"""In which Ray will have found out that a node is lost; or it was not, and is tried again."""

ATTEMPTS = 10
"""To come to a host that is just about to end itself, for want of owners."""

_fleets: dict[Any, Fleet] = {}


async def fleet_of(context: zmq.Context[zmq.Socket[bytes]], placement: Ray) -> Fleet:
    """Return an executor's hosts; the first time the program joins the cluster.

    Raises:
        ConfigError: Ray is not installed, or the program is in another cluster.
        PlacementError: The cluster cannot be reached.
    """
    fleet = _fleets.get(context)
    if fleet is None:
        fleet = _fleets[context] = Fleet(context)
        at_close(context, fleet.close)
    await fleet.join(placement)
    return fleet


class Fleet:
    """Host actors of one owner.

    Args:
        context: That of the executor.

    Attributes:
        owner: Its name.
        newest: The node of the newest kernel.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._context = context
        self._hosts: dict[tuple[str, str], asyncio.Task[Host]] = {}
        self._joining: asyncio.Task[None] | None = None
        self.owner = uuid.uuid4().hex
        self._lost: dict[str, float] = {}
        self.newest: str | None = None

    async def join(self, placement: Ray) -> None:
        """Join the cluster, once."""
        joining = self._joining
        if joining is None or (joining.done() and not joining.cancelled() and joining.exception()):
            joining = asyncio.create_task(_in_thread_connect(placement), name="join the cluster")
            self._joining = joining
        await asyncio.shield(joining)

    async def host(self, place: Reservation, placement: Ray) -> Host:
        """Return the host of a node; the first time it is started.

        Raises:
            HostLost: The node was lost.
            PlacementError: The host does not come up.
            ConfigError: The node has another version of us.
        """
        wants = await in_thread(lambda: _runtime_env(placement))
        key = place.node, wants[0]
        known = self._hosts.get(key)
        if known is None or _is_lost(known):
            made = self._new(place, *wants, placement.lease)
            known = asyncio.create_task(made, name=f"host on {place.ip}")
            self._hosts[key] = known
        self.newest = place.node
        return await asyncio.shield(known)

    async def _new(
        self, place: Reservation, digest: str, env: dict[str, Any], lease: float
    ) -> Host:
        for attempt in range(ATTEMPTS):
            with translated(f"no host could be started on node {place.ip}"):
                actor = await in_thread(lambda: _actor(place, digest, env))
            host = Host(actor, self.owner, place.node, place.ip, self._context)
            try:
                patience = PACKAGES_SECONDS if "pip" in env else JOIN_SECONDS
                version = await host.call("join", self.owner, lease, patience=patience)
            except HostLost:
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0.2)
                continue
            except KernelUnresponsive as error:
                raise PlacementError(f"no host came up on node {place.ip}: {error}") from error
            if version != py_code_mode.__version__:
                await host.leave()
                raise ConfigError(
                    f"node {place.ip} has py-code-mode {version}, this program "
                    f"{py_code_mode.__version__}; they must be the same"
                )
            host.begin()
            host.lost.add_done_callback(functools.partial(self._forget, host, digest))
            return host
        raise AssertionError("unreachable")

    def lost(self) -> list[str]:
        """Nodes that fell silent a short while ago, which Ray may not know yet."""
        now = time.monotonic()
        return [node for node, until in self._lost.items() if until > now]

    def _forget(self, host: Host, digest: str, _: object) -> None:
        self._hosts.pop((host.node, digest), None)
        if host.is_silent:
            self._lost[host.node] = time.monotonic() + AVOID_SECONDS

    def is_empty(self) -> bool:
        """Whether no host has a kernel of ours, or is just about to."""
        return all(task.done() and not task.result().kernels for task in self._hosts.values())

    async def close(self) -> None:
        """Leave all hosts, and the cluster."""
        _fleets.pop(self._context, None)
        hosts, self._hosts = self._hosts, {}
        for task in hosts.values():
            if not task.done():
                task.cancel()
        done = await asyncio.gather(*hosts.values(), return_exceptions=True)
        await asyncio.gather(*(each.leave() for each in done if isinstance(each, Host)))
        if self._joining is not None:
            await asyncio.wait({self._joining})
            if not self._joining.cancelled() and self._joining.exception() is None:
                await in_thread(disconnect)


async def _in_thread_connect(placement: Ray) -> None:
    # Not in the main thread: there Ray would take SIGTERM over.
    await in_thread(lambda: connect(placement))


def _is_lost(host: asyncio.Task[Host]) -> bool:
    if not host.done():
        return False
    return host.cancelled() or host.exception() is not None or host.result().lost.done()


def _actor(place: Reservation, digest: str, env: dict[str, Any]) -> Any:
    ray = load_ray()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Detached: it outlives the program for as long as its lease says, for another to adopt.
    options = ray.remote(NodeHost).options(
        name=f"host-{place.node}-{digest}",
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=0,
        max_concurrency=MAX_CALLS,
        scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
        runtime_env=env,
    )
    return options.remote(place.ip)


def _runtime_env(placement: Ray) -> tuple[str, dict[str, Any]]:
    """Return what Ray must make ready, and a digest of it and of what else hosts must share."""
    env: dict[str, Any] = {"env_vars": {KILL_CHILDREN: "0"}}
    if placement.packages:
        env["pip"] = list(placement.packages)
    files: list[Any] = []
    if placement.working_dir is not None:  # which the host has of the program; see `connect`
        folder = Path(placement.working_dir).absolute()
        for path in sorted(folder.rglob("*")):
            about = path.lstat()
            files.append((str(path), about.st_size, about.st_mtime_ns))
    words = [py_code_mode.__version__, sys.version_info[:3], env, files]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16], env
