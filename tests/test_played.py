"""Sounds and films of pages: named by size or address, for a model and on a page."""

from __future__ import annotations

import base64
import time

import pytest
from IPython.display import Audio, Video

from py_code_mode import ExecutionResult, Output
from py_code_mode.outputtext import name_played
from py_code_mode.pagetext import MAX_PAGE

SOUND = Audio([0, 1] * 50, rate=8_000)
LONG = Audio([0, 1] * 500_000, rate=8_000)
ADDRESS = "https://h.example/films/v.mp4"


def told(shown: object) -> str:
    """What a model is told of an object, as a kernel sends it."""
    data = {"text/plain": repr(shown), "text/html": shown._repr_html_()}
    (part,) = ExecutionResult(outputs=[Output("result", data)]).for_model()
    return part.text


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (SOUND, f"[audio of {len(SOUND.data)} bytes]"),
        (LONG, f"[audio of {len(LONG.data):,} bytes]"),
        (Audio(b"ab", embed=True, autoplay=True, element_id="x"), "[audio of 2 bytes]"),
        (Audio(url="https://h.example/a.wav?key=k#t"), "[audio https://h.example/a.wav]"),
        (Video(ADDRESS), f"[video {ADDRESS}]"),
        (Video(data=b"abcd", embed=True, mimetype="video/mp4"), "[video of 4 bytes]"),
    ],
)
def test_a_sound_is_told_by_its_size_or_address(shown, name):
    """A model reads what was there, however long it is, and no excuse of a browser."""
    assert told(shown).strip() == name


@pytest.mark.parametrize(
    ("page", "named"),
    [
        ("a<AUDIO>no</AUDIO>b", "a[audio!]b"),
        ("<video><source src='x y.mp4'>no</video>", "[video x y.mp4!]"),
        ("<video src=v.mp4 >no <code>video</code></video >b", "[video v.mp4!]b"),
        ('<video data-src="no.mp4">no</video>', "[video!]"),
        ("<audio><video src=v></video></audio>b", "[audio v!]b"),
        ("<audio src=a>what follows", "[audio a!]what follows"),
        ("</audio>b", "</audio>b"),
        ('<audio src="&lt;img&gt;&amp;">', "[audio &lt;img&gt;&amp;!]"),
        ("<audio src='data:audio/wav,a%20'></audio>", "[audio of 4 bytes!]"),
        ("<script>'<audio>'</script>b<audio></audio>", "<script>'<audio>'</script>b[audio!]"),
        ("<!-- <video> -->b<video></video>", "<!-- <video> -->b[video!]"),
        (f"<audio src='{'d/' * 99}a'></audio>", f"[audio ...{'d/' * 48}a!]"),
        ("<audiobook>b</audiobook>", "<audiobook>b</audiobook>"),
    ],
)
def test_elements_that_play_are_named(page, named):
    """All of an element is replaced, nothing around it, and names stay text."""
    assert name_played(page, "!") == named


@pytest.mark.parametrize(
    "page",
    [
        "<audio>" * 70_000 + "</audio x",
        "<audio>" * 30_000 + "</audio" + " " * 200_000 + "x",
        "<audio>" + "<!--" * 100_000,
        "<audio>" + "<script" * 70_000,
        "<audio>" + "</script " * 50_000,
        "<audio" * 80_000,
        "<audio src=" * 40_000,
        "<audio src='></audio>" * 20_000,
        "<audio>" + " src" * 100_000 + "</audio>",
    ],
    ids=lambda page: page[:24],
)
def test_hostile_elements_take_no_time(page):
    """Whatever does not end is read once, and becomes little longer."""
    began = time.perf_counter()
    named = name_played(page[:MAX_PAGE], ": not played here, see the notebook")
    assert time.perf_counter() - began < 5
    assert len(named) < 10 * MAX_PAGE


def test_a_sound_in_a_table_leaves_the_table():
    """Where a page has more than a sound, that is told beside it."""
    sound = base64.b64encode(bytes(MAX_PAGE)).decode()
    page = f"<table><tr><td><audio src='data:;base64,{sound}'>no</audio></td></tr></table>"
    (part,) = ExecutionResult(outputs=[Output("display", {"text/html": page})]).for_model()
    assert part.text == f"table, 1 rows x 1 columns\n[audio of {MAX_PAGE:,} bytes]"
