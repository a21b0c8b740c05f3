"""What a model gets of a result: within its budget whatever was shown, and the useful part of it."""

from __future__ import annotations

import base64
import io
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from py_code_mode import Cut, ErrorInfo, ExecutionResult, ImagePart, Output, TextPart, ToolCall
from py_code_mode.parts import image_tokens, text_of
from py_code_mode.pictures import PictureError, read_picture
from py_code_mode.tables import describe_page
from py_code_mode.tokens import cut_to_tokens, estimate_tokens
from tests.conftest import ROOT

NOISE = np.random.default_rng(7).integers(0, 256, (1_100, 1_100, 3), dtype="uint8")


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def shown(data: bytes, mime: str = "image/png") -> Output:
    return Output("display", {mime: base64.b64encode(data).decode(), "text/plain": "<Figure>"})


def printed(text: str, name: str = "stdout") -> Output:
    return Output("stream", {"text/plain": text}, name=name)


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    return encoded(Image.new("RGB", (width, height), "red"), kind)


def png_that_says(width: int, height: int, body: bytes) -> bytes:
    """A PNG by hand: its header says what it likes."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", body)]
    written = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [*chunks, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def tokens(parts) -> int:
    return sum(part.tokens for part in parts)


# --- the budget --------------------------------------------------------------------------------

FLOODS = {
    "one print": [printed("line of text, number 17\n" * 40_000)],
    "digits": [printed("0123456789 " * 60_000)],
    "Chinese": [printed("今天天气很好" * 60_000)],
    "emoji": [printed("😀🎉" * 60_000)],
    "half characters": [printed("\ud800x\udfff" * 20_000)],
    "one line": [printed("x" * 500_000)],
    "many streams": [printed(f"{n}\n", ("stdout", "stderr")[n % 2]) for n in range(5_000)],
    "many results": [Output("display", {"text/plain": f"number {n} " * 50}) for n in range(100)],
    "many pictures": [shown(picture(400, 300)) for _ in range(100)],
    "pictures and texts": [
        part for n in range(50) for part in (shown(picture(640, 480)), printed("text " * 99))
    ],
    "large pictures": [shown(picture(3_000, 2_000)), shown(picture(4_000, 100))] * 3,
    "a long page": [Output("display", {"text/html": "<p>word</p>" * 40_000})],
    "odd names": [
        Output("display", {"x/" + "y" * 90_000: "z", **{f"a/{n}": "" for n in range(99)}})
    ],
}
BUDGETS = [200, 500, 2_000, 10_000]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_budget_holds(flood):
    """Whatever was shown, the parts have no more tokens than they may, and there are some."""
    result = ExecutionResult(outputs=FLOODS[flood])
    for budget in BUDGETS:
        parts = result.for_model(max_tokens=budget)
        assert 0 < tokens(parts) <= budget
        assert tokens(parts) >= budget // 4 or "left out" not in text_of(parts) or budget < 600


def test_everything_at_once_keeps_to_the_budget():
    """Pictures, a traceback, notes, failed calls and long texts share it, and each is there."""
    result = ExecutionResult(
        outputs=[printed("a" * 90_000), shown(picture(900, 600)), printed("b" * 90_000, "stderr")],
        error=ErrorInfo(
            "ValueError", "why", "Traceback\n" + "frame\n" * 20_000 + "ValueError: why"
        ),
        tool_calls=[ToolCall(f"tool{n}", {}, 0.1, "error", error="e" * 9_000) for n in range(99)],
        state_lost=True,
        truncated=[Cut("stdout", n, 2 * n, artifact="n" * 900) for n in range(999)],
    )
    for budget in BUDGETS:
        parts = result.for_model(max_tokens=budget)
        assert tokens(parts) <= budget
        text = text_of(parts)
        assert "aaa" in text
        assert "bbb" in text
        assert "all variables are gone" in text
        assert "more notes like these" in text
        assert text.count("ValueError: why") == 1 or budget < 500


pieces = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=2_000).map(printed),
    st.text(max_size=50).map(lambda text: Output("error", {"text/plain": text * 99})),
    st.tuples(st.integers(1, 1_500), st.integers(1, 900)).map(lambda size: shown(picture(*size))),
    st.binary(max_size=50).map(shown),
    st.text(max_size=300).map(lambda text: Output("display", {"text/html": f"<table>{text}"})),
    st.builds(
        lambda data: Output("result", {"application/vnd.plotly.v1+json": data}),
        st.dictionaries(
            st.sampled_from(["data", "layout"]), st.lists(st.none() | st.text()) | st.none()
        ),
    ),
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(pieces, max_size=12), st.integers(200, 3_000), st.integers(0, 1_000))
def test_any_outputs_fit_any_budget(outputs, budget, side):
    """No mixture of texts, pictures and rubbish is over the budget, or raises."""
    parts = ExecutionResult(outputs=outputs).for_model(max_tokens=budget, max_image_px=side)
    assert 0 < tokens(parts) <= budget
    for part in parts:
        if isinstance(part, TextPart):
            part.text.encode()
        else:
            assert max(part.width, part.height) <= side
            assert (part.width, part.height) == Image.open(io.BytesIO(part.data)).size


def test_what_fits_is_whole():
    """Short texts are as they were, in order, without a word about budgets."""
    result = ExecutionResult(
        outputs=[printed("one\n"), Output("result", {"text/plain": "2"})], execution_count=4
    )
    assert result.for_model() == [TextPart("one\n2")]
    assert ExecutionResult().for_model() == [TextPart("(the code ran, and showed nothing)")]


@pytest.mark.parametrize("wrong", [{"max_tokens": 9}, {"max_image_px": -1}, {"table_rows": 0}])
def test_a_wrong_budget_is_refused(wrong):
    """The message names what may be given."""
    with pytest.raises(ValueError, match="must"):
        ExecutionResult().for_model(**wrong)


@given(st.text(st.characters(exclude_categories=()), max_size=3_000), st.integers(0, 600))
def test_a_cut_text_has_no_more_tokens_than_it_may(text, most):
    """However the characters fall, head, tail and the line between them fit."""
    assert estimate_tokens(cut_to_tokens(text, most)) <= most


def test_a_long_text_loses_its_middle():
    """Head and tail stay in whole lines, and between them stands how much is gone, and where it is."""
    lines = "".join(f"line {n}\n" for n in range(20_000))
    result = ExecutionResult(
        outputs=[Output("result", {"text/plain": lines.rstrip("\n")})], execution_count=3
    )
    (part,) = result.for_model(max_tokens=400)
    head, middle, tail = part.text.partition("\n[... ")
    assert head.splitlines()[:2] == ["line 0", "line 1"]
    assert middle
    assert tail.splitlines()[0].endswith("of 208,889 characters left out; all of it: Out[3] ...]")
    assert (
        tail.splitlines()[1:] == [f"line {n}" for n in range(20_000)][1 - len(tail.splitlines()) :]
    )


def test_of_a_long_traceback_the_end_is_kept():
    """Its last lines tell what went wrong."""
    trace = "RecursionError  Traceback\n" + "in f(n)\n" * 9_000 + "RecursionError: too deep"
    error = ErrorInfo("RecursionError", "too deep", trace)
    shown_too = [Output("error", {"text/plain": trace})]
    for outputs in ([], shown_too):
        (part,) = ExecutionResult(outputs=outputs, error=error).for_model(max_tokens=300)
        head, _, tail = part.text.partition("\n[... ")
        assert part.text.endswith("RecursionError: too deep")
        assert len(tail) > 2 * len(head)


def test_failed_calls_are_summed_up():
    """Calls that failed are counted by reason; those that went well and the raised one are not."""
    calls = [ToolCall("wc", {}, 0.1, "ok")] * 5
    calls += [ToolCall("wc", {}, 0.1, "error", error="no such file\nmore")] * 2
    calls += [ToolCall("rm", {}, 0.1, "denied", error="not allowed")]
    error = ErrorInfo("ToolDeniedError", "not allowed", "ToolDeniedError: not allowed")
    (part,) = ExecutionResult(tool_calls=calls).for_model()
    assert part.text == (
        "[2 of 7 calls of wc failed: no such file]\n[1 of 1 calls of rm were denied: not allowed]"
    )
    (part,) = ExecutionResult(tool_calls=calls, error=error).for_model()
    assert part.text == "ToolDeniedError: not allowed\n[2 of 7 calls of wc failed: no such file]"


def test_progress_is_its_last_state():
    r"""What wrote over its line with ``\r`` is one line."""
    bar = "".join(f"\r{n}% done" for n in range(101))
    assert ExecutionResult(outputs=[printed(bar)]).for_model() == [TextPart("100% done")]


# --- tables ------------------------------------------------------------------------------------

FRAME = pd.DataFrame(
    {"n": range(1_000), "name": ["x" * 200] * 1_000, "f": np.linspace(0, 1, 1_000)}
)


def of(value, **data) -> ExecutionResult:
    return ExecutionResult(
        value=value,
        outputs=[Output("result", data or {"text/plain": repr(value)})],
        execution_count=2,
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            FRAME,
            ["DataFrame of pandas, 1,000 rows x 3 columns", "n (int64), name (", "f (float64)"],
        ),
        (
            FRAME["n"],
            ["Series of pandas, 1,000 rows", "columns: n (int64)", "4 | 4\n[... 995 more"],
        ),
        (
            pl.from_dict({"a": range(60)}),
            ["DataFrame of polars, 60 rows", "a (Int64)", "[... 55 more"],
        ),
        (
            pl.Series("s", range(60)),
            ["Series of polars, 60 rows", "s (Int64)", "\n4\n[... 55 more"],
        ),
        (
            pd.DataFrame(np.zeros((3, 400)), columns=["same"] * 400),
            ["3 rows x 400 columns", "same (float64), and 370 more"],
        ),
        (
            FRAME.set_index(["n", "name"]),
            [
                "1,000 rows x 1 columns",
                "columns: f (float64)",
                "[... 995 more rows; all of it: Out[2]",
            ],
        ),
    ],
    ids=["frame", "series", "polars", "polars series", "wide", "index of two"],
)
def test_a_table_is_its_schema_and_head(value, expected):
    """Of a long or wide frame come its size, its columns with their types, and some rows."""
    (part,) = of(value).for_model()
    for text in expected:
        assert text in part.text
    assert len(part.text) < 2_500


def test_a_short_table_is_whole():
    """What has no more rows than are shown is as it looks; the number of rows can be chosen."""
    frame = FRAME[["n", "f"]].head(5)
    assert of(frame).for_model() == [TextPart(repr(frame))]
    (part,) = of(FRAME[["n", "f"]]).for_model(table_rows=20)
    assert "\n19 | 19 | 0.019" in part.text
    assert "[... 980 more rows" in part.text


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_table_that_was_only_shown_is_read_from_its_page(library):
    """A displayed frame has no value; its HTML says size, columns and rows."""
    data = {"n": range(70), "s": ["a<b"] * 70}
    frame = pd.DataFrame(data) if library == "pandas" else pl.DataFrame(data)
    output = Output("display", {"text/html": frame._repr_html_(), "text/plain": str(frame)})
    (part,) = ExecutionResult(outputs=[output]).for_model()
    lines = part.text.splitlines()
    assert lines[0] == "table, 70 rows x 2 columns"
    assert lines[1].strip(" |") == "n | s"
    assert "4 | a<b" in part.text.replace('"', "")
    assert lines[-1] == "[... 65 more rows ...]"


@pytest.mark.parametrize(
    "page",
    [
        *("<a " * 150_000, "<!--" * 120_000, "<a b='" * 80_000, "</" * 250_000, "<td>" * 120_000),
        *("<script>" * 60_000, "<table><tr>" * 45_000, "&#1" * 160_000, "<" + "a" * 500_000),
    ],
    ids=lambda page: page[:9],
)
def test_hostile_pages_take_no_time(page):
    """HTML made to keep parsers busy is read in one pass."""
    began = time.process_time()
    describe_page(page, 5)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"text/markdown": "# hi", "text/plain": "<IPython.core.display.Markdown object>"}, "# hi"),
        ({"text/html": "<h1>A</h1><script>x</script><p>b <i>c</i></p>"}, "A\nb c"),
        ({"application/json": {"a": [1, "ü"]}}, '{"a": [1, "ü"]}'),
        ({"image/svg+xml": "<svg/>"}, "[image/svg+xml]"),
        ({"text/html": "x" * 4_000_000}, "[text/html (4,000,000 characters)]"),
        (
            {
                "application/vnd.vegalite.v5+json": {
                    "mark": "bar",
                    "encoding": {"x": {"field": "t"}},
                }
            },
            "[chart of Vega-Lite: bar, x: t]",
        ),
        (
            {
                "application/vnd.plotly.v1+json": {
                    "data": [{"type": "bar"}],
                    "layout": {"title": "T"},
                }
            },
            '[chart of plotly: bar; title "T"]',
        ),
    ],
    ids=["markdown", "page", "json", "svg", "large page", "Vega-Lite", "plotly"],
)
def test_what_is_no_text_is_put_in_words(data, expected):
    """Pages are their words, charts what they draw, data JSON; what else there is, is named."""
    assert ExecutionResult(outputs=[Output("display", data)]).for_model() == [TextPart(expected)]


# --- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_picture_is_scaled_down(kind):
    """No side is longer than asked for, the shape stays, and a small one is not touched."""
    mime = f"image/{kind.lower()}"
    (part,) = ExecutionResult(outputs=[shown(picture(3_000, 1_500, kind), mime)]).for_model()
    assert (part.width, part.height) == Image.open(io.BytesIO(part.data)).size == (1_024, 512)
    assert part.mime_type == ("image/jpeg" if kind == "JPEG" else "image/png")
    small = picture(300, 200, kind)
    (part,) = ExecutionResult(outputs=[shown(small, mime)]).for_model()
    assert (part.data, part.mime_type, part.width) == (small, mime, 300)
    (part,) = ExecutionResult(outputs=[shown(small, mime)]).for_model(max_image_px=60)
    assert (part.width, part.height) == (60, 40)


@pytest.mark.parametrize(
    "image",
    [
        Image.new("P", (2_000, 10), 3),
        Image.new("1", (2_000, 10)),
        Image.new("LA", (2_000, 10)),
        Image.fromarray(np.full((10, 2_000), 40_000, "uint16")),
    ],
    ids=["palette", "bits", "grey and clear", "16 bits"],
)
def test_pictures_of_every_kind_are_scaled(image):
    """Palettes, single bits, transparency and 16 bits of grey can be made smaller."""
    (part,) = ExecutionResult(outputs=[shown(encoded(image))]).for_model()
    drawn = Image.open(io.BytesIO(part.data))
    assert drawn.size == (1_024, 5)
    if image.mode.startswith("I;16"):
        assert drawn.getpixel((0, 0)) == 40_000 >> 8


def test_pictures_get_smaller_before_they_are_left_out():
    """Several that do not fit at full size all come, smaller; of very many the first and last come."""
    four = [shown(encoded(Image.new("RGB", (1_000, 1_000), "red"))) for _ in range(4)]
    parts = ExecutionResult(outputs=four).for_model(max_tokens=2_000)
    assert [type(part) for part in parts] == [ImagePart] * 4
    assert {part.width for part in parts} == {512}
    many = [shown(picture(1_000, n + 500)) for n in range(100)]
    parts = ExecutionResult(outputs=many).for_model(max_tokens=2_000)
    assert [type(part) for part in parts].count(ImagePart) >= 3
    assert isinstance(parts[0], ImagePart)
    assert isinstance(parts[-1], ImagePart)
    assert "pictures, left out]" in text_of(parts)


def test_without_pictures_they_are_named():
    """For a model that sees none, each is a line that says its format and size."""
    result = ExecutionResult(outputs=[shown(picture(40, 30)), printed("x")])
    assert result.for_model(max_image_px=0) == [TextPart("[image/png, 40 x 30 pixels]\nx")]


def test_a_picture_that_is_large_in_bytes_becomes_jpeg():
    """Noise takes megabytes as PNG, more than vendors accept."""
    (part,) = ExecutionResult(
        outputs=[shown(encoded(Image.fromarray(NOISE), compress_level=1))]
    ).for_model(max_image_px=1_050)
    assert part.mime_type == "image/jpeg"
    assert len(part.base64) < 5_000_000


def test_of_a_moving_picture_the_first_is_taken():
    """Models see no movement, and vendors refuse it."""
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "green", "blue")]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    (part,) = ExecutionResult(outputs=[shown(moving, "image/gif")]).for_model()
    assert part.mime_type == "image/png"
    assert Image.open(io.BytesIO(part.data)).convert("RGB").getpixel((0, 0))[0] > 200


BROKEN = {
    "no picture": b"hello",
    "a header alone": picture(40, 30)[:24],
    "half": picture(400, 300)[:-60],
    "rubbish in it": picture(40, 30)[:60] + b"\0" * 99,
    "no pixels": png_that_says(0, 5, zlib.compress(b"")),
    "a bomb": png_that_says(60_000, 60_000, zlib.compress(b"\0" * 9_000_000)),
    "a torn JPEG": picture(400, 300, "JPEG")[:-300],
    "an endless JPEG": b"\xff\xd8" + b"\xff\xe0\0\0" * 9,
    "a torn GIF": picture(40, 30, "GIF")[:30],
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_picture_is_text(what):
    """Bytes that no decoder takes, or that would fill memory, are named and never sent."""
    began = time.process_time()
    (part,) = ExecutionResult(outputs=[shown(BROKEN[what]), printed("after")]).for_model()
    assert time.process_time() - began < 1
    assert part.text.startswith("[image/")
    assert part.text.endswith("]\nafter")


def test_of_a_picture_that_goes_on_no_more_is_read_than_it_says():
    """Rows beyond the header's are not unpacked: they could be any number."""
    long = png_that_says(20, 20, zlib.compress(b"\0" * 90_000_000))
    began = time.process_time()
    (part,) = ExecutionResult(outputs=[shown(long)]).for_model()
    assert time.process_time() - began < 1
    assert (part.width, part.height) == (20, 20)


def test_what_bytes_are_counts_and_not_what_is_said():
    """A JPEG that was called a PNG is sent as what it is."""
    (part,) = ExecutionResult(outputs=[shown(picture(40, 30, "JPEG"))]).for_model()
    assert part.mime_type == "image/jpeg"


def test_sizes_are_read_from_the_first_bytes():
    """Each format's own header gives the size Pillow gives, also of a JPEG with much before it."""
    for kind in ("PNG", "JPEG", "GIF"):
        found = read_picture(picture(321, 123, kind))
        assert (found.width, found.height) == (321, 123)
    camera = Image.new("RGB", (64, 32))
    exif = camera.getexif()
    exif[0x0112] = 6
    assert read_picture(encoded(camera, "JPEG", exif=exif, progressive=True)).width == 64
    with pytest.raises(PictureError, match="neither PNG, JPEG nor GIF"):
        read_picture(b"BM" + b"\0" * 99)


def test_a_pictures_tokens_are_the_larger_of_two_formulas():
    """Small pictures cost OpenAI's tiles, large ones Anthropic's pixels."""
    assert image_tokens(100, 100) == 85 + 170
    assert image_tokens(1_024, 1_024) == -(-1_024 * 1_024 // 750)


def test_without_pillow_small_pictures_are_sent_and_large_ones_named():
    """Where Pillow is not installed, nothing is scaled, nothing fails, and the text says so."""
    code = (
        "import importlib.util, sys, base64, io, struct\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'PIL' else find(name, *a)\n"
        "sys.modules['PIL'] = None\n"
        "from py_code_mode import ExecutionResult, Output\n"
        "def shown(w, h):\n"
        "    head = b'\\x89PNG\\r\\n\\x1a\\n' + struct.pack('>I4sII', 13, b'IHDR', w, h)\n"
        "    return Output('display', {'image/png': base64.b64encode(head).decode()})\n"
        "parts = ExecutionResult(outputs=[shown(400, 300), shown(4000, 3000)]).for_model()\n"
        "print(parts[0].width, parts[1].text)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == (
        "400 [image/png, 4000 x 3000 pixels: too large, and only Pillow could scale it]\n"
    )
