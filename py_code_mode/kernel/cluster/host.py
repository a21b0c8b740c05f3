"""A program's side of one host actor: calls it, renews its lease, notices when it is lost.

Place in the house: inside ``cluster``, above ``words``. A host is lost when Ray says that its actor
is dead, or when neither it nor any of its kernels gives a sign: a link that is cut says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import zmq
import zmq.asyncio

from py_code_mode.errors import KernelUnresponsive, PlacementError
from py_code_mode.kernel.cluster.connection import load_ray, translated
from py_code_mode.kernel.cluster.words import Failure

__all__ = ["Host", "HostLost"]

RENEW_SECONDS = 2.0

SILENCE_SECONDS = 3.0
"""How long a host may not answer before its kernels are asked themselves."""

BEAT_SECONDS = 2.0
"""How long a kernel's heartbeat may take then."""


class HostLost(PlacementError):  # noqa: N818 - beside `SessionLost`
    """The host, and all kernels it had, are gone or out of reach."""


class Host:
    """One host actor.

    Args:
        actor: Ray's handle of it.
        owner: The name by which it knows us.
        node: Ray's id of its node.
        ip: The node's address.
        context: For heartbeats.

    Attributes:
        kernels: Those of ours that it has, and how they are connected to.
        lost: Done when it is lost, with the reason.
        is_silent: Whether the reason is that it gives no sign, which Ray may not know yet.
    """

    def __init__(
        self, actor: Any, owner: str, node: str, ip: str, context: zmq.Context[zmq.Socket[bytes]]
    ) -> None:
        self._actor, self._owner, self._context = actor, owner, context
        self.node, self.ip = node, ip
        self.kernels: dict[str, Mapping[str, Any]] = {}
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.is_silent = False
        self._renewing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to renew the lease."""
        self._renewing = asyncio.create_task(self._renew(), name=f"lease on {self.ip}")

    async def call(self, method: str, *arguments: Any, patience: float | None = None) -> Any:
        """Call the actor.

        Args:
            method: What.
            *arguments: With what.
            patience: Seconds it may take; None: as long as it takes.

        Raises:
            HostLost: It is lost.
            KernelUnresponsive: It has not answered in time.
            CodeModeError: What it answered with.
        """
        if self.lost.done():
            raise HostLost(self._words())
        asking = asyncio.ensure_future(self._ask(method, arguments))
        try:
            await asyncio.wait(
                {asking, self.lost}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            if asking.done():
                answer = asking.result()
            elif self.lost.done():
                raise HostLost(self._words())
            else:
                raise KernelUnresponsive(f"node {self.ip} has not answered in {patience:g} s")
        finally:
            asking.cancel()
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    async def _ask(self, method: str, arguments: tuple[Any, ...]) -> Any:
        gone = load_ray().exceptions
        with translated(f"node {self.ip} does not do what it should"):
            while True:
                try:
                    return await getattr(self._actor, method).remote(*arguments)
                except gone.ActorUnavailableError:
                    # It may be back: whether it is lost is decided where the lease is renewed.
                    await asyncio.sleep(RENEW_SECONDS / 4)
                except (gone.RayActorError, gone.ActorUnschedulableError) as error:
                    self.lose(f"its host has ended ({type(error).__name__})")
                    raise HostLost(self._words()) from error

    def forget(self, kernel: str) -> None:
        """Let a kernel be ended, whatever becomes of it; never waits."""
        self.kernels.pop(kernel, None)
        if not self.lost.done():
            with suppress(PlacementError), translated(""):
                self._actor.end.remote(kernel)

    def lose(self, why: str) -> None:
        """Take it for lost; whoever waits for it hears it now."""
        if not self.lost.done():
            self.lost.set_result(why)

    def _words(self) -> str:
        return f"node {self.ip} was lost: {self.lost.result()}"

    async def _renew(self) -> None:
        while not self.lost.done():
            await asyncio.sleep(RENEW_SECONDS)
            try:
                if not await self.call("renew", self._owner, patience=SILENCE_SECONDS):
                    self.lose("it had heard nothing from this program for too long")
            except KernelUnresponsive:
                if not await self._any_beats():
                    self.is_silent = True
                    self.lose("it gives no sign")
            except PlacementError as error:
                self.lose(str(error))

    async def _any_beats(self) -> bool:
        """Whether a heart of its kernels beats: a node with much to do may be slow to answer."""
        some = list(self.kernels.values())[-3:]
        beats = await asyncio.gather(*(_beats(self._context, info) for info in some))
        return any(beats)

    async def leave(self) -> None:
        """Let go of it; kernels that are left there are ended."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})
        with suppress(PlacementError, KernelUnresponsive):
            await self.call("leave", self._owner, patience=10)
        self.lose("it was left")


async def _beats(context: zmq.Context[zmq.Socket[bytes]], info: Mapping[str, Any]) -> bool:
    """Whether a kernel's heartbeat answers."""
    socket = zmq.asyncio.Context.shadow(context.underlying).socket(zmq.DEALER)
    socket.linger = 0
    try:
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = info["curve_publickey"].encode()
        socket.connect(f"tcp://{info['ip']}:{info['hb_port']}")
        await socket.send(b"?")
        return bool(await socket.poll(int(BEAT_SECONDS * 1000)))
    finally:
        socket.close()
