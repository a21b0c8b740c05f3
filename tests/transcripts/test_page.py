"""The transcript as a page of HTML: it shows what there is, runs nothing and loads nothing."""

from __future__ import annotations

import sys
from html.parser import HTMLParser

import pytest

from py_code_mode import ConfigError, ExecutionResult, Output
from py_code_mode.notebook import Notebook
from py_code_mode.transcripts.files import write_notebook

PNG = "iVBORw0KGgo="
HOSTILE = [
    {"text/html": "<script>alert(1)</script><img src=http://evil/x onerror=alert(2)><b>bold</b>"},
    {"text/html": "<a href='javascript:alert(3)'>x</a><iframe src='//evil'></iframe><p>para</p>"},
    {"text/html": "</div></div><style>body{display:none}</style><form action=//evil></form>after"},
    {"text/html": "<meta http-equiv=refresh content='0;url=//evil'><base href=//evil>meta"},
    {"application/javascript": "alert(4)", "text/plain": "script object"},
    {"text/markdown": "[x](javascript:alert(5)) <script>alert(6)</script> **fat**"},
    {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(7)</script></svg>"},
    {"text/plain": "</pre><script>alert(8)</script>"},
    {"text/latex": "$x</div><script>alert(9)</script>$"},
    {"image/png": '"><script>alert(10)</script>'},
    {"text/vnd.mermaid": "<script>alert(11)</script>"},
    {"application/vnd.jupyter.widget-view+json": {"model_id": "</script><script>alert(12)"}},
    {"text/html": "<div><script>draw()</script></div>", "image/png": PNG},
    {"text/html": "<div><script>draw()</script></div>"},
]


class Seen(HTMLParser):
    """What a browser would act on."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    notebook = Notebook()
    outputs = [Output("display", data) for data in HOSTILE]
    notebook.add("x = '</pre><script>alert(0)</script>'", ExecutionResult(outputs=outputs))
    path = tmp_path_factory.mktemp("page") / "run.html"
    return write_notebook(notebook.build("s"), path).read_text()


def test_a_page_runs_nothing_and_loads_nothing(page):
    """No script, frame, form, handler or address of elsewhere is left, and a policy says so."""
    seen = Seen(page)
    assert seen.tags & {"script", "iframe", "form", "base", "object", "embed", "link"} == set()
    assert [each for each in seen.attributes if each[1].startswith("on")] == []
    for tag, name, value in seen.attributes:
        if name in {"src", "href", "action", "srcdoc"}:
            assert value.startswith(("data:image/", "#")), (tag, name, value)
    metas = [value for tag, _, value in seen.attributes if tag == "meta"]
    assert any(value.startswith("default-src 'none'") for value in metas)
    assert not any("refresh" in value for value in metas)


def test_a_page_shows_what_is_harmless(page):
    """Text, layout and pictures are there; a picture stands for a chart that needs a script."""
    seen = Seen(page)
    for text in ("bold", "para", "after", "fat", "</pre><script>alert(8)</script>"):
        assert text in seen.text
    assert "<b>bold</b>" in page
    assert f"data:image/png;base64,{PNG}" in page
    assert "draw()" not in page
    assert page.count("not shown here, see the notebook") == 3


EVIL = '5"><meta http-equiv=refresh content="0;url=//evil"><form><b onload="alert(1)"'


@pytest.mark.parametrize("mime", ["image/png", "image/jpeg", "image/svg+xml"])
@pytest.mark.parametrize(
    "metadata",
    [
        *({"width": EVIL, "height": EVIL}, {"alt": EVIL}, {"needs_background": EVIL}),
        *({"width": [EVIL]}, {"width": {EVIL: 1}}, {"unconfined": EVIL}, {"width": "5 onload=x"}),
        *({"width": float("nan")}, {"width": True}, {"width": -5}, {"width": "5\n"}),
        {"needs_background": [EVIL]},
    ],
    ids=str,
)
def test_metadata_bring_nothing_onto_a_page(mime, metadata, tmp_path):
    """Whatever is said beside a picture, or of its format, it stays the picture alone."""
    notebook = Notebook()
    for said in (metadata, {mime: metadata}, {"filenames": {mime: "//evil"}}, {mime: EVIL}):
        notebook.add("1", ExecutionResult(outputs=[Output("display", {mime: PNG}, said)]))
    page = write_notebook(notebook.build("s"), tmp_path / "run.html").read_text()
    seen = Seen(page)
    assert seen.tags & {"form", "script"} == set()
    pictures = [(name, value) for tag, name, value in seen.attributes if tag == "img"]
    assert {name for name, _ in pictures} <= {"src", "alt", "class"}
    assert page.count("<img") == 4
    assert "evil" not in page


@pytest.mark.parametrize("size", [7, 7.5, "7", "70px", "50%", "12.5%"])
def test_sizes_of_pictures_are_kept(size, tmp_path):
    """A number is a size, also one with a unit; so is what matplotlib says of backgrounds."""
    said = {"image/png": {"width": size, "height": size, "needs_background": "dark"}}
    notebook = Notebook()
    notebook.add("1", ExecutionResult(outputs=[Output("display", {"image/png": PNG}, said)]))
    page = write_notebook(notebook.build("s"), tmp_path / "run.html").read_text()
    assert {("img", "width", str(size)), ("img", "height", str(size))} <= {*Seen(page).attributes}
    assert "jp-needs-dark-background" in page.split("<body", 1)[1]


@pytest.mark.parametrize("style", ["cursor: url(//evil), auto", r"cursor: u\72l(//evil)"])
def test_a_style_loads_nothing(style, tmp_path):
    """A style that could load something is gone, one that only colours stays."""
    html = f'<p style="{style}; color: red">x</p><p style="color: blue">y</p>'
    notebook = Notebook()
    notebook.add("1", ExecutionResult(outputs=[Output("display", {"text/html": html})]))
    page = write_notebook(notebook.build("s"), tmp_path / "run.html").read_text()
    assert "evil" not in page
    assert '<p style="color: blue;">y</p>' in page


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html", "text/markdown", "text/plain"])
def test_half_of_a_surrogate_pair_stops_no_page(mime, tmp_path):
    """JSON can hold what is no text: a page shows a question mark in its place."""
    notebook = Notebook()
    notebook.add("1", ExecutionResult(outputs=[Output("display", {mime: "<svg>a\ud800b</svg>"})]))
    page = write_notebook(notebook.build("s"), tmp_path / "run.html").read_text()
    assert "a?b" in page or "data:image/svg+xml;base64," in page


async def test_a_session_is_exported_as_a_page(executor, tmp_path):
    """The suffix says what is written; tool calls are there, folded."""
    await executor.run("print(tools.weather(city='<Oslo>'))")
    page = executor.export_notebook(tmp_path / "run.html").read_text()
    assert "<details><summary>" in page
    assert "&lt;Oslo&gt;: 21 degrees" in page
    assert executor.export_notebook(tmp_path / "run.ipynb").read_text().startswith("{")


def test_without_nbconvert_it_says_what_to_install(tmp_path, monkeypatch):
    """The error names the extra, and no file is left."""
    monkeypatch.setitem(sys.modules, "nbconvert", None)
    with pytest.raises(ConfigError, match=r"py-code-mode\[lab\]"):
        write_notebook(Notebook().build("s"), tmp_path / "run.html")
    assert list(tmp_path.iterdir()) == []
