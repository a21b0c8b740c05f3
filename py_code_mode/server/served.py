"""One session, as the server keeps it.

Place in the house: inside ``server``, below ``sessions``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from py_code_mode.server.access import Owner
from py_code_mode.server.settings import ServerSettings
from py_code_mode.session import Session

if TYPE_CHECKING:
    from py_code_mode.server.streams import StreamedRun

__all__ = ["Served"]


class Served:
    """A session with what a server knows of it.

    Args:
        key: Its id.
        name: What its owner calls it.
        owner: Whose it is.
        session: What runs the code.
        settings: The server's.

    Attributes:
        up: Whether its kernel has come up.
        running: Runs under way, those that wait for their turn included.
        execution_count: IPython's number of the last cell.
        streams: Its streamed runs that are kept, by id, oldest first.
    """

    def __init__(
        self, key: str, name: str, owner: Owner, session: Session, settings: ServerSettings
    ) -> None:
        self.id = key
        self.name = name
        self.owner = owner
        self.session = session
        self.up = False
        self.running = 0
        self.execution_count = 0
        self.streams: dict[str, StreamedRun] = {}
        self._idle_seconds = settings.idle_seconds
        self._busy = 0
        self._created = time.time()
        # Clocks are set, and jump when a machine wakes: sessions do not end by that.
        self._used = time.monotonic()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Count as used from begin to end."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._used = time.monotonic()

    @property
    def seconds_left(self) -> float | None:
        """In how many seconds it ends if nobody uses it; None: never, or it is in use."""
        if not self._idle_seconds or self._busy:
            return None
        return self._idle_seconds - (time.monotonic() - self._used)

    def to_dict(self) -> dict[str, Any]:
        """Return it as clients see it."""
        state = "running" if self.running else "idle" if self.up else "starting"
        left, now = self.seconds_left, time.time()
        return {
            "id": self.id,
            "name": self.name,
            "state": state,
            "created": _moment(self._created),
            "last_used": _moment(now - (time.monotonic() - self._used)),
            "execution_count": self.execution_count,
            "expires": None if left is None else _moment(now + left),
            "warnings": [*self.session.warnings],
        }

    async def close(self) -> None:
        """End it with all its runs."""
        await self.session.aclose()
        for run in [*self.streams.values()]:
            await run.close()


def _moment(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
