"""One use of a session by one action, and the judge of what came of it.

Place in the house: above ``world``, below the actions. The session's lock is held, so what its
variables hold is known. Others may kill its kernel or close its executor meanwhile; only then may
the variables be lost, or the session closed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from py_code_mode import ExecutionResult
from py_code_mode.errors import CodeModeError, KernelDied, SessionClosed
from tests.soak.journal import ViolationError, shorten
from tests.soak.world import House, Seat, World

__all__ = ["Hand", "LeftError", "Running", "Turn"]


class LeftError(Exception):
    """The action ends early, as it may: its kernel was killed, or its executor closed."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Turn:
    """One use of a session.

    Args:
        seat: The session.
        world: What there is.
        action: Name and number of the action.
    """

    def __init__(self, seat: Seat, world: World, action: str) -> None:
        self.seat = seat
        self.world = world
        self.action = action
        self._kills = seat.kills - seat.is_struck

    @property
    def losses(self) -> int:
        """How many kernels with the session's variables were killed since the turn began."""
        return self.seat.kills - self._kills

    def fail(self, kind: str, text: str) -> ViolationError:
        """Note a violation; raise what it returns to end the action."""
        self.world.journal.violate(kind, self.action, f"{self._where}: {text}")
        return ViolationError(text)

    def same(self, where: str, wanted: Any, came: Any) -> None:
        """Hold what came back against what belongs there."""
        if not self.world.journal.compare_tokens(
            self.action, f"{self._where}: {where}", wanted, came
        ):
            raise ViolationError(where)

    @property
    def _where(self) -> str:
        return f"{self.seat.house.kind}/{self.seat.session.name}"

    async def run(self, code: str, timeout: float | None = None) -> ExecutionResult:
        """Run code; what was lost with a killed kernel ends the action.

        The result may be one of an error: that is for the action to judge.
        """
        return self.judge(await self.guard(self.seat.session.run(code, timeout=timeout)))

    async def value(self, code: str) -> Any:
        """Run code that does not fail and return its value."""
        result = await self.run(code)
        self.is_ok(result)
        return result.value

    def is_ok(self, result: ExecutionResult) -> None:
        """Hold a result against the promise that its code does not fail."""
        if result.error is not None:
            raise self.fail("failed", f"{result.error}\n{result.error.traceback}")

    def ended_with(self, result: ExecutionResult, *names: str) -> None:
        """Hold a result against the errors its code may end with."""
        name = None if result.error is None else result.error.name
        if name not in names:
            came = f"{result.error}, value {shorten(result.value)}"
            raise self.fail("failed", f"{' or '.join(names)} should have come, not {came}")

    async def guard(self, work: Any) -> Any:
        """Await what may raise because somebody closed the session or killed its kernel."""
        try:
            return await work
        except SessionClosed as error:
            if self.seat.is_leaving:
                raise LeftError("closed") from error
            raise
        except KernelDied as error:
            if self.losses or self.seat.is_leaving:
                self.seat.known.clear()
                raise LeftError("lost") from error
            raise
        except CodeModeError as error:
            if self.seat.is_leaving:
                raise LeftError("closed") from error
            raise

    def judge(self, result: ExecutionResult) -> ExecutionResult:
        """Return a result; if the kernel was lost, and might be, end the action."""
        lost = result.state_lost or (result.error is not None and result.error.name == "KernelDied")
        if lost:
            self.seat.known.clear()
            if self.losses or self.seat.is_leaving:
                raise LeftError("lost")
            raise self.fail("lost", f"nobody killed the kernel: {result.error}")
        if result.error is not None and self.seat.is_leaving:
            raise LeftError("closed")
        return result

    async def verify(self) -> None:
        """Hold the session's variables against what they should be."""
        names = list(self.seat.known)
        came = await self.value(f"{{name: globals().get(name) for name in {names}}}")
        self.same("variables", self.seat.known, came)

    def leave_if_lost(self) -> None:
        """End the action if others have closed the session, or killed its kernel."""
        if self.seat.is_leaving:
            raise LeftError("closed")
        if self.losses:
            self.seat.known.clear()
            raise LeftError("lost")

    @asynccontextmanager
    async def running(
        self, token: str, rest: str, *, first: str = "", timeout: float | None = None
    ) -> AsyncIterator[Running]:
        """Run code that prints the token, tells that it has come so far, and goes on with ``rest``.

        Yields:
            The run, which has come so far; if it ends before that, as it may, the action ends.
        """
        event = self.world.reached[token] = asyncio.Event()
        code = f"{first}\nprint({token!r})\ntools.reach(token={token!r})\n{rest}"
        run = asyncio.create_task(self.seat.session.run(code, timeout=timeout))
        seen = asyncio.create_task(event.wait())
        try:
            await asyncio.wait({run, seen}, return_when=asyncio.FIRST_COMPLETED)
            if not event.is_set():
                result = self.judge(await self.guard(asyncio.shield(run)))
                if timeout is not None:  # on a machine that is busy
                    self.ended_with(result, "ExecutionTimeout")
                    raise LeftError("early")
                raise self.fail("failed", f"the cell did not come so far: {result.error}")
            yield Running(self, token, run)
        finally:
            seen.cancel()
            run.cancel()
            await asyncio.wait({seen, run})
            del self.world.reached[token]


@dataclass(frozen=True, slots=True)
class Running:
    """A run that is on its way, and has printed its token."""

    turn: Turn
    token: str
    task: asyncio.Task[ExecutionResult]

    async def ended(self, *names: str, lost: bool) -> ExecutionResult:
        """Wait for the end, and hold it against what must come.

        Args:
            *names: Of the errors it may end with.
            lost: Whether it must say that the variables are lost; if not, it may say so only if
                others have killed the kernel, which ends the action.
        """
        turn = self.turn
        result: ExecutionResult = await turn.guard(asyncio.shield(self.task))
        if turn.seat.is_leaving:
            raise LeftError("closed")
        wanted = (f"{self.token}\n", "")
        turn.same(
            "stdout and stderr of a run that was ended", wanted, (result.stdout, result.stderr)
        )
        if not lost:
            turn.judge(result)
        turn.ended_with(result, *names)
        if result.error is not None and result.error.name == "KernelDied" and not turn.losses:
            raise turn.fail("lost", f"nobody killed the kernel: {result.error}")
        turn.same("state_lost", lost, result.state_lost)
        if lost:
            turn.seat.known.clear()
        return result


@dataclass(slots=True)
class Hand:
    """What an action works with.

    Attributes:
        world: What there is.
        rng: Its own random numbers.
        action: Its name and number.
    """

    world: World
    rng: random.Random
    action: str

    def house(self) -> House:
        """Return an executor that is open."""
        return self.rng.choice(self.world.houses)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Use a session that nobody uses, a new one if there is room."""
        seat = await self._take()
        try:
            yield Turn(seat, self.world, self.action)
        finally:
            seat.lock.release()

    async def _take(self) -> Seat:
        while True:
            house = self.house()
            free = [seat for seat in house.seats if not seat.lock.locked()]
            if len(house.seats) < house.most and (not free or self.rng.random() < 0.2):
                try:
                    free = [await house.open()]
                except SessionClosed:
                    continue  # somebody closed the executor
            seat = self.rng.choice(free or house.seats)
            await seat.lock.acquire()
            if not seat.is_leaving:
                return seat
            seat.lock.release()
