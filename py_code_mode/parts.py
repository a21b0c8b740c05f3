"""What a model gets of a result: parts of text, and pictures.

Place in the house: values layer, below ``formodel``, which makes them. Every vendor has a form of
its own for the same two things; the integrations turn these into them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from py_code_mode.tokens import estimate_tokens

__all__ = ["NOTHING", "ContentPart", "ImagePart", "TextPart", "convert", "image_tokens", "text_of"]

T = TypeVar("T")

_TILE = 512
_TILE_TOKENS, _IMAGE_TOKENS = 170, 85
_PIXELS_OF_TOKEN = 750


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part that is text.

    Attributes:
        text: Well-formed text, without ANSI codes.
    """

    text: str

    @property
    def tokens(self) -> int:
        """About how many tokens it has: see ``py_code_mode.tokens``."""
        return estimate_tokens(self.text)


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A part that is a picture.

    Attributes:
        data: The bytes of its file.
        mime_type: ``image/png``, ``image/jpeg`` or ``image/gif``.
        width: In pixels.
        height: In pixels.
        alt: What stands for it where only text can be.
    """

    data: bytes = field(repr=False)
    mime_type: str
    width: int
    height: int
    alt: str = ""

    @property
    def tokens(self) -> int:
        """About how many tokens it takes: see ``image_tokens``."""
        return image_tokens(self.width, self.height)

    @property
    def base64(self) -> str:
        """The bytes as base64 text."""
        return base64.b64encode(self.data).decode()

    @property
    def data_url(self) -> str:
        """The picture as a ``data:`` URL."""
        return f"data:{self.mime_type};base64,{self.base64}"


ContentPart = TextPart | ImagePart
"""Either of them."""


NOTHING = TextPart("(the code ran, and showed nothing)")
"""What a model reads of a run that showed nothing."""


def image_tokens(width: int, height: int) -> int:
    """Return about how many tokens a picture takes: the larger of what two vendors say.

    Anthropic counts a token for 750 pixels, OpenAI 85 and 170 more for each tile of 512 x 512.

    Args:
        width: In pixels.
        height: In pixels.
    """
    tiles = -(-width // _TILE) * -(-height // _TILE)
    by_pixels = -(-width * height // _PIXELS_OF_TOKEN)
    return max(by_pixels, _IMAGE_TOKENS + _TILE_TOKENS * tiles)


def convert(
    parts: Iterable[ContentPart], text: Callable[[str], T], image: Callable[[ImagePart], T]
) -> list[T]:
    """Return parts in another form.

    Args:
        parts: In their order.
        text: Makes the form of a text.
        image: Makes the form of a picture.
    """
    return [text(part.text) if isinstance(part, TextPart) else image(part) for part in parts]


def text_of(parts: Iterable[ContentPart]) -> str:
    """Return the text of parts, for who takes nothing else: pictures are named."""
    return "\n".join(convert(parts, str, lambda image: image.alt))
