"""What a reader sees of a cell beside its outputs: who ran it, tools, skills; folded.

Place in the house: inside ``transcripts``, above ``celldata``, from whose data it is made. Names,
arguments and answers come from kernels and tools: everything is escaped.
"""

from __future__ import annotations

import html
import json
from typing import Any

from py_code_mode.transcripts.entry import AGENT
from py_code_mode.transcripts.order import plain_order

__all__ = ["show_cell_data"]

MAX_ROWS = 100
"""Calls that are shown; all of them are in the metadata."""

MAX_CHARS = 300
"""Characters of arguments, and of an answer, that are shown."""


def show_cell_data(data: dict[str, Any]) -> dict[str, str] | None:
    """Return a mime bundle; None if there is nothing to say.

    Args:
        data: What the cell's metadata say.
    """
    parts = [f"run in {data['origin']}, by a person"] if data["origin"] != AGENT else []
    calls = data["tool_calls"]
    if calls:
        seconds = sum(call["seconds"] for call in calls)
        parts.append(f"{_count(len(calls), 'tool call')}, {_time(seconds)}")
        failed = sum(call["outcome"] != "ok" for call in calls)
        parts += [f"{failed} failed"] if failed else []
    skills = (_skill(name, runs) for name, runs in data.get("skills", {}).items())
    parts += [f"skills: {', '.join(skills)}"] if "skills" in data else []
    if data.get("state_lost"):
        parts.append("the kernel was replaced: all variables are gone")
    if not parts:
        return None
    summary = " · ".join(parts)
    rows = [_row(call) for call in calls[:MAX_ROWS]]
    more = len(calls) - len(rows)
    return {
        "text/plain": "\n".join([f"[{summary}]", *(_plain(row) for row in rows), *_more(more)]),
        "text/html": _html(summary, rows, more),
    }


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _skill(name: str, runs: int) -> str:
    return name[:MAX_CHARS] if runs == 1 else f"{name[:MAX_CHARS]} ({runs} times)"


def _more(number: int) -> list[str]:
    return [f"    and {number:,} more"] if number else []


def _row(call: dict[str, Any]) -> tuple[str, str, str]:
    """Return call, outcome and answer as text."""
    arguments = ", ".join(f"{name}={_text(value)}" for name, value in call["arguments"].items())
    outcome = f"{call['outcome']}, {_time(call['seconds'])}"
    said = call.get("error") or call.get("not_recorded") or ""
    answer = call.get("answer", {})
    if not said and "value" in answer:
        said = _text(plain_order(answer["value"]))
    return f"{call['tool']}({_short(arguments)})", outcome, _short(said)


def _text(value: Any) -> str:
    return repr(value[: MAX_CHARS + 1]) if isinstance(value, str) else json.dumps(value)


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}..."


def _plain(row: tuple[str, str, str]) -> str:
    call, outcome, said = row
    return f"    {call}: {outcome}" + (f": {' '.join(said.split())}" if said else "")


def _html(summary: str, rows: list[tuple[str, str, str]], more: int) -> str:
    head = html.escape(summary)
    if not rows:
        return f"<small>{head}</small>"
    lines = "".join(map(_line, rows))
    rest = "".join(f"<p>{html.escape(line.strip())}</p>" for line in _more(more))
    table = f"<table>{_HEAD}{lines}</table>"
    return f"<details><summary><small>{head}</small></summary>{table}{rest}</details>"


_LEFT = 'style="text-align:left"'
_HEAD = f"<tr><th {_LEFT}>call</th><th {_LEFT}>outcome</th><th {_LEFT}>answer</th></tr>"


def _line(row: tuple[str, str, str]) -> str:
    call, outcome, said = map(html.escape, row)
    return (
        f"<tr><td {_LEFT}><code>{call}</code></td><td {_LEFT}>{outcome}</td>"
        f"<td {_LEFT}><code>{said}</code></td></tr>"
    )
