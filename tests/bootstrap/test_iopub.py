"""Iopub: many senders, one socket, and signals in the midst of messages."""

from __future__ import annotations

import collections
import gc
import signal
import threading
from collections.abc import Iterator

import pytest
import zmq
from jupyter_client.session import DELIM

from kernel_bootstrap.kernel.interrupts import Interrupts
from kernel_bootstrap.kernel.iopub import DirectIOPub
from kernel_bootstrap.kernel.session import KernelSession

KEY = b"a key"
END = b"end"


class Wire:
    """A kernel's iopub, and a client that listens to it."""

    def __init__(self, address: str) -> None:
        self.context = zmq.Context()
        socket = self.context.socket(zmq.XPUB)
        socket.linger = 0
        socket.setsockopt(zmq.XPUB_NODROP, 1)
        socket.bind(address)
        self.address = address
        self.iopub = DirectIOPub(socket, KernelSession(key=KEY))
        self.iopub.start()
        self.client = self.subscribe()
        self.welcome = self.client.recv_multipart()

    def subscribe(self, topic: bytes = b"") -> zmq.Socket:
        """Another client."""
        client = self.context.socket(zmq.SUB)
        client.linger = 0
        client.rcvtimeo = 10_000
        client.connect(self.address)
        client.subscribe(topic)
        return client

    def received(self) -> list[list[bytes]]:
        """All messages up to the one that says end."""
        messages = []
        while (message := self.client.recv_multipart()) != [END]:
            messages.append(message)
        return messages

    def close(self) -> None:
        """Leave nothing behind."""
        self.iopub.stop()
        self.iopub.close()
        self.context.destroy(linger=0)


@pytest.fixture
def wire(tmp_path) -> Iterator[Wire]:
    """An iopub with one client, which has been welcomed."""
    made = Wire(f"ipc://{tmp_path}/s")
    yield made
    made.close()


def read(frames: list[bytes]) -> dict:
    """A message as a client of Jupyter reads it."""
    return KernelSession(key=KEY).deserialize(frames[frames.index(DELIM) + 1 :])


def test_a_new_subscriber_is_welcomed(wire):
    """A client hears, signed, that it is heard from now on; with its topic, if it has one."""
    assert read(wire.welcome)["msg_type"] == "iopub_welcome"
    late = wire.subscribe(b"kernel")
    frames = late.recv_multipart()
    assert frames[0] == b"kernel"
    assert read(frames)["content"] == {"subscription": "kernel"}
    late.close()


def test_a_subscriber_is_welcomed_while_messages_flow(wire):
    """The edge that announces a subscriber is not lost in a flood of sends."""
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            wire.iopub.send_multipart([b"flood", b"x"])

    def drain():
        while not stop.is_set():
            wire.client.poll(10) and wire.client.recv_multipart()

    threads = [threading.Thread(target=flood), threading.Thread(target=drain)]
    for thread in threads:
        thread.start()
    try:
        for number in range(20):
            late = wire.subscribe(b"topic%d" % number)
            assert late.recv_multipart()[0] == b"topic%d" % number
            late.close()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_threads_do_not_mix_their_messages(wire):
    """Eight threads at once: every message whole, those of each thread in order."""

    def send(name: int) -> None:
        for number in range(200):
            wire.iopub.send_multipart([b"%d" % name, b"%d" % number, b"tail"])

    threads = [threading.Thread(target=send, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    seen = collections.defaultdict(list)
    for _ in range(8 * 200):
        name, number, tail = wire.client.recv_multipart()
        assert tail == b"tail"
        seen[name].append(int(number))
    for thread in threads:
        thread.join()
    assert all(numbers == list(range(200)) for numbers in seen.values())


class Interrupt(Exception):
    """What the signal handlers of these tests raise."""


@pytest.fixture
def alarms():
    """Signals every half millisecond, to the handler that the test gives."""
    before = signal.getsignal(signal.SIGALRM)

    def start(handler):
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)

    gc.disable()  # its callbacks would swallow what the handlers raise
    yield start
    gc.enable()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_interrupt_costs_at_most_the_message_it_hits(wire, alarms):
    """Whatever exceptions cut sends off, the messages after them arrive whole."""
    hits, sent, armed, got = 0, 0, False, []

    def handler(*_):
        nonlocal armed
        if armed:
            armed = False
            raise Interrupt

    alarms(handler)
    while hits < 300:
        try:
            armed = True
            wire.iopub.send_multipart([b"%d" % sent, *[b"part"] * 20, b"tail"])
            armed = False
        except Interrupt:
            hits += 1
        sent += 1
        while wire.client.poll(0):
            got.append(wire.client.recv_multipart())
    signal.setitimer(signal.ITIMER_REAL, 0)
    wire.iopub.send_multipart([END])
    got += wire.received()
    whole = [frames for frames in got if len(frames) == 22 and frames[-1] == b"tail"]
    assert len(whole) >= sent - hits
    numbers = [int(frames[0]) for frames in whole]
    assert numbers == sorted(set(numbers))


def test_a_signal_handler_may_publish(wire, alarms):
    """A handler that publishes in the midst of a message neither breaks nor loses either."""
    inner, outer = 0, 0

    def handler(*_):
        nonlocal inner
        inner += 1
        wire.iopub.send_multipart([b"inner", b"tail"])

    alarms(handler)
    got = []
    while inner < 300:
        wire.iopub.send_multipart([b"outer", *[b"part"] * 20, b"tail"])
        outer += 1
        while wire.client.poll(0):
            got.append(wire.client.recv_multipart())
    signal.setitimer(signal.ITIMER_REAL, 0)
    wire.iopub.send_multipart([END])
    got += wire.received()
    kinds = collections.Counter((frames[0], len(frames), frames[-1]) for frames in got)
    assert kinds == {(b"inner", 2, b"tail"): inner, (b"outer", 22, b"tail"): outer}


def test_after_the_end_messages_are_dropped(wire):
    """Late threads that publish while the kernel ends disturb nothing."""
    wire.iopub.stop()
    wire.iopub.close()
    wire.iopub.send_multipart([b"late"])


@pytest.fixture
def sigint():
    """SIGINT handled as while a cell runs, with a lock it must wait for."""
    mine, lock = Interrupts(), threading.RLock()
    mine.wait_while(lock._is_owned)
    before = signal.signal(signal.SIGINT, mine.handle)
    yield mine, lock
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_until_output_is_handed_over(sigint):
    """SIGINT inside the lock is raised when the outermost holder says so, once."""
    interrupts, lock = sigint
    with lock:
        with lock:
            signal.raise_signal(signal.SIGINT)
        interrupts.raise_pending()
    with pytest.raises(KeyboardInterrupt):
        interrupts.raise_pending()
    interrupts.raise_pending()


def test_an_interrupt_outside_the_lock_raises_at_once(sigint):
    """Also while another thread holds the lock: only the main thread's own work is protected."""
    _, lock = sigint
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        done.set()
        thread.join()


def test_an_interrupt_that_came_too_late_is_dropped(sigint):
    """What waited when its cell ended hits no later cell."""
    interrupts, lock = sigint
    with lock:
        signal.raise_signal(signal.SIGINT)
    interrupts.forget()
    interrupts.raise_pending()
