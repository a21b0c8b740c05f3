"""What runs code, wherever it runs: the verbs that an executor, a session and a client share.

Place in the house: values layer. ``CodeExecutor``, ``Session`` and the client of a session server
satisfy these without knowing them; what takes a ``Runner`` works with each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, Self, runtime_checkable

from py_code_mode.events import Event
from py_code_mode.peek import Peek
from py_code_mode.results import ExecutionResult, Variable

__all__ = ["Runner", "SessionHost"]


@runtime_checkable
class Runner(Protocol):
    """An isolated namespace that code runs in, here or on another machine."""

    async def start(self) -> None:
        """Start the kernel now instead of with the first run."""
        ...

    async def run(self, code: str, *, timeout: float | None = None) -> ExecutionResult:
        """Run code and return all it returned and showed.

        Args:
            code: Python as IPython takes it.
            timeout: Seconds the code may take; None: as many as it may if nobody says.
        """
        ...

    def stream(self, code: str, *, timeout: float | None = None) -> AsyncIterator[Event]:
        """Run code and yield what it tells as it comes; the last event is ``Finished``."""
        ...

    async def interrupt(self) -> None:
        """Break the running cell; nothing happens if none runs."""
        ...

    async def peek(self) -> Peek:
        """Look at the running cell: stack, variables, tool calls, last output."""
        ...

    async def reset(self) -> None:
        """Replace the kernel: all variables are gone."""
        ...

    async def variables(self) -> list[Variable]:
        """List the variables the code has made."""
        ...

    async def get_variable(self, name: str) -> Any:
        """Return a variable's value, exactly, or a ``RemoteValue``."""
        ...

    async def set_variable(self, name: str, value: Any) -> None:
        """Give a variable a value."""
        ...

    async def fork(self, name: str | None = None) -> Runner:
        """Branch it: a further one, with a copy of all this one's variables."""
        ...

    async def aclose(self) -> None:
        """End it; closing twice is fine."""
        ...


@runtime_checkable
class SessionHost(Runner, Protocol):
    """A ``Runner`` of a default session that has further ones."""

    async def session(self, name: str | None = None) -> Runner:
        """Return the session of that name, made if there is none; None makes a new one."""
        ...

    async def sessions(self) -> Sequence[Runner]:
        """List the open sessions."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...
