"""A notebook as one page of HTML, made by nbconvert.

Place in the house: inside ``transcripts``. What kernels and tools sent is hostile, and a page is
something one sends to others. So it runs nothing and loads nothing: HTML keeps what only says how
text looks, scripts and widgets go, and a Content-Security-Policy forbids them once more. A chart
that comes with a picture is shown as the picture. Formulas stay as they were written.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import ConfigError
from py_code_mode.outputtext import name_played

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["to_page"]

_PRIORITY = [
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "text/plain",
]
"""Formats of which the first that an output has is shown: none that needs a script."""

_TAGS = frozenset(
    {
        *("a", "b", "br", "code", "del", "details", "em", "hr", "i", "img", "ins", "kbd", "mark"),
        *("abbr", "blockquote", "dd", "div", "dl", "dt", "li", "ol", "p", "pre", "q", "s", "samp"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "small", "span", "strong", "sub", "summary", "sup"),
        *("caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
        *("tt", "u", "ul", "var"),
    }
)
_ATTRIBUTES = frozenset({"align", "alt", "class", "colspan", "rowspan", "style", "title", "open"})
_LINK = re.compile(r"(?:https?://|mailto:|#)", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,", re.IGNORECASE)

# Their content is no text for readers; bleach would keep it as such.
_DROPPED = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_LOADING = re.compile(r"url|image|\\", re.IGNORECASE)
"""What a style needs to load something: the names of functions that do, or an escape in them."""

_MAX_SIDE = 20_000
_SIZE = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?)(?:px|%)?")
_BACKGROUNDS = ("light", "dark")  # a tuple: anything can be asked of it, lists too
_SCRIPT = re.compile(r"<script\b", re.IGNORECASE)

_TEMPLATE = """\
{%- extends 'index.html.j2' -%}
{%- block html_head -%}
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:">
{{ super() }}
{%- endblock html_head -%}
{%- block html_head_js -%}{%- endblock html_head_js -%}
{%- block jupyter_widgets -%}{%- endblock jupyter_widgets -%}
{%- block html_head_js_mathjax -%}{%- endblock html_head_js_mathjax -%}
{%- block html_head_js_mermaidjs -%}{%- endblock html_head_js_mermaidjs -%}
"""


def to_page(notebook: NotebookNode, title: str) -> str:
    """Return a notebook as HTML that can be opened without a network.

    Args:
        notebook: A valid notebook.
        title: The page's title.

    Raises:
        ConfigError: nbconvert is not installed.
    """
    try:
        from nbconvert import HTMLExporter
        from traitlets.config import Config
    except ImportError as error:
        raise ConfigError(
            f"a page of HTML needs nbconvert ({error}): pip install 'py-code-mode[lab]'"
        ) from error
    settings = Config({"NbConvertBase": {"display_data_priority": _PRIORITY}})
    exporter = HTMLExporter(config=settings, sanitize_html=True, raw_template=_TEMPLATE)
    exporter.register_filter("clean_html", _clean)
    resources = {"metadata": {"name": title}}
    page, _ = exporter.from_notebook_node(_shown(notebook), resources)
    return str(page)


def _shown(notebook: NotebookNode) -> NotebookNode:
    """Return a copy in which nothing is left to a script: see ``_settle``."""
    shown = copy.deepcopy(notebook)
    shown.metadata.pop("widgets", None)
    for cell in shown.cells:
        for output in cell.get("outputs", ()):
            if "data" in output:
                _settle(output["data"])
                output["metadata"] = {
                    mime: _harmless(said)
                    for mime, said in output.get("metadata", {}).items()
                    if mime in _PRIORITY and isinstance(said, dict)
                }
    return shown


def _harmless(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page may read of a picture's metadata; it writes sizes without quotes."""
    kept = {name: said[name] for name in ("width", "height") if _is_size(said.get(name))}
    if said.get("unconfined") is True:
        kept["unconfined"] = True
    if said.get("needs_background") in _BACKGROUNDS:
        kept["needs_background"] = said["needs_background"]
    return kept


def _is_size(said: Any) -> bool:
    if isinstance(said, str):
        match = _SIZE.fullmatch(said)
        said = float(match[1]) if match else 0
    return type(said) in (int, float) and 0 < said <= _MAX_SIDE


def _settle(data: dict[str, Any]) -> None:
    """Take away HTML that only a script would fill; what then shows nothing is named."""
    formats = ", ".join(data)
    for mime, said in data.items():
        if isinstance(said, str):  # lone surrogates are no text, and end nbconvert
            data[mime] = said.encode("utf-8", "replace").decode()
    html = data.get("text/html")
    if isinstance(html, str):
        # This page plays nothing.
        html = data["text/html"] = name_played(html, ": not played here, see the notebook")
    if isinstance(html, str) and _SCRIPT.search(html):
        has_picture = any(mime in data for mime in _PRIORITY if mime.startswith("image/"))
        if has_picture or not _TAG.sub("", _DROPPED.sub("", html)).strip():
            del data["text/html"]
    if not any(mime in data for mime in _PRIORITY):
        data["text/plain"] = f"[{formats}: not shown here, see the notebook]"


def _clean(element: Any) -> str:
    """Return HTML without anything that runs or loads."""
    import bleach
    from bleach.css_sanitizer import CSSSanitizer

    html = element.decode("utf-8", "replace") if isinstance(element, bytes) else str(element)
    cleaned: str = bleach.clean(
        _DROPPED.sub("", html),
        tags=_TAGS,
        attributes=_is_harmless,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(),
        strip=True,
    )
    return cleaned


def _is_harmless(tag: str, name: str, value: str) -> bool:
    if (tag, name) == ("a", "href"):
        return _LINK.match(value) is not None
    if (tag, name) == ("img", "src"):
        return _PICTURE.match(value) is not None
    if name == "style" and _LOADING.search(value):  # `cursor` may have a picture
        return False
    return name in _ATTRIBUTES
