"""What a server says, as lines of JSON for programs that collect logs.

Place in the house: bottom; the servers' command lines use it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["JsonLines", "said"]


class JsonLines(logging.Formatter):
    """Formats each record as one line of JSON: time, level, logger, message, exception.

    A record's attribute ``facts`` (``extra={"facts": {...}}``) adds keys of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        facts: dict[str, Any] = {**getattr(record, "facts", {})}
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        return _line(record.created, record.levelname, record.name, record.getMessage(), facts)


def said(message: str, facts: Mapping[str, Any], *, logger: str) -> str:
    """Return the line of something that is no log record, as of now."""
    return _line(datetime.now(UTC).timestamp(), "INFO", logger, message, facts)


def _line(seconds: float, level: str, logger: str, message: str, facts: Mapping[str, Any]) -> str:
    time = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    told = {"time": time, "level": level.lower(), "logger": logger, "message": message}
    return json.dumps({**facts, **told}, default=str)
