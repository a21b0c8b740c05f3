"""Actions: interrupts, limits, cancelled runs, kills of processes, and things closed while they work.

Place in the house: above ``turn``; put themselves into ``deck``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from py_code_mode import ExecutionResult, Session
from py_code_mode.errors import CodeModeError, SessionClosed
from py_code_mode.kernel import template
from tests.soak.deck import action
from tests.soak.turn import Hand, LeftError, Turn
from tests.soak.world import Seat, World

__all__: list[str] = []

LONG = {
    "sleeps": "import time; time.sleep(600)",
    "awaits": "import asyncio; await asyncio.sleep(600)",
    "computes": "while True: sum(range(1000))",
    "waits for a function": "tools.slow(token='', seconds=600)",
    "waits for a program": "tools.nap(seconds=600)",
}
"""What a cell may be at when something happens to it."""

DEAF, FOR_EVER = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)", "while True: pass"
"""How a cell comes not to hear interrupts, and what it does then."""


def hit(world: World, seat: Seat, number: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal to a session's kernel; return whether it had one that lived."""
    pid = seat.pid
    if pid is None:
        return False
    seat.strike()
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    world.journal.note_kill("kernel" if number == signal.SIGKILL else "stopped kernel")
    return True


@action(copies=3)
async def interrupt(hand: Hand) -> None:
    """A cell is interrupted, whatever it is at: it ends, and nothing else does."""
    async with hand.turn() as turn:
        async with turn.running(hand.world.token(), hand.rng.choice([*LONG.values()])) as run:
            await turn.seat.session.interrupt()
            await run.ended("KeyboardInterrupt", lost=False)
        await turn.verify()


@action(copies=2)
async def time_limit(hand: Hand) -> None:
    """A cell runs into its limit: it ends, its variables stay."""
    async with hand.turn() as turn:
        rest, limit = hand.rng.choice([*LONG.values()]), hand.rng.uniform(1, 2)
        async with turn.running(hand.world.token(), rest, timeout=limit) as run:
            await run.ended("ExecutionTimeout", lost=False)
        await turn.verify()


@action()
async def stubborn_cell(hand: Hand) -> None:
    """A cell that hears no interrupt ends all the same, and says that all is lost."""
    async with hand.turn() as turn:
        async with turn.running(hand.world.token(), FOR_EVER, first=DEAF, timeout=1) as run:
            await run.ended("ExecutionTimeout", "KernelDied", lost=True)
        await recovered(turn)


@action(copies=2)
async def cancelled_run(hand: Hand) -> None:
    """Whoever awaits a run is cancelled, at any moment: the code ends, the session goes on."""
    async with hand.turn() as turn:
        rest = hand.rng.choice([*LONG.values()])
        run = asyncio.create_task(turn.seat.session.run(rest))
        await asyncio.wait({run}, timeout=hand.rng.choice([0, 0.001, 0.01, 0.1, 0.5]))
        run.cancel()
        with suppress(asyncio.CancelledError):
            result = turn.judge(await turn.guard(run))
            raise turn.fail("failed", f"a run without an end has ended: {result.error}")
        await turn.verify()


@action()
async def cancelled_stubborn_run(hand: Hand) -> None:
    """Code that hears no interrupt is killed, though nobody waits for it: the next run says so."""
    async with hand.turn() as turn:
        async with turn.running(hand.world.token(), FOR_EVER, first=DEAF) as run:
            run.task.cancel()
        await told_of_loss(turn)


@action(copies=2)
async def kill_idle_kernel(hand: Hand) -> None:
    """A kernel is killed between cells: the next result says so, the one after it is fine."""
    async with hand.turn() as turn:
        turn.same("value", 1, await turn.value("1"))
        if not hit(hand.world, turn.seat):
            raise LeftError("missed")
        await told_of_loss(turn)


async def told_of_loss(turn: Turn) -> None:
    """Hold a session whose kernel was killed against the promise that one result tells of it."""
    told = await turn.guard(turn.seat.session.run("'not run'"))
    turn.seat.known.clear()
    if turn.seat.is_leaving:
        raise LeftError("closed")
    turn.ended_with(told, "KernelDied")
    turn.same("state_lost", True, told.state_lost)
    await recovered(turn)


async def recovered(turn: Turn) -> None:
    """Hold a session against the promise that it has a fresh kernel."""
    token = turn.world.token()
    kills = turn.seat.kills - turn.seat.is_struck
    result = await turn.guard(turn.seat.session.run(repr(token)))
    if turn.seat.kills > kills or turn.seat.is_leaving:
        raise LeftError("lost")  # once more, by somebody else
    turn.is_ok(result)
    turn.same("value of the fresh kernel", token, result.value)


@action(copies=3)
async def kill_busy_kernel(hand: Hand) -> None:
    """A kernel is killed in a cell, or while a tool works for it: the run says so at once."""
    async with hand.turn() as turn:
        async with turn.running(hand.world.token(), hand.rng.choice([*LONG.values()])) as run:
            strike_in_cell(turn, signal.SIGKILL)
            await run.ended("KernelDied", lost=True)
        await recovered(turn)


def strike_in_cell(turn: Turn, number: signal.Signals) -> None:
    """Send a signal to the kernel in the middle of a cell."""
    if not hit(turn.world, turn.seat, number):
        turn.leave_if_lost()
        raise turn.fail("failed", "there is no kernel in the middle of a cell")


@action(copies=2)
async def kill_any_kernel(hand: Hand) -> None:
    """Some session's kernel is killed, whatever anybody does with it just then."""
    seats = [seat for house in hand.world.houses for seat in house.seats]
    if not seats or not hit(hand.world, hand.rng.choice(seats)):
        raise LeftError("missed")


@action()
async def kill_template(hand: Hand) -> None:
    """A template is killed: nobody notices; another one takes its place."""
    pids = [each.pid for each in template._templates.values() if each.pid is not None]
    if not pids:
        raise LeftError("missed")
    with suppress(ProcessLookupError):
        os.kill(hand.rng.choice(pids), signal.SIGKILL)
    hand.world.journal.note_kill("template")
    async with hand.turn() as turn:
        await turn.verify()


@action()
async def stopped_kernel_in_a_cell(hand: Hand) -> None:
    """A kernel that is stopped (SIGSTOP) in a cell hears nothing; the limit ends it all the same."""
    async with hand.turn() as turn:
        async with turn.running(hand.world.token(), LONG["sleeps"], timeout=1) as run:
            strike_in_cell(turn, signal.SIGSTOP)
            await run.ended("ExecutionTimeout", "KernelDied", lost=True)
        await recovered(turn)


@action()
async def stop_and_close(hand: Hand) -> None:
    """A kernel that is stopped (SIGSTOP) cannot say goodbye; its session closes all the same."""
    async with hand.turn() as turn:
        hit(hand.world, turn.seat, signal.SIGSTOP)
        await turn.seat.house.leave(turn.seat)


@action(copies=2)
async def close_busy_session(hand: Hand) -> None:
    """A session is closed with a cell running, a tool working, runs waiting, or as it starts."""
    house = hand.house()
    try:
        session = await house.executor.session()
    except SessionClosed:
        raise LeftError("closed") from None
    codes = hand.rng.sample([*LONG.values()], hand.rng.randrange(1, 4))
    runs = [asyncio.create_task(session.run(code)) for code in codes]
    await asyncio.wait(runs, timeout=hand.rng.choice([0, 0.01, 0.1, 0.5, 1.0]))
    await session.aclose()
    await all_have_ended(hand, session, runs)


async def all_have_ended(
    hand: Hand, session: Session, runs: list[asyncio.Task[ExecutionResult]]
) -> None:
    """Hold runs of a session that is closed against the promise that each of them ends."""
    outcomes = await asyncio.gather(*runs, return_exceptions=True)
    for outcome in outcomes:
        is_told = isinstance(outcome, CodeModeError) or (
            isinstance(outcome, ExecutionResult) and outcome.error is not None
        )
        if not is_told:
            hand.world.journal.violate("failed", hand.action, f"closed, yet {outcome!r}")
    assert session.closed


@action(copies=2)
async def replace_executor(hand: Hand) -> None:
    """An executor is closed while others use it, and another one takes its place."""
    house = hand.house()
    await hand.world.build(house.kind)
    await hand.world.tear_down(house)
    for seat in house.seats:
        if not seat.session.closed:
            hand.world.journal.violate("failed", hand.action, "a session outlives its executor")
