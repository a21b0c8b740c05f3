"""The answer to a client's first message, before the SDK is loaded.

Place in the house: inside ``mcp_server``, standard library only; no I/O. A client waits for this
answer while it starts; loading the SDK takes longer than it should wait. So a first message that
is plainly an ``initialize`` we can serve, or a ``server/discover``, with which versions since
2026-07-28 begin, is answered at once. The SDK gets the message all the same and answers it again;
``is_answer`` knows that second answer, which is not sent. Whatever is not plain is left to the SDK.
"""

from __future__ import annotations

import json
from typing import Any

from py_code_mode.mcp_server.identity import (
    CAPABILITIES,
    HANDSHAKE_VERSIONS,
    INSTRUCTIONS,
    MODERN_VERSIONS,
    NAME,
    TITLE,
    VERSION,
)

__all__ = ["RequestId", "early_answer", "is_answer"]

RequestId = int | str


def early_answer(line: bytes) -> tuple[RequestId, bytes] | None:
    """Answer the first message of a client.

    Args:
        line: The message as it came.

    Returns:
        The id of the request and the answer, a line; None if the SDK must see to it.
    """
    message = _read(line)
    number, params = message.get("id"), message.get("params")
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    work = _ANSWERS.get(str(message.get("method")))
    if message.get("jsonrpc") != "2.0" or work is None or not isinstance(params, dict):
        return None
    result = work(params)
    if result is None:
        return None
    return number, json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode() + b"\n"


def is_answer(text: str, number: RequestId) -> bool:
    """Whether a message answers the request of this id."""
    message = _read(text)
    return "method" not in message and message.get("id") == number


def _read(text: bytes | str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


_SERVER_INFO = {"name": NAME, "title": TITLE, "version": VERSION}
_ABOUT = {"capabilities": CAPABILITIES, "instructions": INSTRUCTIONS}


def _initialize(params: dict[str, Any]) -> dict[str, Any] | None:
    version = params.get("protocolVersion")
    if version not in HANDSHAKE_VERSIONS or not _is_client(params.get("clientInfo")):
        return None
    if not _are_capabilities(params.get("capabilities")):
        return None
    return {"protocolVersion": version, "serverInfo": _SERVER_INFO, **_ABOUT}


def _discover(params: dict[str, Any]) -> dict[str, Any] | None:
    meta = params.get("_meta")
    if not isinstance(meta, dict) or meta.get(f"{_PREFIX}/protocolVersion") not in MODERN_VERSIONS:
        return None
    client = meta.get(f"{_PREFIX}/clientInfo")
    if client is not None and not _is_client(client):
        return None
    if not _are_capabilities(meta.get(f"{_PREFIX}/clientCapabilities")):
        return None
    return {
        "supportedVersions": [*MODERN_VERSIONS],
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
        **_ABOUT,
        "_meta": {f"{_PREFIX}/serverInfo": _SERVER_INFO},
    }


_PREFIX = "io.modelcontextprotocol"
_ANSWERS = {"initialize": _initialize, "server/discover": _discover}


def _is_client(info: Any) -> bool:
    """Whether this is a client's name that no version of the SDK refuses."""
    if not isinstance(info, dict):
        return False
    return isinstance(info.get("name"), str) and isinstance(info.get("version"), str)


def _are_capabilities(capabilities: Any) -> bool:
    if not isinstance(capabilities, dict):
        return False
    return all(isinstance(value, dict) for value in capabilities.values())
