"""Pictures that came from a kernel, made fit for a model: checked, and scaled down.

Place in the house: values layer, below ``formodel``; the only user of Pillow, which is optional.
The bytes are hostile: a small file may say that it is huge, or be it. So sizes are read from the
first bytes before anything decodes them, and what is too large is never decoded.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from py_code_mode.errors import CodeModeError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MAX_PIXELS", "Picture", "PictureError", "can_scale", "read_picture", "scaled_size"]

MAX_PIXELS = 32 * 1024 * 1024
"""A picture of more is not decoded: this takes 128 MiB."""

MAX_BYTES = 3 * 1024 * 1024
"""What a model is sent; in base64 that is 4 MiB, and vendors refuse more than 5."""

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF"}
_PNG, _GIF, _JPEG = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), b"\xff\xd8"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_QUALITY = 85


class PictureError(CodeModeError):
    """A picture cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture whose first bytes were read.

    Attributes:
        data: Its file.
        mime_type: What the bytes are, whatever was said about them.
        width: In pixels, as they say.
        height: In pixels.
    """

    data: bytes = field(repr=False)
    mime_type: str
    width: int
    height: int

    def fit(self, side: int) -> Picture:
        """Return it with no side longer than ``side`` pixels; itself if that is so already.

        With Pillow it is decoded in either case: what is broken would be refused with the whole
        conversation. Of a moving picture the first one is taken.

        Raises:
            PictureError: It is broken, or too large, or Pillow is not there to scale it.
        """
        if self.width * self.height > MAX_PIXELS:
            raise PictureError("too large to be scaled down")
        fits = max(self.width, self.height) <= side and len(self.data) <= MAX_BYTES
        if not can_scale():
            if fits:
                return self
            raise PictureError("too large, and only Pillow could scale it")
        try:
            return self._redraw(side, fits=fits)
        # A decoder that hostile bytes are fed to raises whatever comes of them.
        except Exception as error:
            raise PictureError("it cannot be read") from error

    def _redraw(self, side: int, *, fits: bool) -> Picture:
        from PIL import Image, ImageOps

        with Image.open(io.BytesIO(self.data), formats=[_FORMATS[self.mime_type]]) as image:
            if image.width * image.height > MAX_PIXELS:  # a second header may say something else
                raise PictureError("too large to be scaled down")
            moves = getattr(image, "is_animated", False)
            image.seek(0) if moves else None
            image.draft("RGB", (side, side))
            image.load()
            if fits and not moves:
                return self
            upright = ImageOps.exif_transpose(image)
            drawn = upright if upright.mode in ("RGB", "RGBA", "L") else _plain(upright)
            drawn.thumbnail((side, side), Image.Resampling.LANCZOS)
            return _encode(drawn, as_jpeg=self.mime_type == "image/jpeg")


@functools.cache
def can_scale() -> bool:
    """Whether Pillow is installed."""
    return importlib.util.find_spec("PIL") is not None


def _plain(image: Image.Image) -> Image.Image:
    """Return an image in a mode that can be scaled and saved: colours, and what is transparent."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _encode(image: Image.Image, *, as_jpeg: bool) -> Picture:
    out = io.BytesIO()
    if not as_jpeg:
        image.save(out, "PNG")
    if as_jpeg or out.tell() > MAX_BYTES:
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=_QUALITY)
        return Picture(out.getvalue(), "image/jpeg", *image.size)
    return Picture(out.getvalue(), "image/png", *image.size)


def scaled_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size that a picture has when no side is longer than ``side``."""
    longest = max(width, height)
    if longest <= side:
        return width, height
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def read_picture(data: bytes) -> Picture:
    """Read what a file of PNG, JPEG or GIF says of itself.

    Raises:
        PictureError: It is none of these, or broken.
    """
    try:
        if data.startswith(_PNG):
            found = "image/png", *struct.unpack_from(">II", data, 16)
        elif data.startswith(_GIF):
            found = "image/gif", *struct.unpack_from("<HH", data, 6)
        elif data.startswith(_JPEG):
            found = "image/jpeg", *_jpeg_size(data)
        else:
            raise PictureError("neither PNG, JPEG nor GIF")
    except (struct.error, IndexError):
        raise PictureError("it is not whole") from None
    mime_type, width, height = found
    if not width or not height:
        raise PictureError("it has no pixels")
    return Picture(data, mime_type, width, height)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return width and height, from the first frame header."""
    at = 2
    while True:
        if data[at] != 0xFF:  # noqa: PLR2004 - a marker's first byte
            raise PictureError("it cannot be read")
        marker = data[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # noqa: PLR2004 - filling
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004
            continue
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + max(2, length)
