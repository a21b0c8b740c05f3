"""What is said to every server through the SDK's client, beside calls.

Place in the house: ``tools.mcp``, below ``connection``; loaded on use, with the SDK.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import mcp_types as types
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

__all__ = [
    "LOG_LEVEL",
    "all_tools",
    "ask_for_logs",
    "client_info",
    "meta_of",
    "never_connected",
]

_log = logging.getLogger(__name__)

LOG_LEVEL: Final = "info"
"""From here on log messages are wanted."""

_PAGES = 1_000  # of tools; a server that repeats its cursor must not hang its start


def client_info() -> types.Implementation:
    """Return who we are."""
    from py_code_mode import __version__

    return types.Implementation(name="py-code-mode", version=__version__)


def meta_of(client: Client) -> Mapping[str, Any]:
    """Return what each request of a connection says of its client; it was said once before 2026."""
    if client.session.initialize_result is not None:
        return {}
    return {
        types.PROTOCOL_VERSION_META_KEY: client.protocol_version,
        types.CLIENT_INFO_META_KEY: client_info().model_dump(
            by_alias=True, mode="json", exclude_none=True
        ),
        types.CLIENT_CAPABILITIES_META_KEY: {},
        types.LOG_LEVEL_META_KEY: LOG_LEVEL,
    }


async def ask_for_logs(client: Client, server: str) -> None:
    """Say which messages are wanted; newer servers hear it with every request instead."""
    session = client.session
    if session.initialize_result is None or client.server_capabilities.logging is None:
        return
    level = types.SetLevelRequest(params=types.SetLevelRequestParams(level=LOG_LEVEL))
    try:
        await session.send_request(level, types.EmptyResult)
    except MCPError as error:
        _log.debug("MCP server %r takes no log level: %s", server, error)


async def all_tools(client: Client) -> list[types.Tool]:
    """Return the tools of all pages."""
    tools: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return tools


def never_connected(error: BaseException | None) -> bool:
    """Tell whether the other side was not there at all, so that it has seen nothing."""
    import httpx2

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
