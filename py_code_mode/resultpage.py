"""A result as a notebook shows it: HTML that nothing a kernel sent can break out of.

Place in the house: values layer, below ``results``, whose results it shows. All of a kernel is
text here, escaped, or a picture in an ``img``, where no script runs; a page of HTML goes into a
frame without scripts or origin. Styles stand on the elements, because notebooks that are not
trusted keep nothing else, and take JupyterLab's colours where there are any.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kernel_bootstrap.wire.limits import cut_text
from py_code_mode.outputs import Output, RemoteValue
from py_code_mode.outputtext import describe_output
from py_code_mode.tables import read_table

if TYPE_CHECKING:
    from py_code_mode.callrecord import ToolCall
    from py_code_mode.results import ErrorInfo, ExecutionResult

__all__ = ["to_html"]

MAX_TEXT = 100_000
"""Characters of one text; ``result.outputs`` has all of it."""

MAX_CALLS = 100
MAX_ROWS = 100
MAX_NAMES = 12
MAX_ARGUMENTS = 200

_FAINT = "color:var(--jp-content-font-color2,inherit);opacity:.8;font-size:90%"
_PRE = (
    "margin:2px 0;padding:2px 4px;max-height:32em;overflow:auto;white-space:pre-wrap;"
    "font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,13px);"
    "color:var(--jp-content-font-color1,inherit);background:"
)
_CLEAR, _RED, _YELLOW = "transparent", "rgba(220,60,60,.12)", "rgba(220,170,0,.16)"
_CELL = "padding:1px 8px;text-align:right;border-bottom:1px solid rgba(128,128,128,.25)"
_FRAME = "width:100%;height:20em;border:0;background:white;resize:vertical"

_TENTH = 0.1  # of a second; shorter times are told in milliseconds

_IMAGES = {
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
}


def to_html(result: ExecutionResult) -> str:
    """Return a result as HTML: what it showed, why it failed, what it called, what was cut."""
    parts = [_headline(result)]
    if result.state_lost:
        parts.append(_note("The session was restarted: all variables are gone."))
    parts += [_output(output, result) for output in result.outputs if output.kind != "error"]
    if isinstance(result.value, RemoteValue):
        kept = f"The object stays in the session: {result.value.handle}"
        parts.append(f'<div style="{_FAINT}">{_escape(kept)}</div>')
    if result.error is not None:
        parts.append(_error(result.error))
    parts += [_note(f"Cut: {cut}") for cut in result.truncated[:MAX_CALLS]]
    if result.tool_calls:
        parts.append(_calls(result.tool_calls))
    return '<div style="line-height:1.4">\n' + "\n".join(filter(None, parts)) + "\n</div>"


def _escape(text: str) -> str:
    return html.escape(text.encode("utf-8", "replace").decode(), quote=True)


def _pre(text: str, background: str = _CLEAR) -> str:
    text = cut_text(text, MAX_TEXT).rstrip("\n")
    return f'<pre style="{_PRE}{background}">{_escape(text)}</pre>' if text else ""


def _note(text: str) -> str:
    return f'<div style="margin:2px 0;padding:2px 6px;background:{_YELLOW}">{_escape(text)}</div>'


def _folded(title: str, inner: str) -> str:
    style = f"cursor:pointer;{_FAINT}"
    return (
        f'<details><summary style="{style}">{_escape(title)}</summary>\n{inner}\n</details>'
        if inner
        else ""
    )


def _headline(result: ExecutionResult) -> str:
    said = ["failed" if result.error is not None else "ok"]
    if result.execution_count:
        said.insert(0, f"[{result.execution_count}]")
    names = result.new_variables[:MAX_NAMES]
    if names:
        more = ", ..." if len(result.new_variables) > MAX_NAMES else ""
        said.append(f"new: {', '.join(names)}{more}")
    text = _escape(" · ".join(said))
    return f'<div style="{_FAINT}">{text} · {_time(result.seconds)}</div>'


def _time(seconds: float) -> str:
    text = f"{seconds:.2f} s" if seconds >= _TENTH else f"{seconds * 1000:.1f} ms"
    return f"<span>{text}</span>"


# --- outputs -----------------------------------------------------------------------------------


def _output(output: Output, result: ExecutionResult) -> str:
    if output.kind == "stream":
        return _pre(output.text or "", _RED if output.name == "stderr" else _CLEAR)
    for mime, name in _IMAGES.items():
        data = getattr(output, name)
        if data is not None:
            return _picture(mime, data, output.metadata.get(mime))
    if output.html is not None and not (output.vegalite or output.plotly):
        return _page(output.html)
    data = output.json
    if output.text is None and data is not None:
        return _pre(_pretty(data))
    value = result.value if output.kind == "result" else None
    return _pre(output.text or describe_output(output, value, rows=MAX_ROWS, where=""))


def _picture(mime: str, data: bytes | str, metadata: Any) -> str:
    # Encoded anew: what a kernel calls base64 may be anything.
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    width = metadata.get("width") if isinstance(metadata, Mapping) else None
    sized = f' width="{width}"' if type(width) is int and 0 < width < MAX_TEXT else ""
    source = f"data:{mime};base64,{base64.b64encode(raw).decode()}"
    return f'<img src="{source}"{sized} style="max-width:100%">'


def _page(page: str) -> str:
    """Return a kernel's HTML: a table is built anew of its cells, anything else is framed."""
    table = read_table(page, MAX_ROWS)
    if table is None:
        inner = _escape(page)
        return f'<iframe sandbox srcdoc="{inner}" style="{_FRAME}"></iframe>'
    rows, heads, beside = table
    head = "".join(_row(row, "th") for row in rows[:heads])
    body = "".join(_row(row, "td") for row in rows[heads:])
    below = f'<div style="{_FAINT}">{_escape(beside)}</div>' if beside else ""
    style = "border-collapse:collapse;color:var(--jp-content-font-color1,inherit)"
    return (
        '<div style="overflow:auto;max-height:32em">'
        f'<table style="{style}"><thead>{head}</thead><tbody>{body}</tbody></table></div>{below}'
    )


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f'<{tag} style="{_CELL}">{_escape(c)}</{tag}>' for c in cells) + "</tr>"


def _pretty(data: Any) -> str:
    try:
        return json.dumps(data, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "..."


# --- what went wrong, and what was called ------------------------------------------------------


def _error(error: ErrorInfo) -> str:
    """Name and message first; what explains them is folded below."""
    title = f'<b style="color:var(--jp-error-color1,#d33)">{_escape(error.name)}</b>'
    message = _escape(cut_text(error.message, MAX_TEXT))
    said = f'<span style="white-space:pre-wrap">{": " if message else ""}{message}</span>'
    folded = [
        _folded("Traceback", _pre(error.traceback, _RED)),
        "" if error.frame is None else _folded(f"Variables in {error.frame.where}", _table(error)),
    ]
    return "\n".join(
        [
            f'<div style="margin:2px 0;padding:2px 6px;background:{_RED}">{title}{said}</div>',
            *filter(None, folded),
        ]
    )


def _table(error: ErrorInfo) -> str:
    """Return the variables of the frame that failed."""
    rows = [("name", "type", "size", "value")]
    for each in error.locals:
        sides = each.shape or (() if each.length is None else (each.length,))
        rows.append((each.name, each.type, " x ".join(f"{side:,}" for side in sides), each.preview))
    style = "border-collapse:collapse;color:var(--jp-content-font-color1,inherit)"
    body = "".join(_row(row, "td" if index else "th") for index, row in enumerate(rows))
    return f'<table style="{style}">{body}</table>' if len(rows) > 1 else ""


def _calls(calls: Sequence[ToolCall]) -> str:
    failed = sum(call.outcome != "ok" for call in calls)
    title = f"{len(calls):,} tool call{'s' * (len(calls) > 1)}"
    title += f", {failed:,} failed" if failed else ""
    rows = "".join(map(_call, calls[:MAX_CALLS]))
    more = f"<li>and {len(calls) - MAX_CALLS:,} more</li>" if len(calls) > MAX_CALLS else ""
    return _folded(title, f'<ul style="margin:2px 0">{rows}{more}</ul>')


def _call(call: ToolCall) -> str:
    code = f"<code>{_escape(call.tool)}({_escape(_short(call.arguments))})</code>"
    why = f": {_escape(cut_text(call.error, MAX_ARGUMENTS))}" if call.error else ""
    return f"<li>{code} {_escape(call.outcome)}{why}, {_time(call.seconds)}</li>"


def _short(arguments: Mapping[str, Any]) -> str:
    try:
        text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    except ValueError:  # an int with more digits than Python prints
        return "..."
    return text if len(text) <= MAX_ARGUMENTS else f"{text[: MAX_ARGUMENTS - 3]}..."
