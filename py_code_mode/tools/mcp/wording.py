"""What went wrong with a server, in one sentence; and logs that show no secrets.

Place in the house: ``tools.mcp``; knows the SDK only by the names of its loggers.
"""

from __future__ import annotations

import json
import logging
import weakref
from typing import Any

from py_code_mode.secrets import Secrets

__all__ = ["explained", "hide_in_logs", "level_of", "log_text"]

_LOGGERS = (
    *("client", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpx2"),
    *("mcp.client.client", "mcp.client.session", "mcp.client.sse", "mcp.client.streamable_http"),
    *("mcp.shared.jsonrpc_dispatcher", "py_code_mode.tools.mcp.connection"),
)
"""What the SDK logs through: addresses, and at lower levels whole messages and headers."""

_LEVELS = {"debug": 10, "info": 20, "notice": 20, "warning": 30}

_TEXT = 2_000  # characters of an exception


class _Hiding(logging.Filter):
    """Takes secrets out of records."""

    def __init__(self) -> None:
        super().__init__()
        self.known: weakref.WeakSet[Secrets] = weakref.WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where it shows a secret; it is always logged."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True  # logging itself complains of it
        hidden = text
        for secrets in list(self.known):
            hidden = secrets.redact(hidden)
        if hidden != text:
            record.msg, record.args = hidden, None
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            for secrets in list(self.known):
                trace = secrets.redact(trace)
            record.exc_info, record.exc_text = None, trace
        return True


_HIDING = _Hiding()


def hide_in_logs(secrets: Secrets) -> None:
    """Take secrets out of what the SDK and its HTTP client log from now on."""
    _HIDING.known.add(secrets)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_HIDING)  # a filter is added once


def level_of(name: str) -> int:
    """Return the number of a level of the protocol; what is above a warning is an error."""
    return _LEVELS.get(name, logging.ERROR)


def log_text(data: Any, logger: str | None) -> str:
    """Return a server's log message as a line of text."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, default=str)
    return f"{logger}: {text}" if logger else text


def explained(error: BaseException) -> str:
    """Return the one sentence that an exception comes down to."""
    from pydantic import ValidationError

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"{error.filename!r} is not installed, or not on the PATH"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"its answer does not follow the protocol: {where}: {first['msg']}"[:_TEXT]
    kind, text = type(error).__name__, str(error).strip()
    if kind == "MCPError":
        return text[:_TEXT]
    return f"{kind}: {text}"[:_TEXT] if text else kind
