"""One output in words, for who cannot see it.

Place in the house: values layer, below ``formodel``. The plain text of most objects says what they
are; where it does not, their other formats do: tables, pages, charts, data.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from py_code_mode.outputs import Output
from py_code_mode.tables import describe_frame, describe_page, is_frame

__all__ = ["describe_output", "name_formats", "name_played"]

_SAYS_NOTHING = re.compile(
    r"<[\w.]+ (?:object|at 0x)[^\n]*>|<\w+(?:\.\w+)+[^\n]*>|alt\.\w+\(\.\.\.\)"
)
"""The text of an object that has only other formats to say something in."""

_MAX_NAMES = 12
_MAX_LAYERS = 6
_LAYERS = ("layer", "hconcat", "vconcat", "concat")
_MAX_NAME = 60
_MAX_LIST = 200
_MAX_DEPTH = 8
_MAX_NESTED = 2
"""Lists and conditions inside of a channel's own."""
_MAX_NUMBER = 1e15
_MAX_JSON = 400_000
_MAX_ADDRESS = 100

# One pass: each alternative that begins long text ends it at the page's end at last.
_PLAYED = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|<(/?)(audio|video)\b[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
_ANY_PLAYED = re.compile(r"<(?:audio|video)\b", re.IGNORECASE)
_SOURCE = re.compile(r"\ssrc\s{0,3}=\s{0,3}(?:\"([^\"]*+)|'([^']*+)|([^\s>\"']++))", re.IGNORECASE)


def describe_output(output: Output, value: Any, *, rows: int, where: str) -> str:
    """Return what an output says, tables by schema and first rows; may be empty.

    Args:
        output: What was shown.
        value: The value it shows, if that is known here.
        rows: How many rows of a table.
        where: Where all of it is, as ``; all of it: Out[3]``.
    """
    plain = output.text or ""
    if output.kind in ("stream", "error"):
        return plain
    table = _table(output, value, rows, where)
    if table is not None:
        return table
    chart = _chart(output)
    if chart:
        return chart
    if plain and not _SAYS_NOTHING.fullmatch(plain):
        return plain
    other = output.markdown or output.latex or _json(output.json)
    if not other and output.html:
        other = describe_page(name_played(output.html), rows, where)
    return other or plain or f"[{name_formats(output)}]"


def name_formats(output: Output) -> str:
    """Return an output's MIME types, with the size of those that are large."""
    return ", ".join(
        f"{mime} ({len(value):,} characters)" if _is_large(value) else mime
        for mime, value in [*output.data.items()][:_MAX_NAMES]
    )


def _is_large(value: Any) -> bool:
    return isinstance(value, str) and len(value) > 10_000  # noqa: PLR2004 - more than a page


def _table(output: Output, value: Any, rows: int, where: str) -> str | None:
    """Return a table's schema and first rows; None if there is none, or its text is as short."""
    if is_frame(value):
        return describe_frame(value, rows, where)
    page, plain = output.html, output.text or ""
    if page is None or "<table" not in page:
        return None
    if plain and not _SAYS_NOTHING.fullmatch(plain) and plain.count("\n") <= rows + 1:
        return None
    return describe_page(name_played(page), rows, where) or None


def _json(data: Any) -> str:
    if data is None:
        return ""
    try:
        return json.dumps(data, ensure_ascii=False)[:_MAX_JSON]
    except (ValueError, RecursionError):
        return ""


# --- sounds and films --------------------------------------------------------------------------


def name_played(page: str, note: str = "") -> str:
    """Return a page with its sounds and films named, in ``[...]``, in place of them.

    What is written in such elements is for programs that cannot play them; and a sound can be
    much longer than a page that is looked into.

    Args:
        page: HTML.
        note: What is said after the name.
    """
    if not _ANY_PLAYED.search(page):
        return page
    said: list[str] = []
    end, began, kind = 0, -1, ""
    for match in _PLAYED.finditer(page):
        closes, name = match[2], (match[3] or "").lower()
        if began < 0 and name and not closes:
            said.append(page[end : match.start()])
            began, end, kind = match.start(), match.end(), name
        elif began >= 0 and closes and name == kind:
            said.append(_name_played(kind, page[began : match.start()], note))
            began, end = -1, match.end()
    if began >= 0:  # nothing ends it: what follows may be more than it
        said.append(_name_played(kind, page[began:end], note))
    return "".join([*said, page[end:]])


def _name_played(kind: str, element: str, note: str) -> str:
    """Return a name of a sound or film, as HTML: its size, or its address."""
    found = _SOURCE.search(element)
    source = (found[1] or found[2] or found[3] or "").strip() if found else ""
    if source[:5].lower() == "data:":
        form, _, content = source.partition(",")
        size = len(content)
        if form[-7:].lower() == ";base64":
            size = size * 3 // 4 - content[-2:].count("=")
        return f"[{kind} of {size:,} bytes{note}]"
    # What follows the path may be a key.
    address = html.unescape(source[: 10 * _MAX_ADDRESS]).partition("?")[0].partition("#")[0]
    address = " ".join(address.split())
    if len(address) > _MAX_ADDRESS:
        address = f"...{address[3 - _MAX_ADDRESS :]}"
    return f"[{kind}{' ' + html.escape(address) if address else ''}{note}]"


# --- charts ------------------------------------------------------------------------------------


def _chart(output: Output) -> str:
    """Return what a chart draws; its specification is long, and tells a model little more."""
    if isinstance(output.plotly, Mapping):
        return _plotly(output.plotly)
    if isinstance(output.vegalite, Mapping):
        return _vegalite(output.vegalite)
    return ""


def _plotly(figure: Mapping[str, Any]) -> str:
    traces = figure.get("data")
    traces = traces if isinstance(traces, list) else []
    listed = [each for each in traces if isinstance(each, Mapping)]
    names = [
        " ".join(filter(None, (_word(each.get("type")) or "scatter", _word(each.get("name")))))
        for each in listed[:_MAX_NAMES]
    ]
    more = f" and {len(listed) - len(names):,} more" if len(listed) > len(names) else ""
    layout = figure.get("layout")
    title = layout.get("title") if isinstance(layout, Mapping) else None
    return f"[chart of plotly: {', '.join(names) or 'nothing'}{more}{_titled(title)}]"


def _vegalite(chart: Mapping[str, Any]) -> str:
    views = _views(chart, {}, 0)
    said = [_view(mark, channels) for mark, channels in islice(views, _MAX_LAYERS)]
    rest = sum(1 for _ in views)
    more = f"; and {rest:,} more" if rest else ""
    return f"[chart of Vega-Lite: {'; '.join(said) or 'layers'}{more}{_titled(chart.get('title'))}]"


def _views(
    chart: Any, above: Mapping[Any, Any], depth: int
) -> Iterator[tuple[Any, Mapping[Any, Any]]]:
    """Return mark and channels of each view of a chart; those inside of others take theirs over."""
    if not isinstance(chart, Mapping) or depth > _MAX_DEPTH:
        return
    own = dict(_split(chart))
    # Bounded, as there may be a million views.
    channels = dict(islice({**above, **own}.items(), 2 * _MAX_NAMES)) if own else above
    inside = next((chart[name] for name in _LAYERS if isinstance(chart.get(name), list)), None)
    if inside is None and isinstance(chart.get("spec"), Mapping):
        inside = [chart["spec"]]
    if inside is None and (chart.get("mark") or channels):
        yield chart.get("mark"), channels
    for each in inside or ():
        yield from _views(each, channels, depth + 1)


def _split(chart: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Return a chart's own channels, and what it is drawn anew for: ``facet`` and ``repeat``."""
    for name in ("facet", "repeat"):
        said = chart.get(name)
        if isinstance(said, Mapping) and "field" not in said:
            yield from islice(said.items(), _MAX_NAMES)  # by rows, columns, layers
        elif said:
            yield name, said
    own = chart.get("encoding")
    if isinstance(own, Mapping):
        yield from islice(own.items(), _MAX_NAMES)


def _view(mark: Any, channels: Mapping[str, Any]) -> str:
    mark = mark.get("type") if isinstance(mark, Mapping) else mark
    fields = ((_word(channel), _field(said)) for channel, said in channels.items())
    told = (f"{channel}: {field}" for channel, field in fields if field)
    return ", ".join(filter(None, (_word(mark), *islice(told, _MAX_NAMES))))


def _field(said: Any, depth: int = 0) -> str:
    """Return what a channel shows: a field, what is made of it, or a number of rows."""
    if isinstance(said, list):
        few = said[:_MAX_NAMES] if depth < _MAX_NESTED else []
        return ", ".join(filter(None, (_field(each, depth + 1) for each in few)))[:_MAX_LIST]
    if not isinstance(said, Mapping):
        return _word(said)
    field, done = said.get("field"), said.get("aggregate")
    if isinstance(field, Mapping):
        name = f"each {_word(field.get('repeat'))}" if field.get("repeat") else ""
    else:
        name = _word(field)
    if isinstance(done, Mapping):  # the value of one field where another is largest
        how, other = next(iter(done.items()), ("", ""))
        return f"{name} at {_word(how)}({_word(other)})" if name else ""
    unit = said.get("timeUnit")
    unit = unit.get("unit") if isinstance(unit, Mapping) else unit
    binned = said.get("bin") not in (None, False, "binned", "null")
    done = _word(done) or _word(unit) or ("bin" if binned else "")
    told = f"{done}({name})" if done and name else done or name
    if not told and depth < _MAX_NESTED and isinstance(said.get("condition"), Mapping | list):
        told = _field(said["condition"], depth + 1)
    return told or _constant(said.get("datum")) or _constant(said.get("value"))


def _constant(said: Any) -> str:
    if isinstance(said, int | float):
        return f"{said:g}" if abs(said) < _MAX_NUMBER else ""
    return _word(said)


def _titled(title: Any) -> str:
    title = title.get("text") if isinstance(title, Mapping) else title
    lines = title[:_MAX_NAMES] if isinstance(title, list) else [title]
    told = _word(" ".join(filter(None, map(_word, lines))))
    return f'; title "{told}"' if told else ""


def _word(said: Any) -> str:
    """Return a name out of a specification, which may hold anything there."""
    return " ".join(said[: 9 * _MAX_NAME].split())[:_MAX_NAME] if isinstance(said, str) else ""
