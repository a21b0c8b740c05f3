"""A kernel's channel: what arrives is read, in order, whatever is sent meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import zmq
from tornado.ioloop import IOLoop
from zmq.eventloop.zmqstream import ZMQStream

from kernel_bootstrap.kernel.channel import ChannelStream
from kernel_bootstrap.kernel.interrupts import is_waiting
from tests.bootstrap.fakes import eventually


class Wire:
    """A channel with one client."""

    def __init__(self, address: str) -> None:
        self.context = zmq.Context()
        socket = self.context.socket(zmq.ROUTER)
        socket.bind(address)
        self.stream = ChannelStream.instead_of(ZMQStream(socket, IOLoop.current()))
        self.client = self.context.socket(zmq.DEALER)
        self.client.connect(address)
        self.received: list[list[bytes]] = []

    def take(self, frames) -> None:
        """Remember a message without its identity."""
        self.received.append([frame.bytes for frame in frames[1:]])

    async def until(self, count: int) -> None:
        """Wait for a number of messages."""
        async with asyncio.timeout(10):
            while len(self.received) < count:
                await asyncio.sleep(0.001)


@pytest.fixture
async def wire(tmp_path) -> AsyncIterator[Wire]:
    """A channel that reads."""
    made = Wire(f"ipc://{tmp_path}/s")
    made.stream.on_recv(made.take, copy=False)
    yield made
    made.stream.close()
    made.context.destroy(linger=0)


async def test_messages_arrive_in_order(wire):
    """Two thousand messages, of one part and of many, small and large."""
    sent = [[b"%d" % n, *[b"x" * (n % 7 * 20_000)] * (n % 3)] for n in range(2_000)]
    for message in sent:
        wire.client.send_multipart(message)
    await wire.until(len(sent))
    assert wire.received == sent


async def test_sending_does_not_lose_what_arrives(wire):
    """Each answer may swallow the sign that a message has come; none is left unread."""
    identity: list[bytes] = []

    def answer(frames) -> None:
        identity[:] = [frames[0].bytes]
        wire.take(frames)
        wire.stream.send_multipart([identity[0], b"answer"])

    wire.stream.on_recv(answer, copy=False)
    for n in range(500):
        wire.client.send_multipart([b"%d" % n])
        if n % 3 == 0 and identity:
            wire.stream.send_multipart([identity[0], b"by itself"])
        if n % 50 == 0:
            await asyncio.sleep(0)
    await wire.until(500)
    assert [message[0] for message in wire.received] == [b"%d" % n for n in range(500)]
    eventually(lambda: wire.client.poll(0))


async def test_a_coroutine_may_take_messages(wire):
    """What a callback returns to be awaited is awaited, in the loop."""

    async def take(frames) -> None:
        await asyncio.sleep(0)
        wire.take(frames)

    wire.stream.on_recv(take, copy=False)
    wire.client.send_multipart([b"a"])
    await wire.until(1)


async def test_nothing_is_read_before_somebody_wants_it(wire):
    """Without a callback messages wait in the socket, and come when there is one."""
    wire.stream.on_recv(None)
    wire.client.send_multipart([b"early"])
    await asyncio.sleep(0)
    wire.stream.flush()
    assert wire.received == []
    wire.stream.on_recv(wire.take, copy=False)
    await wire.until(1)


async def test_reading_counts_as_waiting(wire):
    """An interrupt that comes while a message is read cancels the cell and raises nowhere."""
    seen: list[bool] = []
    wire.stream.on_recv(lambda _: seen.append(is_waiting(sys._getframe())), copy=False)
    wire.client.send_multipart([b"a"])
    async with asyncio.timeout(10):
        while not seen:
            await asyncio.sleep(0.001)
    assert seen == [True]
    assert not is_waiting(sys._getframe())
