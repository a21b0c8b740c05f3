"""What the host holds for a kernel that does not read is bounded."""

from __future__ import annotations

import asyncio

import pytest
import zmq

from kernel_bootstrap.wire.messages import Method
from kernel_bootstrap.wire.sockets import receive_frames, send_frames
from py_code_mode import backlog
from py_code_mode.backlog import Backlog

PIECE = 4_000_000


@pytest.fixture
def sockets(tmp_path):
    """Two ends of a connection; the second does not read by itself."""
    context = zmq.Context()
    near, far = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    far.rcvhwm = 1
    far.bind(f"ipc://{tmp_path}/socket")
    near.connect(f"ipc://{tmp_path}/socket")
    near.sndhwm = 0
    yield near, far
    for socket in (near, far):
        socket.close(linger=0)
    context.term()


async def test_nothing_is_served_while_too_much_is_unread(sockets, monkeypatch):
    """A request waits until what was answered before has left, and no longer."""
    near, far = sockets
    monkeypatch.setattr(backlog, "MOST", PIECE)
    waiting = Backlog()
    for _ in range(5):
        send_frames(near, waiting.counted([b"small", bytes(PIECE), bytearray(PIECE)]))

    async def serve() -> str:
        async with waiting.turn(Method.TOOLS_CALL):
            return "served"

    asked = asyncio.create_task(serve())
    assert not (await asyncio.wait([asked], timeout=0.2))[0]
    for _ in range(5):
        assert await asyncio.to_thread(far.poll, 5_000)
        assert [len(frame.bytes) for frame in receive_frames(far)] == [5, PIECE, PIECE]
    assert await asyncio.wait_for(asked, 5) == "served"
    async with asyncio.timeout(5):
        while waiting._held:
            await asyncio.sleep(0.005)


async def test_few_bulky_requests_are_served_at_once():
    """Reads of artifacts take turns, so that their answers do not pile up; tools need not wait."""
    waiting = Backlog()
    served, most = [0], [0]

    async def read() -> None:
        async with waiting.turn(Method.ARTIFACTS_READ):
            served[0] += 1
            most[0] = max(most[0], served[0])
            await asyncio.sleep(0)
            served[0] -= 1

    await asyncio.gather(*(read() for _ in range(100)))
    assert most[0] == 8
