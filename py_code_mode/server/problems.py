"""What goes wrong, as HTTP says it.

Place in the house: bottom of ``server``. One table turns the errors of the engine into answers;
whatever is not in it is a mistake of ours, is logged, and says nothing to the client.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from py_code_mode.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    CodeModeError,
    KernelDied,
    KernelError,
    KernelStartError,
    KernelUnresponsive,
    ProtocolError,
    SessionClosed,
    SkillError,
    ToolError,
    ValueNotEncodableError,
)
from py_code_mode.jsonform import dump_json

__all__ = ["Problem", "internal", "problem_of", "too_many"]


class Problem(CodeModeError):  # noqa: N818 - HTTP's own word (RFC 9457)
    """A request that is refused, or failed.

    Args:
        status: HTTP's number.
        kind: Our name for it: the ``type`` of the body.
        message: What is wrong, and what would be right.
        headers: Headers to send along.
        **details: Further members of the body.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})
        self.details = details

    def body(self) -> dict[str, Any]:
        """Return what is sent."""
        return {"error": {"type": self.kind, "message": self.message, **self.details}}

    def response(self) -> Response:
        """Return it as a response."""
        return Response(
            dump_json(self.body()), self.status, self.headers, media_type="application/json"
        )


def too_many(message: str, wait: float) -> Problem:
    """Make the answer for one request too many.

    Args:
        message: Which limit was reached.
        wait: Seconds after which it is worth another try.
    """
    seconds = max(1, math.ceil(wait))
    headers = {"Retry-After": str(seconds)}
    return Problem(429, "too_many", message, headers, retry_after=seconds)


def internal() -> Problem:
    """Make the answer for a mistake of ours, of which only the log speaks."""
    return Problem(500, "internal", "the server made a mistake; its log says which")


_ERRORS: tuple[tuple[type[CodeModeError], int, str], ...] = (
    (KernelStartError, 502, "kernel_start"),
    (KernelDied, 502, "kernel_died"),
    (KernelUnresponsive, 502, "kernel_unresponsive"),
    (KernelError, 409, "kernel_error"),
    (SessionClosed, 404, "session_not_found"),
    (ArtifactNotFoundError, 404, "not_found"),
    (ArtifactError, 409, "artifact_error"),
    (ValueNotEncodableError, 422, "not_encodable"),
    (ProtocolError, 400, "bad_request"),
    (SkillError, 409, "skill_error"),
    (ToolError, 409, "tool_error"),
)
"""Errors of the engine -> status and type; the first that fits."""


def problem_of(error: Exception) -> Problem | None:
    """Return the answer for an error; None: it is a mistake of ours."""
    if isinstance(error, Problem):
        return error
    for kind, status, name in _ERRORS:
        if isinstance(error, kind):
            return Problem(status, name, str(error))
    return None
