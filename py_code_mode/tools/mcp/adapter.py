"""An MCP server as a source of tools.

Place in the house: ``tools.mcp``, what the loader and programs make. Nothing here loads the SDK
before a server is started.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import CodeModeError, ConfigError, ToolCallError, ToolError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.jsonschema import check_names
from py_code_mode.tools.mcp.arguments import json_arguments
from py_code_mode.tools.mcp.listing import Choice, Offer, Offers, offers_of
from py_code_mode.tools.mcp.server import Server, Transport
from py_code_mode.tools.mcp.wording import hide_in_logs, level_of, log_text
from py_code_mode.tools.names import not_found
from py_code_mode.tools.reports import Log, Progress, Report, Sink, current_sink

if TYPE_CHECKING:
    import mcp_types as types

    from py_code_mode.tools.mcp.connection import Connection
    from py_code_mode.tools.mcp.content import Parse

__all__ = ["MCPAdapter"]

_log = logging.getLogger(__name__)


class MCPAdapter:
    """The tools of one MCP server, named ``<server>.<tool>``.

    Start it by ``await registry.connect(adapter)``.

    Args:
        name: Name of the server.
        transport: ``stdio`` starts a program, ``sse`` and ``http`` (streamable HTTP) go to a url.
        command: Program to start.
        args: Its arguments.
        env: What is in its environment beside the few variables every program needs.
        cwd: Its working directory, by default the host's.
        url: Address of the server.
        headers: What every request to it carries.
        timeout: Seconds a call may take.
        start_timeout: Seconds until its tools must be known.
        include: Patterns of the tools to offer (``get_*``), by default all.
        exclude: Patterns of tools to leave out.
        parse: ``auto`` gives texts that are JSON objects or arrays as values, ``text`` as texts.
        description: What tools are about that do not say it themselves.
        tags: Labels for scoping.
        secrets: What ``${NAME}`` in args, env, url and headers stands for; without it they are
            taken as they are. Neither results nor errors nor logs show a secret.

    Raises:
        ConfigError: A value is not acceptable, or the package ``mcp`` is not installed.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each key of a tool file
        self,
        name: str,
        *,
        transport: Transport = "stdio",
        command: str | None = None,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        start_timeout: float = 30.0,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        parse: Parse = "auto",
        description: str = "",
        tags: Collection[str] = (),
        secrets: Mapping[str, str] | Secrets | None = None,
    ) -> None:
        server = Server(
            *(name, transport, command, tuple(args), dict(env or {})),
            *(None if cwd is None else Path(cwd), url, dict(headers or {})),
            *(timeout, start_timeout),
        )
        if parse not in ("auto", "text"):
            raise ConfigError(f"must be 'auto' or 'text', not {parse!r}", key="parse")
        _check_installed()
        # Those of a registry are taken out of results by the registry.
        self._hides_alone = not isinstance(secrets, Secrets)
        self._secrets = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        self._server = server if secrets is None else server.filled(self._secrets)
        self._choice = Choice(tuple(include), tuple(exclude), frozenset(tags), description.strip())
        self._parse: Parse = parse
        self._offers = Offers()
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._sinks: dict[object, Sink | None] = {}
        self._refresh: asyncio.Task[None] | None = None
        self._changed: Callable[[], None] = lambda: None
        self._is_closed = False

    async def start(self) -> Sequence[str]:
        """Connect and learn the tools.

        Returns:
            Which tools were left out, and why.

        Raises:
            ToolError: The server did not start; the message names it.
        """
        hide_in_logs(self._secrets)
        async with self._opening:
            await self._open()
        return self._offers.told

    def tools(self) -> Sequence[ToolInfo]:
        """Return the tools the server offers, as far as they are wanted."""
        return self._offers.infos

    def watch(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called when the server has other tools, also after it died."""
        self._changed = changed

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a tool.

        Returns:
            Its structured answer if it gives one, else its content: text or what its JSON says,
            ``Media``, ``ResourceLink``, or a list of those.

        Raises:
            ToolNotFoundError: There is no such tool.
            ToolCallError: An argument is wrong, the tool failed, or the server is gone.
            ToolTimeoutError: It took too long; the server was told to stop.
        """
        if self._is_closed:
            raise ToolCallError(f"MCP server {self._server.name!r} is closed")
        offer = self._offers.by_name.get(name)
        if offer is None:
            raise not_found(name, self._offers.by_name)
        check_names(name, offer.info.params, arguments, takes_any=offer.takes_any)
        checked = json_arguments(offer.info, arguments)
        key, sink = object(), current_sink()
        self._sinks[key] = sink
        try:
            return await self._answer(offer, checked, sink)
        except CodeModeError as error:
            message = self._secrets.redact(error.message)
            details = self._secrets.redact(error.details)
            if (message, details) == (error.message, error.details):
                raise
            raise type(error)(message, **details) from None  # what it came from shows them too
        finally:
            del self._sinks[key]

    async def aclose(self) -> None:
        """End the connection and the server's process; calls end with a ``ToolCallError``."""
        self._is_closed = True
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait([self._refresh])
        if self._connection is not None:
            await self._connection.aclose()

    async def _answer(self, offer: Offer, arguments: dict[str, Any], sink: Sink | None) -> Any:
        from py_code_mode.tools.mcp.connection import NotSent
        from py_code_mode.tools.mcp.content import value_of

        def progressed(done: float, total: float | None, message: str | None) -> None:
            self._report(sink, Progress(done, total, self._secrets.redact(message or "")))

        on_progress = None if sink is None else progressed
        for _ in range(2):
            connection = await self._connected()
            try:
                result = await connection.call(
                    offer.name, arguments, on_progress, as_task=offer.as_task
                )
            except NotSent:
                continue
            value = value_of(offer.info.name, result, offer.output_schema, self._parse)
            return self._secrets.redact(value) if self._hides_alone else value
        raise ToolCallError(f"MCP server {self._server.name!r} cannot be reached")

    async def _connected(self) -> Connection:
        """Return a connection that lives; one that died is made anew, once."""
        async with self._opening:
            if self._connection is not None and self._connection.is_alive:
                return self._connection
            if self._is_closed:
                raise ToolCallError(f"MCP server {self._server.name!r} is closed")
            had_one = self._connection is not None
            try:
                return await self._open()
            except ToolError as error:
                who, text = f"MCP server {self._server.name!r} ", error.message
                if had_one:
                    text = f"{who}had ended and, started again, {text.removeprefix(who)}"
                raise ToolCallError(text) from error

    async def _open(self) -> Connection:
        from py_code_mode.tools.mcp.connection import Connection, Ears

        if self._connection is not None:
            await self._connection.aclose()
        ears = Ears(self._on_log, self._on_stderr, self._on_tools)
        connection = Connection(self._server, ears)
        try:
            tools = await connection.open()
        except ToolError as error:
            raise ToolError(self._secrets.redact(error.message)) from None
        self._connection = connection
        self._offer(tools)
        if self._is_closed:  # while it was being opened
            await connection.aclose()
        return connection

    def _on_log(self, level: str, data: Any, logger: str | None) -> None:
        text = self._secrets.redact(log_text(data, logger))
        # Over HTTP a message comes in the context of its call. Over a pipe it names no call: it
        # is the only one's that runs, and nobody's when there are several.
        sink = current_sink()
        if sink is None and len(self._sinks) == 1:
            (sink,) = self._sinks.values()
        if sink is None:
            _log.log(level_of(level), "MCP server %r: %s", self._server.name, text)
        else:
            self._report(sink, Log(level, text))

    def _report(self, sink: Sink | None, report: Report) -> None:
        if sink is not None:
            sink(report)

    def _on_stderr(self, line: str) -> None:
        _log.info("MCP server %r: %s", self._server.name, self._secrets.redact(line))

    def _on_tools(self) -> None:
        _log.info("MCP server %r has other tools now", self._server.name)
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._relist())

    async def _relist(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            tools = await connection.tools()
        except ToolError as error:
            _log.warning("%s", self._secrets.redact(error.message))
            return
        self._offer(tools)

    def _offer(self, tools: Sequence[types.Tool]) -> None:
        """Offer what the server lists now."""
        before, self._offers = self._offers, offers_of(self._server.name, tools, self._choice, self)
        if self._offers.by_name != before.by_name:
            self._changed()


def _check_installed() -> None:
    """Refuse to go on without the SDK, or with one that is too old."""
    install = "pip install py-code-mode[mcp]"
    if importlib.util.find_spec("mcp") is None:
        raise ConfigError(f"tools of type 'mcp' need the package mcp: {install}", key="type")
    version = importlib.metadata.version("mcp")
    if int(version.partition(".")[0]) < 2:  # noqa: PLR2004 - the SDK's major version
        text = f"tools of type 'mcp' need the package mcp 2, not {version}: {install}"
        raise ConfigError(text, key="type")
