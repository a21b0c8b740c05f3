"""Pictures, sounds and links that a tool gives: values that carry their bytes and show themselves.

Place in the house: part of THE contract (``kernel_bootstrap.wire``); standard library only. The
same classes on both sides, and the codec's part for them.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.parts import Packed, Unpack, expect

__all__ = ["PACKERS", "UNPACKERS", "Media", "ResourceLink"]

_SHOWN_AS_IS = ("image/png", "image/jpeg", "image/gif", "application/pdf")
"""Formats every Jupyter client shows by themselves, base64 encoded."""

_PLAYED = {"audio": "audio controls", "video": "video controls"}


@dataclass(frozen=True, slots=True)
class Media:
    """Bytes of a format: an image, a sound, a document.

    In a cell it shows itself: as the last expression, or by ``display(media)``.

    Attributes:
        data: The bytes, not encoded.
        mime_type: What they are, e.g. ``image/png``.
        name: What the tool calls it; may be empty.
    """

    data: bytes
    mime_type: str
    name: str = ""

    def save(self, path: str | Path) -> Path:
        """Write the bytes to a file; return its path."""
        path = Path(path)
        path.write_bytes(self.data)
        return path

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {"text/plain": repr(self)}
        text = base64.b64encode(self.data).decode("ascii")
        kind = self.mime_type.partition("/")[0]
        if self.mime_type in _SHOWN_AS_IS:
            shown[self.mime_type] = text
        elif self.mime_type == "image/svg+xml":
            shown[self.mime_type] = self.data.decode("utf-8", "replace")
        elif kind in _PLAYED:
            source = f"data:{html.escape(self.mime_type)};base64,{text}"
            shown["text/html"] = f'<{_PLAYED[kind]} src="{source}"></{kind}>'
        elif kind == "image":
            source = f"data:{html.escape(self.mime_type)};base64,{text}"
            shown["text/html"] = f'<img src="{source}">'
        return shown

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<Media{name} {self.mime_type}, {len(self.data):,} bytes>"


@dataclass(frozen=True, slots=True)
class ResourceLink:
    """Where something is that a tool did not send along.

    Attributes:
        uri: Its address, as the tool's server knows it.
        name: What it is called.
        mime_type: What it is; empty when unknown.
        description: What it is about.
        size: Bytes, or None when unknown.
    """

    uri: str
    name: str = ""
    mime_type: str = ""
    description: str = ""
    size: int | None = None


def _pack_media(value: Media) -> Packed:
    return Packed("media", {"m": value.mime_type, "n": value.name}, buffers=[value.data])


def _unpack_media(fields: dict[str, Any]) -> Media:
    (data,) = fields["b"]
    return Media(bytes(data), expect(fields, "m", str), expect(fields, "n", str))


def _pack_link(value: ResourceLink) -> Packed:
    return Packed(
        "link",
        {
            "u": value.uri,
            "n": value.name,
            "m": value.mime_type,
            "d": value.description,
            "s": value.size,
        },
    )


def _unpack_link(fields: dict[str, Any]) -> ResourceLink:
    uri, name, mime_type, description = (expect(fields, each, str) for each in "unmd")
    return ResourceLink(uri, name, mime_type, description, expect(fields, "s", int, type(None)))


PACKERS: dict[type, Callable[[Any], Packed]] = {Media: _pack_media, ResourceLink: _pack_link}

UNPACKERS: dict[str, Unpack] = {"media": _unpack_media, "link": _unpack_link}
