"""The link: one request out, one future back, from any thread, with no kernel."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from kernel_bootstrap.link import Link
from kernel_bootstrap.wire.errors import (
    CROSSING,
    CodeModeError,
    ToolCallError,
    ToolError,
    ValueNotEncodableError,
)
from kernel_bootstrap.wire.messages import Failure, Reply
from tests.bootstrap.fakes import HOLD, eventually, methods


def echo(request):
    """Give back the parameters."""
    return dict(request.params)


def hold(request):
    """Never answer."""
    return HOLD


def test_a_call_returns_what_the_host_answers(make_host):
    """A call carries its method and parameters out and brings the value back, types kept."""
    host = make_host(echo)
    sent = {"a": (1, 2), "b": b"\0" * 5000, "method": "any name", "self": {1: None}}
    assert host.link.call("some.method", **sent) == sent
    assert [(r.id, r.method, dict(r.params)) for r in host.requests] == [(1, "some.method", sent)]


def test_fifty_threads_never_mix_up_replies(make_host):
    """Requests from fifty threads each get the answer to their own question."""
    host = make_host(lambda request: request.params["n"])

    def ask(n: int) -> list[int]:
        futures = [host.link.request("echo", n=[n, i]) for i in range(20)]
        return [future.result(10) for future in futures]

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert answers == [[[n, i] for i in range(20)] for n in range(50)]
    assert len({request.id for request in host.requests}) == 1000
    assert host.link._pending == {}
    assert host.cancelled == []


def test_replies_may_come_in_any_order(make_host):
    """Answers given backwards reach the requests they belong to."""
    host = make_host(hold)
    futures = [host.link.request("ask", n=n) for n in range(5)]
    eventually(lambda: len(host.requests) == 5)
    for request in reversed(host.requests):
        host.reply(request.id, request.params["n"])
    assert [future.result(5) for future in futures] == [0, 1, 2, 3, 4]


def test_replies_to_nothing_are_dropped(make_host):
    """A reply nobody waits for, a second one, and a late one after a cancel do no harm."""
    host = make_host(hold)
    host.reply(999, "to nobody")
    future = host.link.request("ask")
    host.reply(1, "first")
    host.reply(1, "second")
    assert future.result(5) == "first"
    given_up = host.link.request("ask")
    assert given_up.cancel()
    host.reply(2, "too late")
    later = host.link.request("ask")
    host.reply(3, "fine")
    assert later.result(5) == "fine"
    assert given_up.cancelled()


def test_cancelling_a_future_tells_the_host_once(make_host):
    """A cancelled request is cancelled on the host once; an answered one is not."""
    host = make_host(lambda request: HOLD if request.method == "hold" else 1)
    future = host.link.request("hold")
    assert future.cancel()
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result()
    answered = host.link.request("answer")
    assert answered.result(5) == 1
    assert not answered.cancel()
    eventually(lambda: len(host.requests) == 2)
    assert host.cancelled == [1]
    assert host.link._pending == {}


def test_an_interrupt_of_a_blocked_call_cancels_it(make_host, interrupting):
    """SIGINT breaks a call that waits, and the host hears that nobody waits any more."""
    host = make_host(hold)
    with interrupting(lambda: host.requests):
        host.link.call("forever")
    eventually(lambda: host.cancelled == [1])
    assert host.link._pending == {}


def test_an_interrupt_while_sending_cancels_what_was_sent():
    """An interrupt that comes when the message has left still cancels the work on the host."""
    sent = []

    def send(data, buffers):
        sent.append(data["kind"])
        if data["kind"] == "request":
            raise KeyboardInterrupt

    link = Link(send)
    with pytest.raises(KeyboardInterrupt):
        link.call("slow")
    assert sent == ["request", "cancel"]
    assert link._pending == {}


@pytest.mark.parametrize("name", sorted(CROSSING))
def test_a_failure_becomes_the_class_it_was(make_host, name):
    """Each class that may cross is raised again, with its message and its details."""

    def fail(request):
        raise CROSSING[name]("why it failed", exit_code=3, near=["a", "b"])

    host = make_host(fail)
    with pytest.raises(CROSSING[name]) as caught:
        host.link.call("fail")
    assert type(caught.value) is CROSSING[name]
    assert str(caught.value) == "why it failed"
    assert caught.value.details == {"exit_code": 3, "near": ["a", "b"]}
    assert caught.value.exit_code == 3
    with pytest.raises(AttributeError):
        _ = caught.value.nothing_of_that_name


def test_a_failure_of_an_unknown_class_is_the_root():
    """A failure whose class this side does not know is a ``CodeModeError``."""
    link = Link(lambda data, buffers: None)
    future = link.request("ask")
    threading.Thread(
        target=link.deliver, args=(Reply(1, failure=Failure("OSError", "whatever")),)
    ).start()
    with pytest.raises(CodeModeError, match="whatever") as caught:
        future.result(5)
    assert type(caught.value) is CodeModeError


def test_what_cannot_cross_is_refused_before_it_is_sent(make_host):
    """A parameter that cannot cross is refused by name: nothing is sent, nothing waits."""
    host = make_host(echo)
    with pytest.raises(ValueNotEncodableError, match="object"):
        host.link.call("ask", value=[object()])
    assert host.link.call("ask", value=1) == {"value": 1}
    assert methods(host.requests) == ["ask"]
    assert host.link._pending == {}


def test_a_send_that_fails_leaves_nothing_waiting():
    """When sending fails the caller hears it at once and no future is kept."""

    def send(data, buffers):
        raise CodeModeError("no host is connected to this kernel")

    link = Link(send)
    with pytest.raises(CodeModeError, match="no host"):
        link.call("ask")
    assert link._pending == {}


def test_the_thread_that_delivers_is_refused(make_host):
    """A call from the thread that delivers replies is an error, not a deadlock."""
    host = make_host(hold)
    outcome = []

    def ask_again(_):
        try:
            outcome.append(host.link.call("ask"))
        except ToolError as error:
            outcome.append(str(error))

    host.link.request("ask").add_done_callback(ask_again)
    host.reply(1, "go")
    eventually(lambda: outcome)
    assert "delivers replies" in outcome[0]


def test_a_forked_child_is_refused():
    """A child process made by fork is told why it cannot call, and does not hang."""
    program = (
        "import os\n"
        "from kernel_bootstrap.link import Link\n"
        "link = Link(lambda data, buffers: None)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    try:\n"
        "        link.call('ask')\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__, error, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.startswith("ToolError")
    assert "forked child" in done.stdout


async def test_awaited_calls_overlap(make_host):
    """Under ``asyncio.gather`` a hundred calls are out before the first answer comes."""
    host = make_host(hold)
    together = asyncio.gather(*(host.link.acall("ask", n=n) for n in range(100)))
    async with asyncio.timeout(5):
        while len(host.requests) < 100:
            await asyncio.sleep(0.002)
    for request in list(host.requests):
        host.reply(request.id, request.params["n"])
    assert await together == list(range(100))


async def test_an_awaited_failure_is_raised(make_host):
    """An awaited call raises the class the host failed with."""

    def fail(request):
        raise ToolCallError("it broke", stderr="boom")

    with pytest.raises(ToolCallError, match="it broke") as caught:
        await make_host(fail).link.acall("ask")
    assert caught.value.stderr == "boom"


async def test_cancelling_an_await_cancels_on_the_host(make_host):
    """A cancelled task, and one that ran out of time, cancel their calls on the host."""
    host = make_host(hold)
    task = asyncio.create_task(host.link.acall("ask"))
    async with asyncio.timeout(5):
        while not host.requests:
            await asyncio.sleep(0.002)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(host.link.acall("ask"), 0.01)
    async with asyncio.timeout(5):
        while host.cancelled != [1, 2]:
            await asyncio.sleep(0.002)
    assert host.link._pending == {}
