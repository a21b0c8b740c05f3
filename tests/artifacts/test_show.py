"""What a notebook on the host shows of an artifact, and that nothing of it can run there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from kernel_bootstrap.wire.media import Media
from py_code_mode.artifacts import Details, MemoryArtifactStore
from py_code_mode.errors import ArtifactNotFoundError

EVIL = "<script>alert(1)</script>"


def html_of(store, name: str) -> str:
    """The HTML a notebook would show."""
    shown = store.show(name)._repr_mimebundle_()
    assert name in shown["text/plain"]
    return shown["text/html"]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("some text", "<pre>some text</pre>"),
        ({"a": [1]}, "&quot;a&quot;"),
        ((1, {2}), "<pre>(1, {2})</pre>"),
        (np.array([[1, 2]]), "<pre>array([[1, 2]])</pre>"),
        (pd.DataFrame({"city": ["Oslo"]}), "<td>Oslo</td>"),
        (Media(b"\x89PNG", "image/png"), '<img src="data:image/png;base64,iVBORw=="'),
        (Media(b"<svg/>", "image/svg+xml"), '<img src="data:image/svg+xml;base64,PHN2Zy8+"'),
        (Media(b"QQ", "application/zip"), "application/zip"),
        (b"\x00\x01", "2 bytes"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_every_kind_is_seen_at_a_glance(store, value, seen):
    """Tables show as tables, pictures as pictures, everything else by its beginning or facts."""
    store.save("x", value, "What it is", tags=["t"])
    shown = html_of(store, "x")
    assert seen in shown
    assert "What it is" in shown
    assert "<code>t</code>" in shown


@pytest.mark.parametrize(
    "value",
    [
        EVIL,
        {EVIL: EVIL},
        (EVIL,),
        np.array([EVIL]),
        pd.DataFrame({EVIL: [EVIL]}, index=[EVIL]),
        pd.DataFrame({"a": [1]}).style.format(lambda _: EVIL, escape=None),
        Media(EVIL.encode(), "image/svg+xml"),
        Media(EVIL.encode(), "text/html"),
        EVIL.encode(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_of_an_artifact_can_run(store, value):
    """Whatever an artifact and what is said of it hold, it is text or a picture in the page."""
    details = Details(EVIL, {"x": EVIL}, (EVIL,), session=EVIL, author=EVIL, type_name=EVIL)
    info = store.save("<b>x<b>", value, EVIL, {"x": EVIL}, tags=[EVIL])
    for shown in (html_of(store, "<b>x<b>"), info._repr_mimebundle_()["text/html"]):
        assert "<script" not in shown
        assert "<b>x<b>" not in shown
        assert "&lt;script&gt;" in shown
    packed = store.save_packed("y", "text", EVIL.encode(), details)
    assert "<script" not in html_of(store, "y") + packed._repr_mimebundle_()["text/html"]


def test_a_large_artifact_is_not_loaded_to_be_shown():
    """Of a long text only the beginning is read, of other large artifacts nothing."""

    class Watched(MemoryArtifactStore):
        read = 0

        def _chunks(self, name, offset, size):
            self.read += size
            return super()._chunks(name, offset, size)

        def load(self, name):
            raise AssertionError("it was loaded")

    store = Watched()
    store.save("t", "x" * 5_000_000)
    assert len(html_of(store, "t")) < 10_000
    assert store.read < 100_000
    store.save("a", np.zeros(5_000_000))
    assert "<pre>" not in html_of(store, "a")


def test_what_cannot_be_shown_says_so(store):
    """Damaged content is a sentence in the page, and an unknown name an error."""
    store.save_packed("x", "npy", b"no array")
    assert "cannot be shown" in html_of(store, "x")
    with pytest.raises(ArtifactNotFoundError):
        store.show("nope")
    shown = store.save("y", 1) and store.show("y")
    store.delete("y")
    assert "cannot be shown" in shown._repr_mimebundle_()["text/html"]


def test_a_saved_figure_is_seen(store):
    """What a figure showed is what the artifact shows, as a picture of its own as well."""
    figure = Figure()
    figure.subplots().plot([1, 2])
    store.save("plot.png", figure)
    shown = store.show("plot.png")._repr_mimebundle_()
    assert "data:image/png;base64" in shown["text/html"]
    assert "image/png" in shown
