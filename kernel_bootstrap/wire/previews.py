"""Artifacts as HTML: what is known about one, and what can be seen of it at a glance.

Place in the house: part of THE contract; standard library only. Nothing of an artifact gets into
the page but as escaped text or as a picture: those who look may be others than who saved it.
"""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Callable, Mapping
from typing import Any

from kernel_bootstrap.wire.bundles import Shown, framed
from kernel_bootstrap.wire.errors import CodeModeError
from kernel_bootstrap.wire.media import Media

__all__ = ["look", "preview"]

MAX_PREVIEW = 16 * 1024 * 1024
"""Bytes of an artifact that is loaded to show it."""

_TEXT_HEAD = 4_000
"""Characters of a text that are shown."""

_SHOWN = ("npy", "parquet", "value", "media", "bundle")
_TEXTS = ("text/plain", "text/html")

_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_ROWS = 10
_MAX_TABLE = 200_000
"""Characters of a table's HTML; a wider one is shown as text."""


def preview(info: Mapping[str, Any], inner: str) -> str:
    """Return an artifact's facts above what can be seen of it.

    Args:
        info: What is known about it.
        inner: HTML of its content; made here or escaped.
    """
    facts = [
        f"<b>{_safe(info.get('name'))}</b>",
        _safe(info.get("content_type") or info.get("kind")),
        f"{info.get('size', 0):,} bytes",
        _safe(info.get("type_name")),
        " ".join(f"<code>{_safe(tag)}</code>" for tag in info.get("tags", ())),
        _safe(time.strftime("%Y-%m-%d %H:%M", time.localtime(info.get("modified", 0)))),
        _safe(" ".join(filter(None, (info.get("author"), info.get("session"))))),
    ]
    said = info.get("description")
    line = " &middot; ".join(fact for fact in facts if fact)
    about = f"<div>{_safe(said)}</div>" if said else ""
    return f"<div>{line}</div>{about}{inner}"


def look(
    info: Mapping[str, Any], head: Callable[[int], bytes], load: Callable[[], Any]
) -> tuple[str, dict[str, Any]]:
    """Return what can be seen of an artifact's content at a glance.

    Args:
        info: What is known about it.
        head: Reads so many bytes of its beginning.
        load: Loads all of it as a value.

    Returns:
        HTML, and further formats by MIME type.
    """
    kind, is_picture = info["kind"], info["content_type"] in _PICTURES
    try:
        if kind in ("text", "json"):
            return _text(head(4 * _TEXT_HEAD).decode("utf-8", "replace"), info["size"]), {}
        if info["size"] > MAX_PREVIEW or not (kind in _SHOWN or is_picture):
            return "", {}
        value = load()
        if isinstance(value, bytes):
            return _picture(value, info["content_type"]), {}
        if isinstance(value, Shown):
            rest = {mime: part for mime, part in value.data.items() if mime not in _TEXTS}
            page = value.data.get("text/html")
            return framed(page) if isinstance(page, str) else "", rest if value.trusted else {}
        if isinstance(value, Media):
            return _picture(value.data, value.mime_type), _formats(value)
        return _table(value) or _text(_repr(value)), {}
    except (CodeModeError, OSError) as error:
        return _text(f"cannot be shown: {error}"), {}


def _formats(media: Media) -> dict[str, Any]:
    if media.mime_type not in ("image/png", "image/jpeg", "image/gif"):
        return {}
    return {media.mime_type: base64.b64encode(media.data).decode("ascii")}


def _picture(data: bytes, content_type: str) -> str:
    """Return HTML of a picture; empty if it is none that browsers show.

    In an ``img`` not even SVG can run code or fetch anything.
    """
    if content_type not in _PICTURES:
        return ""
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img src="data:{content_type};base64,{encoded}" style="max-width:100%">'


def _text(value: str, size: int = 0) -> str:
    """HTML of a text's beginning; ``size`` is that of all of it, if more is known of."""
    rest = "\n..." if max(len(value), size) > _TEXT_HEAD else ""
    return f"<pre>{_safe(value[:_TEXT_HEAD] + rest)}</pre>"


def _table(value: Any) -> str:
    """HTML of a frame's first rows, by its own means: these escape what is in the cells."""
    kind = type(value)
    if kind.__module__.partition(".")[0] not in ("pandas", "polars") or kind.__name__ != (
        "DataFrame"
    ):
        return ""
    shown: str = value.head(_ROWS)._repr_html_()
    rows, columns = value.shape
    if len(shown) > _MAX_TABLE:
        return ""
    return f"{shown}<div>{rows:,} rows, {columns:,} columns</div>"


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a value that cannot be printed is still there
        return f"<{type(value).__name__}; repr raised {type(error).__name__}>"


def _safe(value: Any) -> str:
    return html.escape(str(value or ""), quote=True)
