"""``tools.map`` in a kernel: order, bounds, retries, what is left when it ends early, the bar."""

from __future__ import annotations

import asyncio
import itertools
import re
import threading

import pytest

from kernel_bootstrap.catalogue import Catalogue
from kernel_bootstrap.mapping import may_pass
from kernel_bootstrap.namespaces import Tools
from kernel_bootstrap.wire.errors import (
    ToolCallError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
    ToolTimeoutError,
    ValueNotEncodableError,
)
from tests.bootstrap.fakes import HOLD, eventually, param, tool

TOOLS = [tool("nmap", param("target", "str"))]


def echo(request):
    """Answer a call with its tool and arguments, or fail."""
    if "fail" in request.params["arguments"]:
        raise ToolCallError("it failed", n=request.params["arguments"]["fail"])
    return request.params["name"], request.params["arguments"]


@pytest.fixture
def tools(make_host):
    """``tools`` of a host that echoes tool calls."""
    return Tools(make_host(echo).link, Catalogue(TOOLS))


def test_map_keeps_order_and_puts_errors_in_place(tools):
    """One entry a call, in order; a failed call has its error in place of a value."""
    got = tools.map("nmap", [{"n": 0}, {"fail": 7}, {"n": 2}])
    assert got[0] == ("nmap", {"n": 0})
    assert isinstance(got[1], ToolCallError)
    assert got[1].n == 7
    assert got[2] == ("nmap", {"n": 2})
    assert tools.map("nmap", []) == []


def test_map_puts_arguments_that_cannot_cross_in_place(tools):
    """A call whose arguments cannot be sent is one failed call, not the end of all of them."""
    got = tools.map("nmap", [{"n": 0}, {"n": object()}, {"n": 2}])
    assert got[0] == ("nmap", {"n": 0})
    assert isinstance(got[1], ValueNotEncodableError)
    assert got[2] == ("nmap", {"n": 2})


@pytest.mark.parametrize("concurrency", [1, 3, 0])
def test_map_bounds_how_many_run_at_once(make_host, concurrency):
    """Never more calls are out than asked for; less than one counts as one."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))
    got: list = []
    calls = ({"n": n} for n in range(10))  # an iterator is enough
    thread = threading.Thread(
        target=lambda: got.extend(tools.map("nmap", calls, concurrency=concurrency))
    )
    thread.start()
    most = max(1, concurrency)
    for answered in range(10):
        out = min(answered + most, 10)
        eventually(lambda out=out: len(host.requests) == out)
        assert not got
        host.reply(answered + 1, answered)
    thread.join(5)
    assert got == list(range(10))


def test_map_cancels_what_is_out_when_the_arguments_fail(make_host):
    """An exception of the caller's own iterable passes, and no call is left running."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))

    def calls():
        yield {"n": 0}
        yield {"n": 1}
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        tools.map("nmap", calls())
    eventually(lambda: sorted(host.cancelled) == [1, 2])


def test_an_interrupt_of_map_cancels_every_call(make_host, interrupting):
    """SIGINT cancels all calls that are out, the one that is waited for included."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))
    with interrupting(lambda: len(host.requests) == 3):
        tools.map("nmap", [{"n": n} for n in range(3)], concurrency=8)
    host.link.request("tools.search", query="", limit=0)  # the last thing the host hears
    eventually(lambda: len(host.requests) == 4)
    assert sorted(host.cancelled) == [1, 2, 3]


async def test_awaited_calls_can_be_cancelled(make_host):
    """Cancelling a task that awaits a tool cancels the tool on the host."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))
    task = asyncio.create_task(tools.nmap.acall(target="h"))
    async with asyncio.timeout(5):
        while not host.requests:
            await asyncio.sleep(0.002)
        task.cancel()
        while host.cancelled != [1]:
            await asyncio.sleep(0.002)
    with pytest.raises(asyncio.CancelledError):
        await task


# --- lazily ------------------------------------------------------------------------------------


def test_a_generator_is_taken_as_far_as_there_is_room(make_host):
    """Arguments are taken one at a time, when a call can begin; calls may end in any order."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))
    taken: list[int] = []
    got: list = []

    def calls():
        for n in range(6):
            taken.append(n)
            yield {"n": n}

    thread = threading.Thread(target=lambda: got.extend(tools.map("nmap", calls(), concurrency=2)))
    thread.start()
    eventually(lambda: len(host.requests) == 2)
    assert taken == [0, 1]
    host.reply(2, "b")  # the first is still out, and holds up nobody
    eventually(lambda: len(host.requests) == 3)
    assert taken == [0, 1, 2]
    for id_, value in ((3, "c"), (1, "a"), (4, "d"), (5, "e"), (6, "f")):
        eventually(lambda id_=id_: len(host.requests) >= id_)
        host.reply(id_, value)
    thread.join(5)
    assert got == [*"abcdef"]


# --- again -------------------------------------------------------------------------------------


PASSING = [
    ToolTimeoutError("slow"),
    ToolCallError("broke"),
    ToolCallError("busy", status=503),
    ToolCallError("too many", status=429),
]
LASTING = [
    ToolCallError("no argument", wrong_arguments=True),
    ToolCallError("not found", status=404),
    ToolDeniedError("no"),
    ToolNotFoundError("which?"),
    ToolError("something else"),
    ValueNotEncodableError("object"),
]


def test_which_failures_may_pass():
    """Time limits and failures of the tool may pass; wrong arguments and refusals may not."""
    assert all(map(may_pass, PASSING))
    assert not any(map(may_pass, LASTING))


@pytest.mark.parametrize("way", ["map", "amap"])
@pytest.mark.parametrize(
    ("error", "retries", "asked"),
    [
        (ToolTimeoutError("slow"), 0, 1),
        (ToolTimeoutError("slow"), 2, 3),
        (ToolCallError("broke", retry_after=0), 1, 2),
        (ToolDeniedError("no"), 3, 1),
        (ToolCallError("no argument", wrong_arguments=True), 3, 1),
    ],
    ids=["not asked", "timeout", "failure", "denied", "wrong arguments"],
)
async def test_retries(make_host, way, error, retries, asked):
    """A call is made again as often as was asked, if that may help; the last error stays."""

    def answer(request):
        if request.params["arguments"]["n"] == 1:
            raise error
        return "fine"

    host = make_host(answer)
    tools = Tools(host.link, Catalogue(TOOLS))
    calls = [{"n": 0}, {"n": 1}, {"n": 2}]
    got = getattr(tools, way)("nmap", calls, retries=retries)
    first, second, third = await got if way == "amap" else got
    assert (first, third) == ("fine", "fine")
    assert type(second) is type(error)
    assert sum(request.params["arguments"]["n"] == 1 for request in host.requests) == asked


async def test_a_call_that_works_the_second_time(make_host):
    """After a failure that has passed the value stands in its place, in order."""
    tries = itertools.count()

    def answer(request):
        if request.params["arguments"]["n"] == 0 and next(tries) == 0:
            raise ToolTimeoutError("slow")
        return request.params["arguments"]["n"]

    tools = Tools(make_host(answer).link, Catalogue(TOOLS))
    calls = [{"n": n} for n in range(5)]
    assert tools.map("nmap", calls, concurrency=1, retries=1) == [0, 1, 2, 3, 4]


# --- ended early -------------------------------------------------------------------------------


def test_an_interrupt_leaves_what_is_done(make_host, interrupting):
    """The exception carries one result a call so far; those that were out hold an error."""
    host = make_host(lambda request: HOLD if request.params["arguments"]["n"] else "done")
    tools = Tools(host.link, Catalogue(TOOLS))
    caught: list = []
    with interrupting(lambda: len(host.requests) == 4):
        try:
            tools.map("nmap", [{"n": n % 2} for n in range(50)], concurrency=2)
        except KeyboardInterrupt as error:
            caught.append(error)
            raise
    results = caught[0].results
    assert results[0] == results[2] == "done"
    assert [type(results[n]) for n in (1, 3)] == [ToolError, ToolError]
    assert len(results) == 4
    assert "2 calls of nmap were done" in caught[0].__notes__[0]
    eventually(lambda: sorted(host.cancelled) == [2, 4])


async def test_cancelling_amap_cancels_every_call(make_host):
    """A cancelled ``amap`` leaves no call running, and what is done with the exception."""
    host = make_host(lambda request: HOLD if request.params["arguments"]["n"] else "done")
    tools = Tools(host.link, Catalogue(TOOLS))
    caught: list = []

    async def mapping():
        try:
            await tools.amap("nmap", [{"n": n} for n in range(10)], concurrency=3)
        except asyncio.CancelledError as error:
            caught.append(error)
            raise

    task = asyncio.create_task(mapping())
    async with asyncio.timeout(5):
        while len(host.requests) < 4:
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while sorted(host.cancelled) != [2, 3, 4]:
            await asyncio.sleep(0.002)
    assert caught[0].results[0] == "done"


async def test_amap_is_map_awaited(tools):
    """Order, errors in place and arguments that cannot cross are as for ``map``."""
    got = await tools.amap("nmap", ({"n": n} for n in range(20)), concurrency=3)
    assert got == [("nmap", {"n": n}) for n in range(20)]
    got = await tools.amap("nmap", [{"n": 0}, {"fail": 7}, {"n": object()}])
    assert [type(each) for each in got] == [tuple, ToolCallError, ValueNotEncodableError]
    with pytest.raises(TypeError):
        await tools.amap("nmap", [{"n": 0}, 5])


# --- the bar -----------------------------------------------------------------------------------


def test_the_bar_shows_how_far_it_is(tools, capsys):
    """With ``progress=True`` one line is drawn over and over, and it ends with all done."""
    tools.map("nmap", [{"n": 0}, {"fail": 1}, {"n": 2}, {"n": 3}], progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    last = err.rstrip("\n").split("\r")[-1]
    assert re.match(r"nmap: 100% \|#{20}\| 4/4 \[[\d.]+ s, .*/s, 1 failed\] *$", last)
    tools.map("nmap", ({"n": n} for n in range(3)), progress=True)
    assert "nmap: 3 done [" in capsys.readouterr().err


def test_what_is_quick_shows_no_bar(tools, capsys):
    """Unasked, a bar is shown only when it takes longer; never with ``progress=False``."""
    tools.map("nmap", [{"n": 0}])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("progress", [None, False])
def test_what_takes_longer_shows_a_bar(make_host, capsys, progress):
    """After half a second a bar is shown, unless nobody wants one."""
    host = make_host(lambda request: HOLD)
    tools = Tools(host.link, Catalogue(TOOLS))
    timer = threading.Timer(0.8, lambda: host.reply(1, "late"))
    timer.start()
    assert tools.map("nmap", [{"n": 0}], progress=progress) == ["late"]
    timer.join()
    shown = capsys.readouterr().err
    assert ("0/1" in shown) is (progress is None)
    assert ("1/1" in shown) is (progress is None)
