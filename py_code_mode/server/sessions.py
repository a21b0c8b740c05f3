"""The sessions that are served: whose they are, how long they live, and which were lost.

Place in the house: inside ``server``, above ``executors`` and ``ledger``; the routes ask it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections import OrderedDict
from typing import Literal

from py_code_mode.errors import KernelError
from py_code_mode.server.access import Owner
from py_code_mode.server.executors import Executors
from py_code_mode.server.ledger import Ledger
from py_code_mode.server.metrics import Metrics
from py_code_mode.server.problems import Problem, too_many
from py_code_mode.server.served import Served
from py_code_mode.server.settings import ServerSettings

__all__ = ["SESSION_ID", "SessionTable"]

SESSION_ID = r"^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}$"
"""What the id of a session looks like, one chosen by a client included."""

_OURS = re.compile(r"s-([0-9a-f]{8})-[0-9a-f]{24}")

_MOST_LOST = 10_000
"""Ended sessions that are remembered as such; who asks for an older one hears of no session."""

log = logging.getLogger(__name__)

Why = Literal["deleted", "idle", "shutdown", "failed"]


class SessionTable:
    """All sessions of a server.

    Args:
        settings: The server's.
        executors: What sessions are made of.
        ledger: The ids of former lives; None: there is none, so no id of a client is trusted to
            be new.
        metrics: Counts them.
    """

    def __init__(
        self,
        settings: ServerSettings,
        executors: Executors,
        ledger: Ledger | None,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._executors = executors
        self._ledger = ledger
        self._metrics = metrics
        self._life = secrets.token_hex(
            4
        )  # in the ids we make: a later life tells them from its own
        self._live: dict[tuple[str, str], Served] = {}
        self._lost: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._promised: list[tuple[str, str]] = []  # owners and names of branches being made
        metrics.sessions.set_function(lambda: len(self._live))

    def all(self) -> list[Served]:
        """Return all sessions that are alive."""
        return [*self._live.values()]

    def of(self, owner: Owner) -> list[Served]:
        """Return an owner's sessions, oldest first."""
        return [served for (name, _), served in self._live.items() if name == owner.name]

    def named(self, owner: Owner, name: str) -> Served | None:
        """Return an owner's session by its name."""
        return next((served for served in self.of(owner) if served.name == name), None)

    def find(self, owner: Owner, key: str) -> Served:
        """Return an owner's session by its id.

        Raises:
            Problem: There is none, or it was lost.
        """
        served = self._live.get((owner.name, key))
        if served is not None:
            return served
        reason = self._how_lost(owner, key)
        if reason is not None:
            raise _lost(key, reason)
        raise Problem(404, "session_not_found", f"there is no session {key[:128]!r}")

    async def make(self, owner: Owner, name: str | None = None, key: str | None = None) -> Served:
        """Make a session and start its kernel.

        Args:
            owner: Whose it is to be.
            name: What it is to be called; None: by its id.
            key: The id a client has chosen; None makes one.

        Raises:
            Problem: There are too many.
            KernelStartError: Its kernel did not come up.
        """
        self._check_room(owner)
        chosen, key = key is not None, key or self._new_id()
        executor = self._executors.of(owner)
        session = await executor.session(_inner_name(owner, key))
        served = self._add(Served(key, name or key, owner, session, self._settings))
        if chosen and self._ledger is not None:
            self._ledger.add(owner.name, key)
        try:
            with served.busy():
                await session.start()
        except BaseException:
            # Whoever asked for it never learns its id, or knows that it is not there.
            if chosen and self._ledger is not None:
                self._ledger.forget(owner.name, key)
            await self._end(served, "failed")
            raise
        served.up = True
        return served

    async def find_or_make(
        self, owner: Owner, key: str | None, *, anew: bool
    ) -> tuple[Served, bool]:
        """Return the session of an id that a client may have chosen, and whether it was made now.

        Args:
            owner: Who asks.
            key: The id; None: a new session.
            anew: The client knows that a former session of that id is gone.

        Raises:
            Problem: The session was lost, and the client does not say that it knows; or there are
                too many.
        """
        if key is None:
            return await self.make(owner), True
        served = self._live.get((owner.name, key))
        if served is not None:
            return served, False
        reason = self._how_lost(owner, key)
        if reason is None and self._ledger is None:
            reason = "unknown"
        if reason is not None and not anew:
            raise _lost(key, reason)
        self._lost.pop((owner.name, key), None)
        return await self.make(owner, key=key), True

    async def fork(self, parent: Served, name: str | None) -> Served:
        """Branch a session.

        Raises:
            Problem: A cell is running, or there are too many sessions.
            KernelError: Its kernel cannot be forked, or the name is taken.
        """
        owner = parent.owner
        self._check_room(owner)
        if name is not None and (
            self.named(owner, name) is not None or (owner.name, name) in self._promised
        ):
            raise KernelError(f"there is a session named {name!r} already")
        if parent.running:
            raise Problem(409, "session_busy", "a cell is running: wait for it, or interrupt it")
        key = self._new_id()
        promise = owner.name, name or key
        self._promised.append(promise)
        try:
            with parent.busy():
                session = await parent.session.fork(_inner_name(owner, key))
        finally:
            self._promised.remove(promise)
        served = self._add(Served(key, name or key, owner, session, self._settings))
        served.execution_count, served.up = parent.execution_count, True
        return served

    async def delete(self, owner: Owner, key: str) -> None:
        """End a session; for one that was lost: take note that the client knows.

        Raises:
            Problem: There is no such session.
        """
        served = self._live.get((owner.name, key))
        if served is None and self._how_lost(owner, key) is None:
            raise Problem(404, "session_not_found", f"there is no session {key[:128]!r}")
        self._lost.pop((owner.name, key), None)
        if self._ledger is not None:
            self._ledger.forget(owner.name, key)
        if served is not None:
            await self._end(served, "deleted")

    async def cull(self) -> None:
        """End the sessions that were idle for too long."""
        for served in self.all():
            if served.seconds_left is not None and served.seconds_left <= 0:
                log.info("session %s was idle for too long", served.id)
                self._remember(served)
                await self._end(served, "idle")

    async def close(self) -> None:
        """End all sessions."""
        await asyncio.gather(*(self._end(served, "shutdown") for served in self.all()))
        if self._ledger is not None:
            self._ledger.close()

    def _add(self, served: Served) -> Served:
        self._live[served.owner.name, served.id] = served
        self._metrics.made.inc()
        return served

    async def _end(self, served: Served, why: Why) -> None:
        key = (served.owner.name, served.id)
        if self._live.get(key) is not served:
            return
        del self._live[key]
        self._metrics.ended.labels(why).inc()
        await served.close()

    def _remember(self, served: Served) -> None:
        self._lost[served.owner.name, served.id] = None
        while len(self._lost) > _MOST_LOST:
            self._lost.popitem(last=False)

    def _how_lost(self, owner: Owner, key: str) -> str | None:
        """Say why a session that is not alive once was; None: it never was, or was deleted."""
        if (owner.name, key) in self._lost:
            return "idle"
        ours = _OURS.fullmatch(key)
        if ours is not None:
            return None if ours[1] == self._life else "restarted"
        if self._ledger is not None and self._ledger.knows(owner.name, key):
            return "restarted"
        return None

    def _check_room(self, owner: Owner) -> None:
        own, every = self.of(owner), self.all()
        promised = [name for name, _ in self._promised]
        owners, most = owner.max_sessions, self._settings.max_sessions
        if owners is not None and len(own) + promised.count(owner.name) >= owners:
            limit, count, among = "token_sessions", owners, own
        elif len(every) + len(promised) >= most:
            limit, count, among = "sessions", most, every
        else:
            return
        self._metrics.refused.labels(limit).inc()
        raise too_many(f"there are {count} sessions, the most allowed", _soonest(among))

    def _new_id(self) -> str:
        return f"s-{self._life}-{secrets.token_hex(12)}"


def _inner_name(owner: Owner, key: str) -> str:
    """Name a session in its executor, which may have sessions of its own, one named ``default``."""
    return f"{owner.name or 'server'}:{key}"


def _soonest(sessions: list[Served]) -> float:
    """Seconds until one of them may end, within what is sensible to wait."""
    ends = [served.seconds_left for served in sessions if served.seconds_left is not None]
    return min(60.0, max(1.0, min(ends))) if ends else 30.0


def _lost(key: str, reason: str) -> Problem:
    words = {
        "idle": "it was idle for too long",
        "restarted": "the server was started anew since",
        "unknown": "this server cannot know whether it had such a session before",
    }
    return Problem(
        410,
        "session_lost",
        f"session {key!r} and its variables are gone: {words[reason]}; make another with "
        "POST /sessions, or begin anew under this id with the header 'X-Session-New: true'",
        reason=reason,
    )
