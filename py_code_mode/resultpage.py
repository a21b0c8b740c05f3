"""A result as a notebook shows it: HTML that nothing a kernel sent can break out of.

Place in the house: values layer, below ``results``, whose results it shows.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from py_code_mode.results import ExecutionResult

__all__ = ["to_html"]


def to_html(result: ExecutionResult) -> str:
    """Return HTML: pictures as pictures, tables as tables, everything else as escaped text."""
    parts = []
    for output in result.outputs:
        if output.png is not None:
            # Encoded anew: what a kernel calls base64 may be anything.
            picture = base64.b64encode(output.png).decode()
            parts.append(f'<img src="data:image/png;base64,{picture}">')
        elif output.html is not None and output.kind != "stream":
            # A kernel's HTML is hostile: it goes into a frame without scripts or origin.
            inner = html.escape(output.html, quote=True)
            parts.append(f'<iframe sandbox srcdoc="{inner}" style="width:100%;border:0"></iframe>')
        elif output.text:
            parts.append(f"<pre>{html.escape(output.text)}</pre>")
    if result.error is not None and not result.error_is_shown():
        parts.append(f"<pre>{html.escape(result.error.text)}</pre>")
    if result.tool_calls:
        rows = "".join(
            f"<li><code>{html.escape(call.tool)}({html.escape(_short(call.arguments))})</code> "
            f"{html.escape(call.outcome)}, {call.seconds * 1000:.1f} ms</li>"
            for call in result.tool_calls
        )
        count = len(result.tool_calls)
        parts.append(f"<details><summary>{count} tool calls</summary><ul>{rows}</ul></details>")
    return "\n".join(parts)


def _short(arguments: Mapping[str, Any]) -> str:
    try:
        return ", ".join(f"{name}={value!r}" for name, value in arguments.items())[:200]
    except ValueError:  # an int with more digits than Python prints
        return "..."
