"""What an object shows, kept in its place: figures, charts, and whatever else displays itself.

Place in the house: part of THE contract, below ``packing``; standard library only. A kernel asks an
object for its formats; what comes back from storage is checked, and only ever shown.
"""

from __future__ import annotations

import base64
import html
import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel_bootstrap.wire.errors import ArtifactError
from kernel_bootstrap.wire.media import Media
from kernel_bootstrap.wire.parts import Buffer, Packed, Unpack, expect

__all__ = ["PACKERS", "UNPACKERS", "Shown", "framed", "pack", "unpack", "unpack_media"]

_FORMATS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
    "_repr_pdf_": "application/pdf",
}
"""IPython's methods by which objects show themselves."""

_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml", "application/pdf")
"""Formats that are files by themselves."""

_HARMLESS = ("text/plain", "image/png", "image/jpeg", "image/gif")

_DATA = ("pandas", "polars", "numpy")
"""Libraries whose objects are data. Shown they would be something else: they are refused."""

_STYLES = "pandas.io.formats."
"""Of those the part whose objects are there to be shown."""

_FILE_FORMATS = {
    ".svg": ("svg", "image/svg+xml"),
    ".pdf": ("pdf", "application/pdf"),
    ".jpg": ("jpeg", "image/jpeg"),
    ".jpeg": ("jpeg", "image/jpeg"),
}
"""What a figure's name may ask for in place of PNG."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What an object showed when it was saved; in a cell it shows the same.

    Attributes:
        data: Its formats by MIME type, as Jupyter has them: binary ones in base64.
        metadata: What goes with them.
        type_name: Type of the object.
        trusted: Whether it may show all of it. On the host it may not: there its HTML goes into
            a frame without scripts or origin, and formats that can hold code are left out.
    """

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    type_name: str = ""
    trusted: bool = False

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.trusted:
            return {"text/plain": repr(self), **self.data}, dict(self.metadata)
        shown: dict[str, Any] = {"text/plain": repr(self)}
        shown |= {mime: part for mime, part in self.data.items() if mime in _HARMLESS}
        if isinstance(page := self.data.get("text/html"), str):
            shown["text/html"] = framed(page)
        return shown, {}

    def __repr__(self) -> str:
        return f"<Shown {self.type_name or 'object'}: {', '.join(self.data)}>"


def framed(page: str) -> str:
    """Return HTML that shows somebody else's HTML, without scripts or origin."""
    inner = html.escape(page, quote=True)
    return f'<iframe sandbox srcdoc="{inner}" style="width:100%;border:0"></iframe>'


def pack(value: Any, name: str) -> tuple[str, list[Buffer], str] | None:
    """Return what an object shows.

    Args:
        value: Anything that the codec cannot carry.
        name: Under which it is saved; a suffix may choose a figure's format.

    Returns:
        Kind, parts and MIME type; None if it shows nothing but text, or is data.
    """
    module = type(value).__module__
    is_data = module.partition(".")[0] in _DATA and not module.startswith(_STYLES)
    if isinstance(value, type) or is_data:
        return None
    figure = _figure(value, name)
    if figure is not None:
        return "media", [figure[0]], figure[1]
    if type(value) is Shown:
        data, metadata = dict(value.data), dict(value.metadata)
    else:
        data, metadata = _formats(value)
    rich = [mime for mime in data if mime != "text/plain"]
    if not rich:
        return None
    if len(rich) == 1 and rich[0] in _IMAGES:
        return "media", [_raw(data[rich[0]])], rich[0]
    try:
        text = json.dumps({"data": data, "metadata": metadata}, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return "bundle", [text.encode("utf-8", "backslashreplace")], ""


def _figure(value: Any, name: str) -> tuple[bytes, str] | None:
    """A figure of matplotlib's, drawn; it has no format of its own outside a notebook."""
    matplotlib = sys.modules.get("matplotlib.figure")
    if matplotlib is None or not isinstance(value, matplotlib.Figure):
        return None
    suffix = name[name.rfind(".") :].lower()
    form, mime = _FILE_FORMATS.get(suffix, ("png", "image/png"))
    out = io.BytesIO()
    value.savefig(out, format=form, bbox_inches="tight")
    return out.getvalue(), mime


def _formats(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask an object for all its formats, as IPython does."""
    chart = _plotly(value) or _altair(value)
    if chart is not None:
        return chart, {}
    asked = _ask(value, "_repr_mimebundle_", include=None, exclude=None)
    data, metadata = _pair(asked)
    data = dict(data) if isinstance(data, Mapping) else {}
    metadata = dict(metadata) if isinstance(metadata, Mapping) else {}
    for method, mime in _FORMATS.items():
        if mime not in data and (shown := _ask(value, method)) is not None:
            data[mime] = _pair(shown)[0]
    return {mime: _text(part) for mime, part in data.items() if type(mime) is str}, metadata


def _pair(shown: Any) -> tuple[Any, Any]:
    """A format may come alone or with its metadata."""
    match shown:
        case (data, metadata):
            return data, metadata
    return shown, {}


def _plotly(value: Any) -> dict[str, Any] | None:
    """A figure of plotly's as data: what it shows depends on settings."""
    plotly = sys.modules.get("plotly.basedatatypes")
    if plotly is None or not isinstance(value, plotly.BaseFigure):
        return None
    return {
        "application/vnd.plotly.v1+json": json.loads(value.to_json()),
        "text/plain": f"Figure with {len(value.data)} traces",
    }


def _altair(value: Any) -> dict[str, Any] | None:
    """A chart of altair's as data, for the same reason."""
    altair = sys.modules.get("altair")
    if altair is None or not isinstance(value, altair.TopLevelMixin):
        return None
    major = altair.SCHEMA_VERSION.partition(".")[0]
    return {
        f"application/vnd.vegalite.{major}+json": value.to_dict(),
        "text/plain": f"<{type(value).__name__} of altair's>",
    }


def _ask(value: Any, method: str, **arguments: Any) -> Any:
    ask: Callable[..., Any] | None = getattr(type(value), method, None)
    if not callable(ask):
        return None
    try:
        return ask(value, **arguments)
    except Exception:  # noqa: BLE001 - an object that cannot show itself this way has others
        return None


def _text(part: Any) -> Any:
    return base64.b64encode(part).decode("ascii") if isinstance(part, bytes) else part


def _raw(part: Any) -> bytes:
    text = str(part)
    if text.lstrip().startswith("<"):
        return text.encode("utf-8", "backslashreplace")
    return base64.b64decode(text)


def unpack(data: Buffer, type_name: str, *, trusted: bool) -> Shown:
    """Return what an object showed.

    Args:
        data: The bytes.
        type_name: Type of the object.
        trusted: Whether it may show all of it: in a kernel.

    Raises:
        ArtifactError: The bytes are no bundle.
        ValueError: They are no JSON.
    """
    said = json.loads(str(data, "utf-8"))
    parts = said.get("data") if isinstance(said, dict) else None
    metadata = said.get("metadata") if isinstance(said, dict) else None
    if not isinstance(parts, dict) or not isinstance(metadata, dict):
        raise ArtifactError("a bundle must have 'data' and 'metadata'")
    return Shown(parts, metadata, type_name, trusted)


def unpack_media(data: Buffer, content_type: str) -> Media:
    """Return a picture, or whatever else is a file by itself."""
    return Media(bytes(data), content_type or "application/octet-stream")


def _pack_shown(value: Shown) -> Packed:
    said = {"d": dict(value.data), "m": dict(value.metadata), "t": value.type_name}
    return Packed("shown", said)


def _unpack_shown(fields: dict[str, Any]) -> Shown:
    return Shown(expect(fields, "d", dict), expect(fields, "m", dict), expect(fields, "t", str))


PACKERS: dict[type, Callable[[Any], Packed]] = {Shown: _pack_shown}

UNPACKERS: dict[str, Unpack] = {"shown": _unpack_shown}
