"""One session on a server, with the verbs of ``Session``.

Place in the house: inside ``container``, above ``streaming``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py_code_mode.container.connection import Connection
from py_code_mode.container.reading import (
    checked_id,
    read_session,
    session_path,
    variable_path,
)
from py_code_mode.container.streaming import RunStream
from py_code_mode.errors import (
    SessionClosed,
    SessionLost,
    SessionNotFound,
)
from py_code_mode.events import Event, Finished
from py_code_mode.jsonform import pack, read_fields
from py_code_mode.peek import Peek
from py_code_mode.results import ExecutionResult, Variable, value_from_dict

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["RemoteSession"]


class RemoteSession:
    """A session of a session server.

    Made by ``SessionClient``; its methods may be called from tasks of one event loop. They raise,
    beside what those of ``Session`` raise, the errors of ``RemoteError``: ``ServerUnreachable``,
    ``NotAuthorized``, ``SessionNotFound``, ``SessionLost``, ``ServerBusy`` and ``ServerFailed``.

    Args:
        connection: To the server.
        id: Which session; None: a new one, made when it is first needed.
        name: What it is called; empty until the server has said.
        owned: Whether ``aclose`` ends it on the server.

    Attributes:
        name: What it is called.
        warnings: What a branch lacks of the session it was forked from.
    """

    def __init__(
        self,
        connection: Connection,
        id: str | None = None,  # noqa: A002 - what the server calls it
        name: str = "",
        *,
        owned: bool,
    ) -> None:
        self.name = name
        self.warnings: tuple[str, ...] = ()
        self._connection = connection
        self._id = None if id is None else checked_id(id)
        self._owned = owned
        self._making = asyncio.Lock()
        self._closed = False

    @property
    def id(self) -> str | None:
        """The server's id of it; None as long as it was not needed."""
        return self._id

    @property
    def closed(self) -> bool:
        """Whether it was closed here; the server may have ended it besides."""
        return self._closed or self._connection.closed

    async def start(self) -> None:
        """Start the kernel now instead of with the first run.

        Raises:
            KernelStartError: It did not come up.
        """
        await self._ask("POST", "/start")

    async def run(self, code: str, *, timeout: float | None = None) -> ExecutionResult:
        """Run code and return all it returned and showed.

        A dropped connection is made again, and the run goes on meanwhile. Cancelling stops it.

        Args:
            code: Python as IPython takes it: magics, ``!shell`` and top-level ``await`` too.
            timeout: Seconds the code may take; None takes the server's default.

        Raises:
            RemoteError: The server refused, failed or was lost.
            KernelStartError: No kernel could be started there.
        """
        async with aclosing(self._follow(code, timeout, {"finished"})) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.result
        raise AssertionError("a stream ends with the result or an error")

    execute = run

    async def stream(self, code: str, *, timeout: float | None = None) -> AsyncIterator[Event]:
        """Run code and yield what it tells as it comes; the last event is ``Finished``.

        A dropped connection is made again; no event is lost or comes twice by that. Leaving the
        loop early interrupts the code. Arguments and errors are those of ``run``.
        """
        async with aclosing(self._follow(code, timeout, None)) as events:
            async for event in events:
                yield event

    async def _follow(
        self, code: str, timeout: float | None, only: set[str] | None
    ) -> AsyncGenerator[Event, None]:
        run = RunStream(self._connection, await self._place(), code, timeout, only)
        async with aclosing(run.events()) as events:
            async for event in events:
                yield event

    async def interrupt(self) -> None:
        """Break the running cell; nothing happens if none runs."""
        if self._id is not None:
            await self._ask("POST", "/interrupt", waits=False)

    async def peek(self) -> Peek:
        """Look at the running cell: its stack, variables, tool calls and last output."""
        if self._id is None:
            return Peek()
        data = await self._ask("GET", "/peek", waits=False)
        with self._connection.checking():
            return Peek.from_dict(data)

    async def reset(self) -> None:
        """Replace the kernel: all variables are gone, a running cell ends with an error.

        After the server has lost the session this begins a new one, if it was made here.
        """
        try:
            await self._ask("POST", "/reset")
        except (SessionLost, SessionNotFound):
            if not self._owned:
                raise
            self._id = None
            await self._place()

    async def variables(self) -> list[Variable]:
        """List the variables the code has made."""
        data = await self._ask("GET", "/variables")
        with self._connection.checking():
            rows = read_fields("the answer", data, variables=list)["variables"]
            return [Variable.from_dict(row) for row in rows]

    async def get_variable(self, name: str) -> Any:
        """Return a variable's value, exactly, or a ``RemoteValue``.

        Raises:
            KernelError: There is no variable of that name.
        """
        data = await self._ask("GET", variable_path(name))
        with self._connection.checking():
            return value_from_dict(read_fields("the answer", data, value=dict)["value"])

    async def set_variable(self, name: str, value: Any) -> None:
        """Give a variable a value.

        Raises:
            KernelError: The name is no identifier.
            ValueNotEncodableError: The value cannot cross.
        """
        path, packed = variable_path(name), pack(value)
        await self._ask("PUT", path, {"value": packed})

    async def fork(self, name: str | None = None) -> RemoteSession:
        """Branch the session: a further one, with a copy of all this one's variables.

        Args:
            name: The branch's name; None: the server makes one.

        Raises:
            KernelError: A cell is running, the name is taken, or kernels cannot be forked there.
        """
        data = await self._ask("POST", "/fork", {} if name is None else {"name": name})
        return RemoteSession.of(self._connection, data, owned=self._owned)

    async def transcript(self) -> NotebookNode:
        """Return the cells run so far with their outputs, as an nbformat notebook (4.5)."""
        import nbformat

        data = await self._ask("GET", "/notebook")
        try:
            notebook = nbformat.from_dict(data)
            nbformat.validate(notebook)
        except (nbformat.ValidationError, AttributeError, TypeError, KeyError) as error:
            raise self._connection.nonsense("its notebook is none") from error
        return notebook

    async def export_notebook(self, path: str | Path) -> Path:
        """Write the transcript to a file; return its path."""
        from py_code_mode.transcripts.files import write_notebook

        return await asyncio.to_thread(write_notebook, await self.transcript(), Path(path))

    async def info(self) -> dict[str, Any]:
        """Return what the server knows of the session: ``state``, ``created``, ``expires``, ..."""
        data = await self._ask("GET", "", waits=False)
        with self._connection.checking():
            read_fields("a session", data, id=str, name=str, state=str)
        return dict(data)

    async def aclose(self) -> None:
        """End the session and its kernel, if it was made here; closing twice is fine."""
        if not self.closed and self._owned:
            await self.end()
        self._closed = True

    close = aclose

    async def end(self) -> None:
        """End the session and its kernel, whoever made it; ending twice is fine."""
        if self.closed:
            return
        self._closed = True
        if self._id is not None:
            try:
                await self._connection.ask("DELETE", session_path(self._id))
            except (SessionLost, SessionNotFound):
                return  # it has ended already

    @classmethod
    def of(cls, connection: Connection, data: Any, *, owned: bool) -> RemoteSession:
        """Make a session of the server's description.

        Raises:
            ServerFailed: It is none.
        """
        session = cls(connection, owned=owned)
        session._learn(data)
        return session

    def _learn(self, data: Any) -> None:
        with self._connection.checking():
            self._id, self.name, self.warnings = read_session(data)

    async def _place(self) -> str:
        """Return the path of the session, which is made if there is none yet."""
        if self._closed:
            raise SessionClosed(f"session {self.name!r} is closed")
        async with self._making:
            if self._id is None:
                data = {"name": self.name} if self.name else {}
                self._learn(await self._connection.ask("POST", "/sessions", data=data, waits=True))
        assert self._id is not None
        return session_path(self._id)

    async def _ask(self, method: str, verb: str, data: Any = None, *, waits: bool = True) -> Any:
        place = await self._place()
        return await self._connection.ask(method, f"{place}{verb}", data=data, waits=waits)

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return (
            f"<RemoteSession {self.name or self._id or 'new'!r} at {self._connection.url}{state}>"
        )
