"""One rich output of a run.

Place in the house: values layer, below ``results``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from kernel_bootstrap.wire.limits import strip_ansi
from kernel_bootstrap.wire.media import Media, ResourceLink
from py_code_mode.errors import ProtocolError
from py_code_mode.jsonform import read_fields

__all__ = [
    "Media",
    "Output",
    "OutputKind",
    "RemoteValue",
    "ResourceLink",
    "plain_text",
    "render_terminal",
]

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

OutputKind = Literal["result", "display", "stream", "error"]


@dataclass(frozen=True, slots=True)
class RemoteValue:
    """A value that cannot cross: the object stays in the kernel.

    Attributes:
        type_name: Qualified name of its type.
        repr: Its bounded repr.
        reason: Why it cannot cross.
        handle: Expression that reaches the object in its session.
        data: Its mime bundle, as shown.
    """

    type_name: str
    repr: str
    reason: str
    handle: str
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(cls, data: Any) -> RemoteValue:
        """Rebuild from untrusted JSON data.

        Raises:
            ProtocolError: It is malformed.
        """
        texts = {"type_name": str, "repr": str, "reason": str, "handle": str}
        return cls(**read_fields("a remote value", data, **texts, data=dict))

    def __str__(self) -> str:
        return self.repr


@dataclass(frozen=True, slots=True)
class Output:
    """One thing the code showed, in Jupyter's terms.

    Attributes:
        kind: ``result`` (the last expression), ``display``, ``stream`` or ``error``.
        data: The raw mime bundle: MIME type -> text, or base64 text of a picture, or JSON.
        metadata: Jupyter's metadata of it.
        display_id: The id under which it can be updated, if it has one.
        name: ``stdout`` or ``stderr`` of a stream.
    """

    kind: OutputKind
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    display_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str | None:
        """``text/plain``; for streams and errors their text."""
        return self._text("text/plain")

    @property
    def html(self) -> str | None:
        """``text/html``."""
        return self._text("text/html")

    @property
    def markdown(self) -> str | None:
        """``text/markdown``."""
        return self._text("text/markdown")

    @property
    def latex(self) -> str | None:
        """``text/latex``."""
        return self._text("text/latex")

    @property
    def svg(self) -> str | None:
        """``image/svg+xml``, as XML text."""
        return self._text("image/svg+xml")

    @property
    def javascript(self) -> str | None:
        """``application/javascript``."""
        return self._text("application/javascript")

    @property
    def png(self) -> bytes | None:
        """``image/png``, as the bytes of the file."""
        return self._bytes("image/png")

    @property
    def jpeg(self) -> bytes | None:
        """``image/jpeg``, as the bytes of the file."""
        return self._bytes("image/jpeg")

    @property
    def gif(self) -> bytes | None:
        """``image/gif``, as the bytes of the file."""
        return self._bytes("image/gif")

    @property
    def pdf(self) -> bytes | None:
        """``application/pdf``, as the bytes of the file."""
        return self._bytes("application/pdf")

    @property
    def json(self) -> Any:
        """``application/json``, as plain data."""
        return self.data.get("application/json")

    @property
    def vegalite(self) -> Any:
        """The Vega-Lite specification (any version), as plain data."""
        return self._first("application/vnd.vegalite.")

    @property
    def plotly(self) -> Any:
        """The Plotly figure, as plain data."""
        return self._first("application/vnd.plotly.")

    def _text(self, mime: str) -> str | None:
        value = self.data.get(mime)
        return value if isinstance(value, str) else None

    def _bytes(self, mime: str) -> bytes | None:
        value = self.data.get(mime)
        if not isinstance(value, str):
            return None
        try:
            return base64.b64decode(value)
        except (binascii.Error, ValueError):  # a hostile or broken kernel
            return None

    def _first(self, prefix: str) -> Any:
        return next((value for mime, value in self.data.items() if mime.startswith(prefix)), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "kind": self.kind,
            "data": dict(self.data),
            "metadata": dict(self.metadata),
            "display_id": self.display_id,
            "name": self.name,
        }

    @classmethod
    def from_dict(cls, data: Any) -> Output:
        """Rebuild from untrusted JSON data.

        Raises:
            ProtocolError: It is malformed.
        """
        text_or_none = (str, type(None))
        fields = read_fields(
            "an output",
            data,
            kind=str,
            data=dict,
            metadata=dict,
            display_id=text_or_none,
            name=text_or_none,
        )
        if fields["kind"] not in get_args(OutputKind):
            raise ProtocolError(f"{fields['kind']!r:.40} is no kind of output")
        return cls(**fields)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return dict(self.data), dict(self.metadata)


def plain_text(text: str) -> str:
    """Return text as a terminal would show it, without its colours, titles and other controls."""
    return _CONTROLS.sub("", render_terminal(strip_ansi(text)))


def render_terminal(text: str) -> str:
    r"""Return what a terminal would show: ``\r`` overwrites its line, ``\b`` steps back."""
    if "\r" not in text and "\b" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(map(_render_line, lines))


def _render_line(line: str) -> str:
    if "\b" not in line:
        # From the last writing back: of an earlier one only what sticks out is seen.
        parts: list[str] = []
        width = 0
        for segment in reversed(line.split("\r")):
            if len(segment) > width:
                parts.append(segment[width:])
                width = len(segment)
        return "".join(parts)
    cells: list[str] = []
    column = 0
    for char in line:
        if char == "\r":
            column = 0
        elif char == "\b":
            column = max(0, column - 1)
        else:
            cells[column : column + 1] = [char]
            column += 1
    return "".join(cells)
