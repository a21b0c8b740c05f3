"""The answer to ``initialize``, before the SDK is loaded.

Place in the house: inside ``mcp_server``, standard library only; no I/O. A client waits for this
answer while it starts; loading the SDK takes longer than it should wait. So a first message that
is plainly an ``initialize`` we can serve is answered at once. The SDK gets the message all the
same and answers it again; ``is_answer`` knows that second answer, which is not sent. Whatever is
not plain is left to the SDK.
"""

from __future__ import annotations

import json
from typing import Any

from py_code_mode.mcp_server.identity import (
    CAPABILITIES,
    HANDSHAKE_VERSIONS,
    INSTRUCTIONS,
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
    if message.get("jsonrpc") != "2.0" or message.get("method") != "initialize":
        return None
    number, params = message.get("id"), message.get("params")
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    if not isinstance(params, dict) or not _is_plain(params):
        return None
    answer = {
        "jsonrpc": "2.0",
        "id": number,
        "result": {
            "protocolVersion": params["protocolVersion"],
            "capabilities": CAPABILITIES,
            "serverInfo": {"name": NAME, "title": TITLE, "version": VERSION},
            "instructions": INSTRUCTIONS,
        },
    }
    return number, json.dumps(answer).encode() + b"\n"


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


def _is_plain(params: dict[str, Any]) -> bool:
    """Whether these are parameters that no version of the SDK refuses."""
    if params.get("protocolVersion") not in HANDSHAKE_VERSIONS:
        return False
    client, capabilities = params.get("clientInfo"), params.get("capabilities")
    if not isinstance(client, dict) or not isinstance(capabilities, dict):
        return False
    named = isinstance(client.get("name"), str) and isinstance(client.get("version"), str)
    return named and all(isinstance(value, dict) for value in capabilities.values())
