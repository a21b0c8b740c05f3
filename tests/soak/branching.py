"""Actions: sessions are opened, forked, rolled back, reset and closed.

Place in the house: above ``turn``; put themselves into ``deck``.
"""

from __future__ import annotations

import asyncio

from tests.soak.deck import action
from tests.soak.turn import Hand, Turn
from tests.soak.world import Seat

__all__: list[str] = []


async def mark(turn: Turn, name: str) -> None:
    """Give a variable of the session a new token."""
    token = turn.world.token()
    turn.seat.known.pop(name, None)
    turn.same("value", token, await turn.value(f"{name} = {token!r}\n{name}"))
    turn.seat.known[name] = token


async def close(seat: Seat) -> None:
    """Close a session that is only this action's."""
    await seat.house.leave(seat)


@action(copies=2)
async def fork(hand: Hand) -> None:
    """A branch has what its origin had; what either changes later the other does not see."""
    async with hand.turn() as turn:
        await mark(turn, "v0")
        session = await turn.guard(turn.seat.session.fork())
        branch = Seat(turn.seat.house, session, dict(turn.seat.known))
        inside = Turn(branch, hand.world, hand.action)
        try:
            await inside.verify()
            await asyncio.gather(mark(inside, "v1"), mark(turn, "v1"))
            await asyncio.gather(inside.verify(), turn.verify())
        finally:
            await close(branch)
        await turn.verify()


@action()
async def fork_of_a_fork(hand: Hand) -> None:
    """A branch outlives the branch that it came from."""
    async with hand.turn() as turn:
        await mark(turn, "v2")
        first = await turn.guard(turn.seat.session.fork())
        between = Seat(turn.seat.house, first, dict(turn.seat.known))
        try:
            second = await Turn(between, hand.world, hand.action).guard(first.fork())
        finally:
            await close(between)
        last = Seat(turn.seat.house, second, dict(turn.seat.known))
        inside = Turn(last, hand.world, hand.action)
        try:
            await inside.verify()
            await mark(inside, "v2")
            await inside.verify()
        finally:
            await close(last)


@action()
async def rollback(hand: Hand) -> None:
    """What was changed after a checkpoint is as it was."""
    async with hand.turn() as turn:
        await mark(turn, "v3")
        known = dict(turn.seat.known)
        checkpoint = await turn.guard(turn.seat.session.checkpoint())
        try:
            await mark(turn, "v3")
            await turn.guard(turn.seat.session.rollback(checkpoint))
            turn.seat.known = known
            await turn.verify()
        finally:
            await checkpoint.aclose()


@action()
async def try_each(hand: Hand) -> None:
    """Three ways at once, and one of them is kept."""
    async with hand.turn() as turn:
        tokens = [hand.world.token() for _ in range(3)]
        turn.seat.known.pop("way", None)
        codes = [f"way = {token!r}\nprint(way)\nway" for token in tokens]
        trials = await turn.guard(turn.seat.session.try_each(codes))
        async with trials:
            for token, result in zip(tokens, trials, strict=True):
                turn.judge(result)
                turn.same("way", (token, f"{token}\n"), (result.value, result.stdout))
            kept = hand.rng.randrange(3)
            await turn.guard(trials.keep(kept))
        turn.seat.known["way"] = tokens[kept]
        await turn.verify()


@action()
async def reset(hand: Hand) -> None:
    """A reset takes all variables, and only those."""
    async with hand.turn() as turn:
        await mark(turn, "v4")
        await turn.guard(turn.seat.session.reset())
        turn.seat.known.clear()
        value = await turn.value("[name for name in globals() if name[:1] == 'v']")
        turn.same("names after a reset", [], value)


@action(copies=2)
async def open_and_close(hand: Hand) -> None:
    """A session is closed for good, so that another one is opened."""
    async with hand.turn() as turn:
        await turn.verify()
        await turn.seat.house.leave(turn.seat)
        turn.same("closed", (True, True), (turn.seat.session.closed, turn.seat.closing))
