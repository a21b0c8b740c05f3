"""Budgets, limits, approvals and scopes, through the dispatcher and on their own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import Reply, Request, parse
from py_code_mode import (
    Action,
    Budget,
    ConfigError,
    Decision,
    MemoryArtifactStore,
    Rule,
    Rules,
    ToolCall,
    ToolDeniedError,
    ToolLimit,
    ToolNotFoundError,
    ToolRegistry,
    create_skill_library,
)
from py_code_mode.dispatch import Dispatcher, Origin
from py_code_mode.governance.budget import Spent
from py_code_mode.governance.gates import Gate, Gates, passing
from py_code_mode.timelimit import TimeLimit


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


class Host:
    """A dispatcher, tools with tags, and the calls it has recorded."""

    def __init__(self, scope: list[str] | None = None, **seams: Any) -> None:
        self.registry = ToolRegistry()
        self.ran: list[Any] = []
        self.running = 0
        self.most = 0
        self.go = asyncio.Event()
        self.registry.add(self.note, name="note", tags=["open"])
        self.registry.add(self.note, name="note-secret", tags=["secret"])
        self.registry.add(self.block, name="block", tags=["open"])
        self.registry.add(self.fail, name="fail", tags=["open"])
        self.calls: list[ToolCall] = []
        self.spent = Spent()
        self.waits = 0
        self.origin = Origin(
            "main", "cell", self.calls.append, spent=self.spent, waiting=self.waiting
        )
        tools = self.registry if scope is None else self.registry.scoped_view(scope)
        self.dispatcher = Dispatcher(
            tools, create_skill_library(), MemoryArtifactStore(), limits=Limits(), **seams
        )

    async def note(self, n: int = 0) -> int:
        """Remember a number."""
        self.ran.append(n)
        return n

    async def block(self, n: int = 0) -> int:
        """Wait until it may go on."""
        self.running += 1
        self.most = max(self.most, self.running)
        self.ran.append(n)
        try:
            await self.go.wait()
        finally:
            self.running -= 1
        return n

    async def fail(self) -> None:
        """Fail."""
        raise ValueError("no")

    @contextlib.contextmanager
    def waiting(self):
        self.waits += 1
        yield

    async def ask(self, method: str, /, **params: Any) -> Reply:
        """Send a request the way a kernel's arrives."""
        data, buffers = await self.dispatcher.handle(Request(1, method, params), self.origin)
        reply = parse(data, [bytes(buffer) for buffer in buffers])
        assert isinstance(reply, Reply)
        return reply

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Call a tool; the value, or the error that the kernel would raise."""
        reply = await self.ask("tools.call", name=name, arguments=arguments)
        return reply.value if reply.failure is None else reply.failure.to_exception()


# --- who is asked ------------------------------------------------------------------------------


async def test_a_policy_sees_exact_names_and_tags():
    """A tool called by its clean name is the same tool to rules, and has its tags."""
    host = Host(policy=Rules([Rule("deny", tools="note-secret", reason="hush")]))
    for name in ("note-secret", "note_secret"):
        error = await host.call(name)
        assert isinstance(error, ToolDeniedError)
        assert str(error) == "note-secret was not run: hush"
    host = Host(policy=Rules([Rule("deny", tags="secret")]))
    assert isinstance(await host.call("note_secret"), ToolDeniedError)
    assert await host.call("note", n=1) == 1
    assert host.ran == [1]
    assert [call.tool for call in host.calls] == ["note-secret", "note"]


async def test_ask_without_anybody_to_ask_is_denied():
    """What needs approval is denied when there is nobody to ask, and says so."""
    host = Host(policy=Rules([Rule("ask", reason="dear")]))
    error = await host.call("note")
    assert isinstance(error, ToolDeniedError)
    assert "nobody to ask" in str(error)
    assert "dear" in str(error)
    assert host.ran == []


@pytest.mark.parametrize(
    ("verdict", "ran"),
    [
        (True, [1]),
        (Decision(allowed=True), [1]),
        (Decision(allowed=True, arguments={"n": 5}), [5]),
        (None, []),
        (False, []),
        (Decision(allowed=False, reason="no"), []),
        (Decision(allowed=True, ask=True), []),
        ("yes", []),
        (1, []),
    ],
    ids=repr,
)
async def test_ask_needs_a_yes(verdict, ran):
    """What needs approval runs when ``on_tool_call`` says yes, and not when it says nothing."""
    asked: list[Action] = []

    async def answer(action):
        asked.append(action)
        return verdict

    host = Host(policy=Rules([Rule("ask", tools="note", reason="dear")]), on_tool_call=answer)
    outcome = await host.call("note", n=1)
    assert host.ran == ran
    assert isinstance(outcome, ToolDeniedError) is not bool(ran)
    (action,) = asked
    assert (action.needs_approval, action.reason, action.tags) == (True, "dear", {"open"})
    (call,) = host.calls
    assert call.outcome == ("ok" if ran else "denied")
    if ran:
        assert call.arguments == {"n": ran[0]}


async def test_commands_can_be_asked_about():
    """A shell rule that asks goes to ``on_tool_call``; other commands do not."""
    asked: list[str] = []

    async def answer(action):
        asked.append(action.arguments["command"])
        return action.name == "git"

    rules = Rules([Rule("ask", kind="shell", commands=["git *", "rm *"])])
    host = Host(policy=rules, on_tool_call=answer)
    assert (await host.ask("shell.check", command="git push")).failure is None
    assert (await host.ask("shell.check", command="rm x")).failure.kind == "PolicyError"
    assert (await host.ask("shell.check", command="ls")).failure is None
    assert asked == ["git push", "rm x"]


class Raises:
    """A policy and a callback that fails in some way."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def decide(self, action: Action) -> Any:
        raise self.error

    __call__ = decide


class RaisesAtOnce(Raises):
    """One that fails before there is anything to await."""

    def decide(self, action: Action) -> Any:
        raise self.error

    __call__ = decide


@pytest.mark.parametrize("kind", [Raises, RaisesAtOnce])
@pytest.mark.parametrize("seam", ["policy", "on_tool_call"])
@pytest.mark.parametrize(
    "error",
    [RuntimeError("password is 1234"), SystemExit(3), asyncio.CancelledError(), TimeoutError()],
    ids=repr,
)
async def test_what_fails_allows_nothing(caplog, kind, seam, error):
    """A policy that raises denies the call, says that it failed but not how, and is logged."""
    host = Host(**{seam: kind(error)})
    denied = await host.call("note")
    assert isinstance(denied, ToolDeniedError)
    assert "failed" in str(denied)
    assert type(error).__name__ in str(denied)
    assert "1234" not in str(denied)
    assert host.ran == []
    assert [call.outcome for call in host.calls] == ["denied"]
    assert "failed on tool 'note'" in caplog.text
    if seam == "policy":
        assert (await host.ask("shell.check", command="ls")).failure.kind == "PolicyError"


async def test_changed_arguments_are_validated_by_the_tool():
    """Arguments that ``on_tool_call`` changed are checked as any others, and are on record."""

    async def change(action):
        return Decision(allowed=True, arguments={"n": "many"})

    host = Host(on_tool_call=change)
    error = await host.call("note", n=1)
    assert type(error).__name__ == "ToolCallError"
    assert "must be int" in str(error)
    assert [(call.outcome, call.arguments) for call in host.calls] == [("error", {"n": "many"})]


async def test_a_call_that_is_cancelled_while_it_is_decided_on_is_on_record():
    """A call cancelled while somebody thinks about it is recorded, and they are told."""
    told = asyncio.Event()
    begun = asyncio.Event()

    async def think(action):
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            told.set()
            raise

    host = Host(on_tool_call=think)
    task = asyncio.create_task(host.call("note"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told.is_set()
    assert [call.outcome for call in host.calls] == ["cancelled"]


# --- budgets -----------------------------------------------------------------------------------


async def test_a_budget_counts_every_call():
    """Calls count when they are made: failed, denied and unknown ones too."""
    rules = Rules([Rule("deny", tools="note-secret")])
    host = Host(policy=rules, budget=Budget(calls_per_run=4))
    await host.call("note")
    await host.call("fail")
    await host.call("note-secret")
    await host.call("nope")
    for _ in range(3):
        error = await host.call("note")
        assert isinstance(error, ToolDeniedError)
        assert "this run's budget of 4 tool calls is spent" in str(error)
        assert (error.budget, error.limit) == ("calls_per_run", 4)
    assert host.ran == [0]
    assert [call.outcome for call in host.calls] == [
        *("ok", "error", "denied", "error"),
        *["denied"] * 3,
    ]
    assert (host.spent.run, host.spent.session) == (4, 4)


async def test_calls_at_once_do_not_overspend():
    """A budget is counted before a call begins, so calls at once cannot pass it together."""
    host = Host(budget=Budget(calls_per_session=3))
    calls = [asyncio.create_task(host.call("block", n=n)) for n in range(10)]
    await until(lambda: host.running == 3 and len(host.calls) == 7)
    host.go.set()
    answers = await asyncio.gather(*calls)
    assert answers[:3] == [0, 1, 2]
    assert all(isinstance(answer, ToolDeniedError) for answer in answers[3:])
    assert {answer.budget for answer in answers[3:]} == {"calls_per_session"}


async def test_what_is_over_budget_asks_nobody():
    """A person is not bothered about a call that the budget refuses."""
    asked: list[Action] = []

    async def answer(action):
        asked.append(action)

    host = Host(on_tool_call=answer, budget=Budget(calls_per_run=0))
    assert isinstance(await host.call("note"), ToolDeniedError)
    assert asked == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Budget(calls_per_run=-1),
        lambda: ToolLimit("x"),
        lambda: ToolLimit("x", burst=3, concurrent=1),
        lambda: ToolLimit("x", per_second=0),
        lambda: ToolLimit("x", per_second=float("nan")),
        lambda: ToolLimit("x", concurrent=0),
        lambda: ToolLimit("x", concurrent=1, queue=-1),
    ],
)
def test_limits_that_make_no_sense(make):
    """A limit that could not mean what it says is refused when it is made."""
    with pytest.raises(ConfigError):
        make()


# --- taking turns ------------------------------------------------------------------------------


async def test_no_more_run_at_once_than_may():
    """Calls over a concurrency limit wait, and go on in the order they came."""
    host = Host(budget=Budget(tool_limits=[ToolLimit("block", concurrent=2)]))
    calls = [asyncio.create_task(host.call("block", n=n)) for n in range(8)]
    await until(lambda: host.running == 2)
    assert await host.call("note", n=100) == 100  # other tools are not held up
    host.go.set()
    assert await asyncio.gather(*calls) == list(range(8))
    assert host.most == 2
    assert [n for n in host.ran if n < 100] == list(range(8))
    assert host.waits == 8


async def test_a_failing_call_gives_its_turn_back():
    """Calls that fail, or are cancelled while they run or wait, leave no turn taken."""
    limits = [ToolLimit(["block", "fail"], concurrent=1)]
    host = Host(budget=Budget(tool_limits=limits))
    for _ in range(3):
        await host.call("fail")
    calls = [asyncio.create_task(host.call("block", n=n)) for n in range(6)]
    await until(lambda: host.running == 1)
    for number in (2, 0, 4):
        calls[number].cancel()
    await until(lambda: host.ran == [0, 1])
    host.go.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert host.ran == [0, 1, 3, 5]
    assert Counter(call.outcome for call in host.calls) == {"error": 3, "cancelled": 3, "ok": 3}
    assert [answers[n] for n in (1, 3, 5)] == [1, 3, 5]
    assert await host.call("block", n=9) == 9


async def test_a_turn_that_comes_too_late_is_passed_on():
    """A call cancelled in the moment its turn comes passes it on."""
    gate = Gate(ToolLimit("x", concurrent=1))
    await gate.enter("x")
    second, third = (asyncio.create_task(gate.enter("x")) for _ in range(2))
    await until(lambda: gate.waiting == 2)
    gate.leave()  # the second's turn
    second.cancel()
    await asyncio.wait([second, third])
    assert second.cancelled()
    assert third.exception() is None
    gate.leave()
    await gate.enter("x")


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (ToolLimit("block", concurrent=1, wait=False), "at most 1 at once"),
        (ToolLimit("block", per_second=0.001, wait=False), "at most 0.001 a second"),
        (ToolLimit("block", concurrent=1, queue=0), "0 calls wait already"),
    ],
)
async def test_who_may_not_wait_is_denied(limit, words):
    """With ``wait=False``, or a full queue, a call that is too much is denied at once."""
    host = Host(budget=Budget(tool_limits=[limit]))
    first = asyncio.create_task(host.call("block"))
    await until(lambda: host.running == 1)
    error = await host.call("block")
    assert isinstance(error, ToolDeniedError)
    assert words in str(error)
    host.go.set()
    assert await first == 0


async def test_the_rate_is_kept():
    """A burst goes through at once, and after it no more than so many a second, in order."""
    limit = ToolLimit("note", per_second=50, burst=5)
    host = Host(budget=Budget(tool_limits=[limit]))
    began = time.monotonic()
    await asyncio.gather(*(host.call("note", n=n) for n in range(5)))
    await asyncio.gather(*(host.call("note", n=n) for n in range(5, 15)))
    assert time.monotonic() - began >= 10 / 50 - 0.01
    assert host.ran == list(range(15))


async def test_limits_are_shared_or_each_tools_own():
    """A limit is one for all tools it matches, unless it says that each has its own."""
    for each, expected in ((False, 1), (True, 2)):
        gates = Gates([ToolLimit("a.*", concurrent=1, each=each), ToolLimit("b.*", concurrent=1)])
        one, other = gates.of("a.x"), gates.of("a.y")
        assert len(one) == len(other) == 1
        assert len({id(gate) for gate in one + other}) == expected
        assert gates.of("a.x") == one
        assert gates.of("c.x") == []


async def test_a_call_within_a_call_needs_no_second_turn():
    """A call made on behalf of one that holds a turn does not wait for it for ever."""
    gates = Gates([ToolLimit("*", concurrent=1)])
    async with (
        asyncio.timeout(5),
        passing(gates.of("a"), "a", contextlib.nullcontext),
        passing(gates.of("b"), "b", contextlib.nullcontext),
    ):
        pass
    async with asyncio.timeout(5), passing(gates.of("a"), "a", contextlib.nullcontext):
        pass


# --- the time of a run -------------------------------------------------------------------------


class Over:
    """Remembers that the time was up."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


async def test_a_limit_stands_still_while_somebody_waits():
    """Time in overlapping waits is not counted, and the rest is counted afterwards."""
    limit, over = TimeLimit(0.2), Over()
    limit.start(over)
    with limit.waiting():
        with limit.waiting():
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.2)
    assert over.times == 0
    began = time.monotonic()
    await until(lambda: over.times)
    assert time.monotonic() - began > 0.1
    with limit.waiting():
        pass
    await asyncio.sleep(0.3)
    assert over.times == 1


async def test_time_that_was_spent_before_a_wait_is_spent():
    """A wait that begins when the time is up does not save the run."""
    limit, over = TimeLimit(0.01), Over()
    limit.start(over)
    time.sleep(0.05)  # the loop could not look
    with limit.waiting():
        assert over.times == 1


async def test_a_stopped_limit_says_nothing():
    """After the run nothing comes, also if a wait ends later."""
    limit, over = TimeLimit(0.01), Over()
    limit.start(over)
    with limit.waiting():
        limit.stop()
    await asyncio.sleep(0.05)
    assert over.times == 0
    TimeLimit(None).start(over)
    with TimeLimit(None).waiting():
        pass
    assert over.times == 0


async def test_the_outer_run_waits_too():
    """While an inner run waits, the time of the run that waits for it stands still."""
    outer, over = TimeLimit(0.05), Over()
    inner = TimeLimit(None, within=outer)
    outer.start(over)
    with inner.waiting():
        await asyncio.sleep(0.2)
        assert over.times == 0
    await until(lambda: over.times)


# --- scopes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["note-secret", "note_secret", "note-secre", "NOTE-SECRET", "note-secret ", "secret"]
)
async def test_hidden_tools_do_not_exist_for_hand_made_requests(name):
    """A hand-made request that names a hidden tool gets not-found, without a hint to it."""
    asked: list[Action] = []

    async def answer(action):
        asked.append(action)

    host = Host(scope=["open"], on_tool_call=answer)
    error = await host.call(name)
    assert type(error).__name__ == "ToolNotFoundError"
    assert "note-secret" not in str(error).replace(repr(name), "")
    assert "note-secret" not in error.near
    assert host.ran == asked == []
    reply = await host.ask("tools.list")
    assert sorted(row["name"] for row in reply.value) == ["block", "fail", "note"]
    reply = await host.ask("tools.search", query="note secret remember", limit=10)
    assert [row["name"] for row in reply.value] == ["note"]


def test_hidden_tools_do_not_exist_in_a_view():
    """Through a view of a registry hidden tools are not listed, found or resolved."""
    host = Host()
    view = host.registry.scoped_view(["open"])
    assert [info.name for info in view.list_tools()] == ["note", "block", "fail"]
    assert [info.name for info in view.search("secret note")] == ["note"]
    assert view.get_tool("note-secret") is view.get_tool("note_secret") is None
    for name in ("note-secret", "note_secret", "note-secre"):
        with pytest.raises(ToolNotFoundError) as caught:
            view.resolve(name)
        assert "note-secret" not in caught.value.near
