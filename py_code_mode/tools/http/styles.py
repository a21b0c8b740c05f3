"""Values as text of a path, a query, a header or a cookie: OpenAPI's styles (RFC 6570).

Place in the house: ``tools.http``. Everything an agent gives is quoted here: no value can end
the part of a request it stands in.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from py_code_mode.errors import ToolCallError

__all__ = ["as_header", "as_path", "as_query", "text_of"]

_BETWEEN = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}


def text_of(value: Any) -> str:
    """Return one value as text.

    Raises:
        ToolCallError: It is bytes, or text that cannot be sent.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise ToolCallError("has half a character (a lone surrogate)")
        return value
    if isinstance(value, list | dict):
        try:
            return json.dumps(value, ensure_ascii=True)
        except (TypeError, ValueError):
            raise ToolCallError("has bytes in it; only text can stand there") from None
    raise ToolCallError("is bytes; only text can stand there")


def _json(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else text_of(value) or "null"


def _quoted(value: Any) -> str:
    return quote(text_of(value), safe="")


def _joined(value: Any, between: str, inner: str) -> str:
    """Write a list or an object; ``inner`` stands between key and value."""
    if isinstance(value, dict):
        return between.join(f"{_quoted(key)}{inner}{_quoted(each)}" for key, each in value.items())
    return between.join(map(_quoted, value))


def as_path(key: str, value: Any, style: str, *, explode: bool | None) -> str:
    """Return a value as one segment of a path.

    Raises:
        ToolCallError: It would change the path: it is empty, or has ``.`` or ``..`` as a part.
    """
    parts = value if isinstance(value, list) else [value]
    for part in parts:
        text = text_of(part)
        # Quoted they are as good as not quoted to many a server and proxy.
        if {".", ".."} & set(text.replace("\\", "/").split("/")):
            raise ToolCallError("must not have '.' or '..' as a part: it stands in a path")
    inner = "=" if explode else ","
    if not isinstance(value, list | dict):
        text = _quoted(value)
    elif style == "label":
        text = _joined(value, "." if explode else ",", inner)
    elif style == "matrix" and explode:
        name = quote(key, safe="")
        pairs = value.items() if isinstance(value, dict) else ((name, each) for each in value)
        return "".join(f";{quote(name, safe='')}={_quoted(each)}" for name, each in pairs)
    else:
        text = _joined(value, ",", inner)
    if not text:
        raise ToolCallError("must not be empty: it stands in a path")
    if style == "matrix":
        return f";{quote(key, safe='')}={text}"
    return f".{text}" if style == "label" else text


def as_query(key: str, value: Any, style: str, *, explode: bool | None) -> list[str]:
    """Return a value as pairs of a query, each ``name=value``."""
    name = quote(key, safe="")
    if style == "json":  # not of OpenAPI: its `content` in place of a style
        return [f"{name}={quote(_json(value), safe='')}"]
    explode = style in {"", "form"} if explode is None else explode
    if isinstance(value, dict):
        if style == "deepObject":
            return [
                f"{name}%5B{quote(inner, safe='')}%5D={_quoted(each)}"
                for inner, many in value.items()
                for each in (many if isinstance(many, list) else [many])
            ]
        if explode:
            return [f"{_quoted(inner)}={_quoted(each)}" for inner, each in value.items()]
        return [f"{name}={_joined(value, ',', ',')}"]
    if isinstance(value, list):
        if explode:
            return [f"{name}={_quoted(each)}" for each in value]
        return [f"{name}={_joined(value, _BETWEEN.get(style, ','), ',')}"] if value else []
    return [f"{name}={_quoted(value)}"]


def as_header(value: Any, *, explode: bool | None) -> str:
    """Return a value as a header has it.

    Raises:
        ToolCallError: It has line breaks or other control characters.
    """
    if isinstance(value, list):
        text = ",".join(map(text_of, value))
    elif isinstance(value, dict):
        inner = "=" if explode else ","
        text = ",".join(f"{text_of(key)}{inner}{text_of(each)}" for key, each in value.items())
    else:
        text = text_of(value)
    if any(ord(char) < 32 or ord(char) == 127 for char in text):  # noqa: PLR2004 - controls
        raise ToolCallError("must not have line breaks or control characters: it is a header")
    return text.strip()
