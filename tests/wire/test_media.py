"""Pictures, sounds and links cross whole, and show themselves."""

from __future__ import annotations

import base64

import pytest

from kernel_bootstrap.wire.codec import decode, dumps, encode, loads
from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.media import Media, ResourceLink

PNG = Media(b"\x89PNG" + bytes(5_000), "image/png", "a plot")
VALUES = [
    PNG,
    Media(b"", "application/octet-stream"),
    ResourceLink("file:///a", "a", "text/plain", "the letter", 3),
    ResourceLink("x:y"),
    ["text", PNG, {"more": (ResourceLink("u"),)}],
]


@pytest.mark.parametrize("value", VALUES)
def test_they_come_back_as_they_were(value):
    """What is decoded equals what was encoded, over the wire and from a store."""
    assert decode(*encode(value)) == value
    assert loads(dumps(value)) == value


@pytest.mark.parametrize(
    "tree",
    [
        {"$": "media", "m": "a/b", "n": ""},
        {"$": "media", "m": 1, "n": "", "b": [0]},
        {"$": "media", "m": "a/b", "n": "", "b": [0, 1]},
        {"$": "link", "u": "x"},
        {"$": "link", "u": "x", "n": "", "m": "", "d": "", "s": "big"},
    ],
)
def test_malformed_ones_are_refused(tree):
    """A hostile side makes no half of a value."""
    with pytest.raises(ProtocolError):
        decode(tree, [b"x", b"y"])


@pytest.mark.parametrize(
    ("mime_type", "shown"),
    [
        ("image/png", "image/png"),
        ("image/svg+xml", "image/svg+xml"),
        ("image/webp", "text/html"),
        ("audio/wav", "text/html"),
        ("video/mp4", "text/html"),
        ("application/zip", "text/plain"),
    ],
)
def test_a_cell_shows_what_it_can(mime_type, shown):
    """Each format has a form that a notebook shows, and a line of text."""
    bundle = Media(b"<svg/>", mime_type)._repr_mimebundle_()
    assert shown in bundle
    assert bundle["text/plain"] == f"<Media {mime_type}, 6 bytes>"


def test_a_mime_type_cannot_add_markup():
    """What a server calls a format stays inside the attribute it stands in."""
    shown = Media(b"x", 'audio/"><script>')._repr_mimebundle_()["text/html"]
    assert "<script>" not in shown


def test_bytes_are_saved_and_not_encoded(tmp_path):
    """``data`` and the saved file are the bytes themselves."""
    assert PNG.save(tmp_path / "a.png").read_bytes() == PNG.data
    assert base64.b64decode(PNG._repr_mimebundle_()["image/png"]) == PNG.data
