"""The OpenAPI document as a page for people: one file, no script, nothing from elsewhere.

Place in the house: inside ``server``, above ``openapi``.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

__all__ = ["page"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .6rem; background: rgba(128, 128, 128, .12); border-radius: 4px; }
details { border: 1px solid rgba(128, 128, 128, .35); border-radius: 4px; margin: .5rem 0; }
details > *:not(summary) { margin-left: 1rem; margin-right: 1rem; }
summary { cursor: pointer; padding: .45rem .7rem; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
.method { display: inline-block; min-width: 4.2rem; font-weight: 600; }
.text { opacity: .75; margin-left: .6rem; }
"""

_TOKENS = (
    'Errors are `{"error": {"type", "message"}}`. Where tokens are configured, send '
    "`Authorization: Bearer TOKEN`."
)


def page(document: dict[str, Any]) -> str:
    """Return the page.

    Args:
        document: The OpenAPI document.
    """
    info = document["info"]
    about = f"{_text(info['description'])} Version {_text(info['version'])}."
    parts = [
        f"<h1>{_text(info['title'])}</h1>",
        f'<p>{about} As data: <a href="openapi.json">openapi.json</a>.</p>',
        f"<p>{_text(_TOKENS)}</p>",
    ]
    tag = ""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation["tags"][0] != tag:
                tag = operation["tags"][0]
                parts.append(f"<h2>{_text(tag)}</h2>")
            parts.append(_operation(path, method, operation, document))
    parts.append("<h2>forms</h2>")
    for name, schema in document["components"]["schemas"].items():
        shown = _text(json.dumps(schema, indent=2))
        parts.append(
            f'<details id="{_text(name)}"><summary><code>{_text(name)}</code></summary>'
            f"<pre>{shown}</pre></details>"
        )
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{_text(info['title'])}</title><style>{_STYLE}</style>"
    )
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'
    )


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    rows = [
        _row(f"<code>{_text(each['name'])}</code>", each["in"], each.get("description", ""))
        for each in operation["parameters"]
    ]
    body = operation.get("requestBody", {})
    rows += [
        _row("body", _text(media), "", _form(content))
        for media, content in body.get("content", {}).items()
    ]
    answers = []
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            answer = document["components"]["responses"][status]  # noqa: PLW2901 - the same answer
        forms = [
            _form(content) or _text(media) for media, content in answer.get("content", {}).items()
        ]
        answers.append(_row(f"<code>{status}</code>", "", answer["description"], " ".join(forms)))
    text = operation.get("description", "")
    return (
        f'<details><summary><span class="method">{method.upper()}</span><code>{_text(path)}</code>'
        f'<span class="text">{_text(operation["summary"])}</span></summary>'
        f"<p>{_text(text)}</p>"
        f"{_table('Takes', rows)}{_table('Answers', answers)}</details>"
    )


def _table(title: str, rows: list[str]) -> str:
    return f"<h4>{title}</h4><table>{''.join(rows)}</table>" if rows else ""


def _row(name: str, where: str, text: str, more: str = "") -> str:
    return f"<tr><td>{name}</td><td>{where}</td><td>{_text(text)} {more}</td></tr>"


def _form(content: dict[str, Any]) -> str:
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return f'<a href="#{_text(name)}">{_text(name)}</a>' if name else ""


def _text(text: str) -> str:
    """Escape text; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
