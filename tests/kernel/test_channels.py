"""The reader of a kernel's sockets, fed by real sockets of a kernel that is hostile."""

from __future__ import annotations

import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import DELIM

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import VALUE_MIME
from py_code_mode.kernel.channels import Channels
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.transcript import Transcript
from tests.kernel.scripts import IDLE, REPLY, Step, display, stream

NAMES = ("iopub", "shell", "control")


class Kernel:
    """The kernel's side of three sockets, and what the host's side received from them."""

    def __init__(self, directory: Path, context: zmq.Context) -> None:
        self.manager = AsyncKernelManager(
            transport="ipc", ip=str(directory / "s"), connection_file=str(directory / "k.json")
        )
        self.sockets: dict[str, zmq.Socket] = {}
        for port, name in enumerate(NAMES, 1):
            setattr(self.manager, f"{name}_port", port)
            socket = context.socket(zmq.XPUB if name == "iopub" else zmq.ROUTER)
            socket.linger = 0
            socket.sndhwm = 0
            socket.bind(f"ipc://{directory}/s-{port}")
            self.sockets[name] = socket
        self.received: list[tuple[str, JupyterMessage]] = []
        self.react: Callable[[JupyterMessage], object] = lambda message: None
        self.channels = Channels(self.manager, context, self._receive, max_bytes=10_000_000)

    def _receive(self, channel: str, message: JupyterMessage) -> None:
        self.received.append((channel, message))
        self.react(message)

    async def subscribed(self) -> None:
        """Wait until the host listens to iopub."""
        async with asyncio.timeout(10):
            while not self.sockets["iopub"].poll(0):
                await asyncio.sleep(0.002)
        self.sockets["iopub"].recv()

    def frames(self, msg_type: str, content: bytes | dict) -> list[bytes]:
        """A signed message; ``content`` may be the JSON text itself."""
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        header = json.dumps({"msg_type": msg_type, "msg_id": "m"}).encode()
        parts = [header, b'{"msg_id": "cell-1"}', b"{}", text]
        return [b"topic", DELIM, self.manager.session.sign(parts), *parts]

    def publish(self, *steps: Step) -> None:
        """Send messages on iopub."""
        for step in steps:
            self.sockets["iopub"].send_multipart(self.frames(*step))

    async def until(self, count: int) -> list[str]:
        """Wait for a number of messages; return all types received."""
        async with asyncio.timeout(8):
            while len(self.received) < count:
                await asyncio.sleep(0.002)
        return [message.msg_type for _, message in self.received]

    async def until_last(self, msg_type: str) -> list[str]:
        """Wait for a message of a type; return all types received."""
        async with asyncio.timeout(8):
            while not self.received or self.received[-1][1].msg_type != msg_type:
                await asyncio.sleep(0.002)
        return [message.msg_type for _, message in self.received]


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    """Makes sockets."""
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
async def kernel(context):
    """A kernel of sockets only, with a host connected to it."""
    with tempfile.TemporaryDirectory(prefix="pcm-", dir="/tmp") as directory:
        made = Kernel(Path(directory), context)
        await made.subscribed()
        yield made
        made.channels.close()


async def test_messages_travel_both_ways(kernel):
    """What is sent on a channel arrives there signed, and answers come back under its name."""
    for name in ("shell", "control"):
        sent = kernel.channels.send(
            name, "some_request", {"a": 1}, metadata={"m": 2}, buffers=[b"x"]
        )
        async with asyncio.timeout(10):
            while not kernel.sockets[name].poll(0):
                await asyncio.sleep(0.002)
        session = kernel.manager.session
        idents, message = session.recv(kernel.sockets[name], mode=zmq.NOBLOCK)
        assert message["header"]["msg_id"] == sent
        assert (message["content"], message["metadata"]) == ({"a": 1}, {"m": 2})
        assert [bytes(buffer) for buffer in message["buffers"]] == [b"x"]
        session.send(kernel.sockets[name], "some_reply", {"b": 1}, message, ident=idents)
        await kernel.until_last("some_reply")
        channel, answer = kernel.received.pop()
        assert (channel, answer.parent_id, answer.content) == (name, sent, {"b": 1})
    kernel.publish(stream("x"))
    await kernel.until(1)
    assert kernel.received[0][0] == "iopub"


def malformed(kernel: Kernel) -> list[list[bytes]]:
    """Messages that are none."""
    good = kernel.frames("stream", {"name": "stdout", "text": "x"})
    bad_header = [b'"text"', b"{}", b"{}", b"{}"]
    return [
        [b"topic"],
        [b"topic", DELIM],
        [*good[:2], b"wrong signature", *good[3:]],
        [*good[:2], b"\xff\xfe", *good[3:]],
        good[:5],
        [*good[:-1], b'{"name": "forged"}'],
        kernel.frames("stream", b"{"),
        kernel.frames("stream", b"\xff"),
        kernel.frames("stream", b"[1]"),
        kernel.frames("stream", b'{"n": ' + b"9" * 10_000 + b"}"),
        kernel.frames("stream", b"[" * 100_000),
        kernel.frames("stream", b'{"a":' * 100_000),
        [b"topic", DELIM, kernel.manager.session.sign(bad_header), *bad_header],
    ]


async def test_malformed_messages_are_dropped(kernel):
    """Garbage, wrong signatures and forged contents are dropped, and reading goes on."""
    for frames in malformed(kernel):
        kernel.sockets["iopub"].send_multipart(frames)
    kernel.publish(IDLE)
    assert await kernel.until_last("status") == ["status"]


def nested(depth: int, kind: str) -> bytes:
    """JSON as deep as ``depth``."""
    if kind == "list":
        return b"[" * depth + b"]" * depth
    return b'{"a":' * depth + b"1" + b"}" * depth


DEEP: dict[str, Step] = {
    "stream": ("stream", {"name": "stdout", "text": "DEEP"}),
    "display": display({"application/x+json": "DEEP"}),
    "metadata": ("display_data", {"data": {"text/plain": "x"}, "metadata": "DEEP"}),
    "update": display({"application/x+json": "DEEP"}, "d", "update_display_data"),
    "result": ("execute_result", {"data": {"application/x+json": "DEEP"}}),
    "value": ("execute_result", {"data": {VALUE_MIME: {"v": 1, "value": "DEEP"}}}),
    "remote": ("execute_result", {"data": {VALUE_MIME: {"remote": {"repr": "DEEP"}}}}),
    "ename": ("error", {"ename": "DEEP"}),
    "evalue": ("error", {"evalue": "DEEP"}),
    "traceback": ("error", {"traceback": ["DEEP"]}),
    "status": ("execute_reply", {"status": "DEEP"}),
    "page": (
        "execute_reply",
        {"status": "ok", "payload": [{"source": "page", "data": {"application/x+json": "DEEP"}}]},
    ),
}


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("step", DEEP.values(), ids=DEEP.keys())
async def test_deeply_nested_messages_do_no_harm(kernel, step, kind):
    """JSON as deep as the parser takes it is more than other functions can walk: no matter."""
    errors: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: errors.append(told))
    results: list[object] = []

    def react(message: JupyterMessage) -> None:
        if message.msg_type == "clear_output":  # marks the end
            return
        transcript = Transcript(Limits())
        for each in (display({"text/plain": "x"}, "d"), REPLY, IDLE):
            transcript.feed(JupyterMessage(each[0], "cell-1", each[1], {}, []))
        transcript.feed(message)
        result = transcript.result(seconds=0)
        json.dumps(result.to_dict())
        results.append(result.text)

    kernel.react = react
    msg_type, content = step
    text = json.dumps(content).encode()
    for depth in (*range(800, 1_000, 2), 5_000, 20_000):
        deep = text.replace(b'"DEEP"', nested(depth, kind))
        kernel.sockets["iopub"].send_multipart(kernel.frames(msg_type, deep))
    kernel.publish(("clear_output", {}))
    await kernel.until_last("clear_output")
    assert errors == []
    assert all(isinstance(result, str) for result in results)


async def test_an_error_in_the_receiver_does_not_end_the_reading(kernel):
    """When handling one message raises, those behind it are read all the same."""
    errors: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: errors.append(told))

    def react(message: JupyterMessage) -> None:
        if message.msg_type == "stream":
            raise RuntimeError("a bug of ours")

    kernel.react = react
    kernel.publish(*(stream(str(n)) for n in range(1_000)), IDLE)
    assert await kernel.until_last("status") == ["stream"] * 1_000 + ["status"]
    assert len(errors) == 1_000


@pytest.mark.alone
async def test_a_burst_leaves_the_loop_responsive(kernel):
    """While a long burst is read, other tasks get their turn."""
    kernel.publish(*(stream("x" * 100) for _ in range(20_000)), IDLE)
    # The time of this thread, not the clock's: others may use the machine as well. What other tests
    # have left in this process is not looked through meanwhile: that alone may take a second.
    gc.collect()
    gc.freeze()
    longest, last = 0.0, time.thread_time()
    async with asyncio.timeout(30):
        while not kernel.received or kernel.received[-1][1].msg_type != "status":
            await asyncio.sleep(0)
            longest, last = max(longest, time.thread_time() - last), time.thread_time()
    assert len(kernel.received) == 20_001
    assert longest < 0.5


async def test_after_closing_nothing_is_read_or_sent(kernel):
    """Closed channels send nothing, read nothing, and can be closed again."""
    kernel.channels.close()
    kernel.publish(IDLE)
    assert kernel.channels.send("shell", "some_request", {}) == ""
    kernel.channels.drain()
    kernel.channels.close()
    assert kernel.received == []
