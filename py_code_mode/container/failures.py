"""What a server refuses, or fails at, as our errors.

Place in the house: bottom of ``container``. The one place where an answer becomes an error; the
words of the server are shown, never followed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from kernel_bootstrap.wire.limits import cut_text, strip_ansi
from py_code_mode.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactWriteError,
    CodeModeError,
    KernelDied,
    KernelError,
    KernelStartError,
    KernelUnresponsive,
    NotAuthorized,
    ProtocolError,
    RemoteError,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    SessionLost,
    SessionNotFound,
    ValueNotEncodableError,
)
from py_code_mode.jsonform import load_json

__all__ = ["failure", "retry_after"]

_SAME: dict[str, type[CodeModeError]] = {
    "artifact_error": ArtifactError,
    "artifact_not_found": ArtifactNotFoundError,
    "artifact_write": ArtifactWriteError,
    "kernel_died": KernelDied,
    "kernel_error": KernelError,
    "kernel_start": KernelStartError,
    "kernel_unresponsive": KernelUnresponsive,
    "not_encodable": ValueNotEncodableError,
    "session_busy": KernelError,
}
"""Errors that mean the same as they do where the kernels are, so they are the same."""

_REMOTE: dict[str, type[RemoteError]] = {
    "forbidden": NotAuthorized,
    "internal": ServerFailed,
    "session_lost": SessionLost,
    "session_not_found": SessionNotFound,
    "shutting_down": ServerBusy,
    "stream_gone": ServerUnreachable,
    "too_many": ServerBusy,
    "unauthorized": NotAuthorized,
}
_STATUS: dict[int, type[RemoteError]] = {
    401: NotAuthorized,
    403: NotAuthorized,
    429: ServerBusy,
    503: ServerBusy,
}
_MAX_MESSAGE = 4_000
_MAX_DETAILS = 20
_MAX_WAIT = 3_600.0
_LOWEST_FAULT = 500  # of the server


def failure(
    status: int | None, headers: Mapping[str, str], body: bytes, where: str
) -> CodeModeError:
    """Return the error that an answer means.

    Args:
        status: Its HTTP status; None: the error came inside of a stream.
        headers: Its headers.
        body: Its body, which may be anything.
        where: Whose answer it is, for the message.
    """
    said = _said(body)
    kind = said.pop("type", None)
    kind = kind if isinstance(kind, str) else ""
    message = said.pop("message", None)
    if not isinstance(message, str):
        message = f"the answer was HTTP {status}" if status else "the server failed"
    message = f"{where}: {_clean(message)}"
    same = _SAME.get(kind)
    if same is not None:
        return same(message)
    error = _REMOTE.get(kind) or _by_status(status)
    details = {name: value for name, value in said.items() if _is_detail(name, value)}
    details |= {"status": status, "kind": kind[:100]}
    if error is ServerBusy:
        details["retry_after"] = retry_after(headers, said)
    return error(message, **details)


def retry_after(headers: Mapping[str, str], said: Mapping[str, Any] | None = None) -> float:
    """Return the seconds after which a server wants to be asked again; 1 where it does not say."""
    text = headers.get("retry-after", "").strip() or str((said or {}).get("retry_after", ""))
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 1.0
    return min(max(seconds, 0.0), _MAX_WAIT) if math.isfinite(seconds) else 1.0


def _said(body: bytes) -> dict[str, Any]:
    try:
        data = load_json(body)
    except ProtocolError:
        return {}
    said = data.get("error") if isinstance(data, dict) else None
    return dict(said) if isinstance(said, dict) else {}


def _by_status(status: int | None) -> type[RemoteError]:
    if status is None or status >= _LOWEST_FAULT:
        return ServerBusy if status in _STATUS else ServerFailed
    return _STATUS.get(status, RemoteError)


def _is_detail(name: str, value: Any) -> bool:
    """Whether something beside the message may become an attribute of the error."""
    taken = {"status", "kind", "retry_after", "message", "details", "self", "args"}
    plain = value is None or type(value) in (bool, int, float, str)
    return name.isidentifier() and not name.startswith("_") and name not in taken and plain


def _clean(text: str) -> str:
    """Make what a server says fit to be shown in a terminal."""
    text = strip_ansi(cut_text(text, _MAX_MESSAGE))
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
