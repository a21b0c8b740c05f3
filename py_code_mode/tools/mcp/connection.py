"""One open connection to a server.

Place in the house: ``tools.mcp``, below the adapter; loaded on use, with the SDK.

The SDK's streams stand on cancel scopes, and those must be left in the task that entered them.
So a connection lives in one task of its own, from its opening to its closing; calls are made in
the tasks of their callers, overlap, and are failed by the session when the connection ends.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from anyio import BrokenResourceError, ClosedResourceError
from mcp.client.client import Client
from mcp.client.extension import UnexpectedClaimedResult
from mcp.shared.exceptions import MCPError

from py_code_mode import tracing
from py_code_mode.errors import ToolCallError, ToolError, ToolTimeoutError
from py_code_mode.tools.mcp.clients import (
    LOG_LEVEL,
    all_tools,
    ask_for_logs,
    client_info,
    meta_of,
    never_connected,
)
from py_code_mode.tools.mcp.server import Server
from py_code_mode.tools.mcp.stdio import StdioTransport
from py_code_mode.tools.mcp.streams import Refusals, opened
from py_code_mode.tools.mcp.tasks import call_as_task
from py_code_mode.tools.mcp.wording import explained

__all__ = ["Connection", "Ears", "NotSent"]

_log = logging.getLogger(__name__)

_CLOSING = 10.0  # seconds for saying goodbye
_LOST = "Session terminated"  # what the SDK makes of a 404 to somebody who had a session
_REFUSED = "Server returned an error response"  # and of every other status

Progressed = Callable[[float, float | None, str | None], None]


class NotSent(Exception):  # noqa: N818 - no error to its caller, who asks again
    """The server has not seen the call: the connection was gone before."""


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears what a server says unasked.

    Attributes:
        on_log: Takes its log messages: level, data, the name of its logger.
        on_stderr: Takes lines of its standard error.
        on_tools: Called when its tools are no longer the same.
    """

    on_log: Callable[[str, Any, str | None], None]
    on_stderr: Callable[[str], None]
    on_tools: Callable[[], None]


class Connection:
    """A connection; open it once, then make calls, then close it.

    Args:
        server: The server.
        ears: Who hears what it says unasked.
    """

    def __init__(self, server: Server, ears: Ears) -> None:
        self._server = server
        self._ears = ears
        self._over = asyncio.Event()
        self._client: Client | None = None
        self._meta: Mapping[str, Any] = {}
        self._failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._refusals = Refusals()
        self._process: StdioTransport | None = None
        if server.transport == "stdio":
            self._process = StdioTransport(server, ears.on_stderr)

    @property
    def is_alive(self) -> bool:
        """Whether a call has any chance."""
        if self._client is None or self._over.is_set():
            return False
        return self._process is None or not self._process.has_exited()

    async def open(self) -> list[types.Tool]:
        """Connect and ask for the tools.

        Raises:
            ToolError: That did not work in time; the message names the server.
        """
        ready: asyncio.Future[list[types.Tool]] = asyncio.get_running_loop().create_future()
        # A fresh context: a connection that is made again in a call is not that call's.
        self._task = asyncio.create_task(
            self._live(ready), name=f"MCP {self._server.name}", context=contextvars.Context()
        )
        try:
            both: list[asyncio.Future[Any]] = [self._task, ready]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self._task.cancel()
            await self.aclose()
            raise
        if ready.done():
            return ready.result()
        await self.aclose()
        raise ToolError(f"MCP server {self._server.name!r} {self._why_not()}")

    async def aclose(self) -> None:
        """End the connection, and the server's process; closing twice is fine."""
        self._over.set()
        if self._task is not None:
            _, slow = await asyncio.wait([self._task], timeout=_CLOSING)
            if slow:
                self._task.cancel()
                await asyncio.wait(slow)

    async def _live(self, ready: asyncio.Future[list[types.Tool]]) -> None:
        """Hold the connection from beginning to end."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._server.start_timeout):
                    client = await stack.enter_async_context(self._new_client())
                    tools = await all_tools(client)
                    await ask_for_logs(client, self._server.name)
                self._client, self._meta = client, meta_of(client)
                if self._process is not None:
                    self._process.is_gentle = True
                ready.set_result(tools)
                await self._over.wait()
        except Exception as error:  # noqa: BLE001 - told by open, or by the next call
            self._failure = error
            _log.debug("connection to MCP server %r: %s", self._server.name, explained(error))
        finally:
            self._client = None
            self._over.set()

    def _new_client(self) -> Client:
        return Client(
            opened(self._server, self._process, self._refusals, self._over.set),
            client_info=client_info(),
            logging_callback=self._on_log,
            message_handler=self._on_message,
            log_level=LOG_LEVEL,
            cache=None,
        )

    async def _on_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self._ears.on_log(params.level, params.data, params.logger)

    async def _on_message(self, message: types.ServerNotification | Exception) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._ears.on_tools()

    async def tools(self) -> list[types.Tool]:
        """Ask for the tools once more.

        Raises:
            ToolError: The server did not answer.
        """
        if self._client is None:
            raise ToolError(f"MCP server {self._server.name!r} has ended")
        try:
            async with asyncio.timeout(self._server.start_timeout):
                return await all_tools(self._client)
        except (MCPError, OSError, ValueError, ClosedResourceError) as error:
            name = self._server.name
            raise ToolError(f"MCP server {name!r} lists no tools: {explained(error)}") from error

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        on_progress: Progressed | None,
        *,
        as_task: bool = False,
    ) -> types.CallToolResult:
        """Call a tool; ``as_task`` if it can be called as a task only.

        Cancelling this, and its time limit, tells the server to stop.

        Raises:
            NotSent: The connection was gone before; another one may do.
            ToolCallError: The server refused, ended, or answered nonsense.
            ToolTimeoutError: It took too long.
        """
        client, name, limit = self._client, self._server.name, self._server.timeout
        if client is None:
            raise NotSent

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            if on_progress is not None:
                on_progress(progress, total, message)

        callback = None if on_progress is None else progressed
        try:
            async with asyncio.timeout(limit):
                if as_task:
                    return await call_as_task(client.session, tool, dict(arguments), callback)
                if self._process is not None and not tracing.is_on():
                    return await self._piped(client, tool, arguments, on_progress)
                return await client.call_tool(tool, dict(arguments), progress_callback=callback)
        except TimeoutError:
            text = f"tool {tool!r} of MCP server {name!r} took longer than its limit of {limit:g} s"
            raise ToolTimeoutError(text, timeout=limit) from None
        except MCPError as error:
            raise await self._refusal(tool, error) from error
        except (BrokenResourceError, ClosedResourceError) as error:
            raise await self._ended(tool) from error
        except (RuntimeError, ValueError, OSError, UnexpectedClaimedResult) as error:
            text = f"tool {tool!r} of MCP server {name!r}: {explained(error)}"
            raise ToolCallError(text) from error

    async def _piped(
        self,
        client: Client,
        tool: str,
        arguments: Mapping[str, Any],
        on_progress: Progressed | None,
    ) -> types.CallToolResult:
        """Call a tool over the pipe; who traces goes the SDK's way, which makes spans."""
        assert self._process is not None
        answer = await self._process.calls.call(tool, arguments, self._meta, on_progress)
        if answer.get("resultType") == "input_required":
            what = "it asks the client for something, which is not supported"
            raise ToolCallError(f"tool {tool!r} of MCP server {self._server.name!r}: {what}")
        result = types.CallToolResult.model_validate(answer, by_name=False)
        if not result.is_error:
            await client.session.validate_tool_result(tool, result)
        return result

    async def _refusal(self, tool: str, error: MCPError) -> Exception:
        """Return what an error of the protocol means for the caller."""
        if error.code == types.CONNECTION_CLOSED:
            return await self._ended(tool)
        if self._refusals.has_lost_session or error.message == _LOST:
            self._over.set()
            return NotSent()
        name = self._server.name
        return ToolCallError(
            f"tool {tool!r} of MCP server {name!r}: {self._explained(error)}", code=error.code
        )

    def _explained(self, error: BaseException) -> str:
        text = explained(error)
        return self._refusals.last if text == _REFUSED and self._refusals.last else text

    async def _ended(self, tool: str) -> Exception:
        """Return what it means for the caller that the connection has ended."""
        await self.aclose()
        if never_connected(self._failure):
            return NotSent()
        how = self._how_it_ended()
        name = self._server.name
        return ToolCallError(
            f"MCP server {name!r} ended while its tool {tool!r} ran" + (f": {how}" if how else "")
        )

    def _how_it_ended(self) -> str:
        if self._process is not None:
            return self._process.epitaph()
        return "" if self._failure is None else explained(self._failure)

    def _why_not(self) -> str:
        """Say why the connection did not come about."""
        if isinstance(self._failure, TimeoutError):
            said = "" if self._process is None else self._process.last_words
            text = f"did not answer within {self._server.start_timeout:g} s (start_timeout)"
            return f"{text}: {said}" if said else text
        said = "" if self._process is None else self._process.epitaph()
        reason = "it was closed" if self._failure is None else self._explained(self._failure)
        return f"did not start: {said or reason}"
