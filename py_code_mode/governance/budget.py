"""How many calls an agent has, and how fast it may make them.

Place in the house: ``governance``. ``Budget`` and ``ToolLimit`` are what the host's owner
says; ``Spent`` is what a session has used up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from py_code_mode.errors import ConfigError, ToolDeniedError
from py_code_mode.governance.globs import as_patterns

__all__ = ["Budget", "Spent", "ToolLimit"]


@dataclass(frozen=True, slots=True)
class ToolLimit:
    """How often, and how many at once, some tools may be called by all sessions together.

    Attributes:
        tools: Patterns on their names, e.g. ``"github.*"`` or ``["*", "!fast.*"]``.
        per_second: Calls a second in the long run, or None.
        burst: Calls that may come at once after a pause; None: a second's worth, at least one.
        concurrent: Calls that may run at the same time, or None.
        wait: Whether a call waits for its turn; if not, it is denied at once.
        queue: Calls that may wait; further ones are denied.
        each: Each tool has this limit for itself; else they share it.
    """

    tools: str | Sequence[str]
    per_second: float | None = None
    burst: int | None = None
    concurrent: int | None = None
    wait: bool = True
    queue: int = 1_000
    each: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "tools", as_patterns(self.tools))
        if self.per_second is None and self.concurrent is None:
            raise ConfigError("a ToolLimit needs per_second, concurrent or both")
        if self.burst is not None and self.per_second is None:
            raise ConfigError("only means something with per_second", key="burst")
        for name in ("per_second", "burst", "concurrent"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"must be more than 0, not {value}", key=name)
        if self.queue < 0:
            raise ConfigError(f"must not be less than 0, not {self.queue}", key="queue")

    @property
    def most_at_once(self) -> int:
        """Calls that may come at once after a pause, if their rate is limited."""
        return self.burst or max(1, int(self.per_second or 1))


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tool calls an agent's code has, and how fast it may make them.

    Each call of a tool counts when it is made, whatever becomes of it: also one that is denied,
    that fails, or that names no tool. One that the budget itself refuses does not.

    Attributes:
        calls_per_run: Calls from the begin of one run to the begin of the session's next; None:
            no limit.
        calls_per_session: Calls in the life of a session, through all its kernels. A branch
            begins with what its origin has spent.
        tool_limits: How often, and how many at once, certain tools may be called.
    """

    calls_per_run: int | None = None
    calls_per_session: int | None = None
    tool_limits: Sequence[ToolLimit] = ()

    def __post_init__(self) -> None:
        for name in ("calls_per_run", "calls_per_session"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigError(f"must not be less than 0, not {value}", key=name)
        object.__setattr__(self, "tool_limits", tuple(self.tool_limits))


@dataclass(slots=True)
class Spent:
    """Calls a session has made.

    They are counted by what the host knows to run, never by what a kernel says it runs.

    Attributes:
        run: Since its last run began.
        session: In its life.
    """

    run: int = 0
    session: int = 0

    _KINDS: ClassVar[tuple[str, ...]] = ("run", "session")

    def count(self, budget: Budget, name: str) -> None:
        """Count one call of the tool ``name``.

        Raises:
            ToolDeniedError: There is none left; ``budget`` and ``limit`` say of which.
        """
        for kind in self._KINDS:
            which = f"calls_per_{kind}"
            most = getattr(budget, which)
            if most is not None and getattr(self, kind) >= most:
                raise ToolDeniedError(
                    f"{name[:200]} was not run: this {kind}'s budget of {most:,} tool calls is "
                    f"spent (Budget.{which})",
                    budget=which,
                    limit=most,
                )
        self.run += 1
        self.session += 1
