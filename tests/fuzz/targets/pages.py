"""What a person looks at: pages made of notebooks, whose HTML comes from kernels and files.

Place in the house: ``tests.fuzz.targets``. nbconvert takes long for a whole page; so most inputs
go to the parts that make it harmless, and few to all of it.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import nbformat

from kernel_bootstrap.wire.bundles import framed
from py_code_mode.outputs import Output
from py_code_mode.pagetext import read_page
from py_code_mode.results import ExecutionResult
from py_code_mode.transcripts.page import _ATTRIBUTES, _TAGS, _clean, _shown, to_page
from tests.fuzz.draw import Draw, now_and_then

__all__ = ["page"]

_HTML = (
    '<table border="1"><thead><tr><th colspan=2>a</th></tr></thead><tr><td rowspan="2">1<td>2</table>',
    '<a href="https://x/y" title="t">l</a><img src="data:image/png;base64,aGk=" width=3 alt=a>',
    "<div class=x style='color: red; background: url(//evil)'><p>para<br>more</p></div>",
    "<details open><summary>s</summary><pre>x &lt; y &amp; z</pre></details>",
    "<video controls><source src=a.mp4>none</video><audio src='data:audio/wav;base64,aGk='></audio>",
)
_PIECES = (
    *("<script>", "</script>", "<style>", "</style>", "<svg>", "<math>", "<iframe srcdoc=", "<!--"),
    *("-->", "<![CDATA[", "]]>", "<?x", "<!DOCTYPE", "<base href=//e>", "<meta http-equiv=refresh"),
    *(
        " onerror=alert(1)",
        " onload='a'",
        ' style="x:expression(a)"',
        "javascript:a",
        "&#106;avascript:",
    ),
    *(
        "java\tscript:",
        "\0",
        "<",
        ">",
        '"',
        "'",
        "/",
        "=",
        " ",
        "&",
        "&#x3c;",
        "&lt;",
        "<img src=x ",
    ),
    *(
        "<a href=",
        "<form action=//e>",
        "<input ",
        "<textarea>",
        "<title>",
        "<noscript>",
        "<template>",
    ),
    *(
        "<xmp>",
        "<plaintext>",
        "<select>",
        "<td>",
        "</table>",
        "<table>",
        "colspan=99999",
        "rowspan=999",
    ),
    *(
        "url(data:image/svg+xml,x)",
        "@import '//e'",
        "\u2028",
        "\u017fcript",
        "<\u017fcript>",
        "K",
        "\ud800",
    ),
    *("<p " + "a " * 300, "<" * 400, "</" * 400, "<b>" * 120, "&" * 300, "<!" * 300, '="' * 200),
)
_MIMES = (
    *("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex"),
    *("text/plain", "application/javascript", "application/vnd.jupyter.widget-view+json"),
)
_METADATA = (
    '{"image/png": {"width": 5, "height": "7px", "unconfined": true, "needs_background": "dark"}}'
)
_WORDS = ("width", "height", "unconfined", "needs_background", "light", "5%", "0", "20001", *_MIMES)


class _Seen(HTMLParser):
    """Finds what a browser would act on."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS, f"the tag {tag!r} is left"
        for name, value in attrs:
            if (tag, name) == ("a", "href"):
                assert (value or "").lower().startswith(("http:", "https:", "mailto:", "#")), value
            elif (tag, name) == ("img", "src"):
                assert (value or "").lower().startswith("data:image/"), value
            else:
                assert name in _ATTRIBUTES, f"the attribute {name!r} is left"
                assert name != "style" or "url(" not in (value or ""), value

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)


def page(data: bytes) -> None:
    """HTML comes out without anything that runs or loads, whatever it was."""
    draw = Draw(data)
    html = draw.spliced(draw.pick(_HTML), _PIECES)
    framed(html)
    read_page(html)
    seen = _Seen()
    seen.feed(_clean(html))
    seen.close()
    bundle: dict[str, Any] = {draw.pick(_MIMES): html, draw.pick(_MIMES): draw.text()}
    metadata = draw.changed(json.loads(_METADATA), _WORDS)
    output = Output("display", bundle, metadata if isinstance(metadata, dict) else {})
    if now_and_then(data, 16):
        result = ExecutionResult(outputs=[output])
        assert isinstance(result._repr_mimebundle_()["text/html"], str)
        _ = result.text
    if now_and_then(data, 1024):
        _whole(output)


def _whole(output: Output) -> None:
    from py_code_mode.notebook import Notebook

    notebook = Notebook()
    notebook.add("x", ExecutionResult(outputs=[output]))
    built = nbformat.reads(nbformat.writes(notebook.build("s")), 4)
    _shown(built)
    text = to_page(built, "title")
    assert "<script" not in text.lower().replace("&lt;script", ""), "a page with a script"
