"""``SyncSessionClient``: a session server for programs without an event loop.

Place in the house: top of ``container``, beside ``client``, which does the work in a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from py_code_mode.container.client import SessionClient
from py_code_mode.errors import SessionClosed
from py_code_mode.events import Event
from py_code_mode.peek import Peek
from py_code_mode.results import ExecutionResult, Variable

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["SyncSessionClient"]

T = TypeVar("T")


class SyncSessionClient:
    """The default session of a ``SessionClient``, with verbs that return when they are done.

    Use it in a ``with`` block, from one thread at a time. For artifacts and further sessions
    use ``SessionClient``.

    Args:
        base_url: Where the server is.
        token: The server's bearer token, if it asks for one.
        session: Id of the session to use, which outlives the client; None: one of its own.
        **options: Further keyword arguments of ``SessionClient``.

    Raises:
        ConfigError: The url or the token cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        session: str | None = None,
        **options: Any,
    ) -> None:
        self._make = partial(SessionClient, base_url, token, session, **options)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._client: SessionClient | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal("asyncio"))
            client = self._make()
            self._client = stack.enter_context(self._portal.wrap_async_context_manager(client))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session it made, and the connections; closing twice is fine."""
        self._client = None
        self._stack.close()

    @property
    def _open(self) -> SessionClient:
        if self._client is None:
            raise SessionClosed("the client is closed, or was not entered: use `with`")
        return self._client

    def _wait(self, work: Callable[[], Awaitable[T]]) -> T:
        assert self._portal is not None
        future = self._portal.start_task_soon(work)
        try:
            return future.result()
        except BaseException:  # Ctrl-C among them: the code is not to run on
            future.cancel()
            raise

    def start(self) -> None:
        """Start the kernel now; see ``SessionClient.start``."""
        self._wait(self._open.start)

    def run(self, code: str, *, timeout: float | None = None) -> ExecutionResult:
        """Run code and return all it returned and showed; see ``SessionClient.run``."""
        return self._wait(partial(self._open.run, code, timeout=timeout))

    execute = run

    def stream(self, code: str, *, timeout: float | None = None) -> Iterator[Event]:
        """Run code and yield what it tells as it comes; see ``SessionClient.stream``."""
        events = self._open.default.stream(code, timeout=timeout)
        try:
            while True:
                event = self._wait(partial(anext, events, None))
                if event is None:
                    return
                yield event
        finally:
            self._wait(events.aclose)  # type: ignore[attr-defined]

    def interrupt(self) -> None:
        """Break the running cell; see ``SessionClient.interrupt``."""
        self._wait(self._open.interrupt)

    def peek(self) -> Peek:
        """Look at the running cell, from another thread; see ``SessionClient.peek``."""
        return self._wait(self._open.peek)

    def reset(self) -> None:
        """Replace the kernel: all variables are gone; see ``SessionClient.reset``."""
        self._wait(self._open.reset)

    def variables(self) -> list[Variable]:
        """List the variables the code has made."""
        return self._wait(self._open.variables)

    def get_variable(self, name: str) -> Any:
        """Return a variable's value; see ``SessionClient.get_variable``."""
        return self._wait(partial(self._open.get_variable, name))

    def set_variable(self, name: str, value: Any) -> None:
        """Give a variable a value; see ``SessionClient.set_variable``."""
        self._wait(partial(self._open.set_variable, name, value))

    def transcript(self) -> NotebookNode:
        """Return the cells run so far as a notebook."""
        return self._wait(self._open.transcript)

    def export_notebook(self, path: str | Path) -> Path:
        """Write the transcript to a file; return its path."""
        return self._wait(partial(self._open.export_notebook, path))
