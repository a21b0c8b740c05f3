"""Values as the bytes of a request.

Place in the house: ``tools.http``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from kernel_bootstrap.wire.media import Media
from py_code_mode.errors import ToolCallError
from py_code_mode.tools.http.model import BodyKind
from py_code_mode.tools.http.styles import text_of

__all__ = ["encode"]


def encode(value: Any, kind: BodyKind, content_type: str) -> tuple[bytes, str]:
    """Return a body and its content type.

    Args:
        value: All of it, plain data.
        kind: How it is written.
        content_type: Its content type; empty is the usual one.

    Raises:
        ToolCallError: The value cannot be written so.
    """
    if kind == "json":
        return _json(value), content_type or "application/json"
    if kind == "raw":
        return _raw(value, content_type)
    if not isinstance(value, Mapping):
        raise ToolCallError(f"the body must be a dict, not {type(value).__name__}")
    if kind == "form":
        pairs = [f"{quote_plus(key)}={quote_plus(text)}" for key, text in _fields(value)]
        return "&".join(pairs).encode(), content_type or "application/x-www-form-urlencoded"
    return _multipart(value)


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        raise ToolCallError("the body is JSON, which has no bytes") from None


def _raw(value: Any, content_type: str) -> tuple[bytes, str]:
    if isinstance(value, Media):
        return value.data, content_type if "*" not in content_type else value.mime_type
    content_type = "" if "*" in content_type else content_type
    if isinstance(value, bytes):
        return value, content_type or "application/octet-stream"
    return text_of(value).encode(), content_type or "text/plain; charset=utf-8"


def _fields(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, text_of(each))
        for key, many in value.items()
        for each in (many if isinstance(many, list) else [many])
    ]


def _multipart(value: Mapping[str, Any]) -> tuple[bytes, str]:
    import httpx

    parts: list[Any] = []
    for key, many in value.items():
        for each in many if isinstance(many, list) else [many]:
            if isinstance(each, Media):
                parts.append((key, (each.name or key, each.data, each.mime_type)))
            elif isinstance(each, bytes):
                parts.append((key, (key, each, "application/octet-stream")))
            else:
                parts.append((key, (None, text_of(each).encode())))
    if not parts:
        raise ToolCallError("the body is a form with nothing in it")
    # It writes the parts and quotes their names; nothing is sent by it.
    request = httpx.Request("POST", "http://unused.invalid", files=parts)
    return request.read(), request.headers["content-type"]
