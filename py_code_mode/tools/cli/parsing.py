"""What a command printed, as a value.

Place in the house: ``tools.cli``; pure functions. What does not parse is an error that keeps
the output: half a value would look like a whole one.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PARSERS", "Parser"]


@dataclass(frozen=True, slots=True)
class Parser:
    """One way to read output.

    Attributes:
        annotation: Type of what it gives, as Python source.
        schema: The same as JSON schema.
        what: What the output must be, for messages.
        parse: Reads it; raises ``ValueError`` with what is wrong.
    """

    annotation: str
    schema: Mapping[str, Any]
    what: str
    parse: Callable[[str], Any]


def _json(text: str) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _jsonl(text: str) -> list[Any]:
    values = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.strip():
            try:
                values.append(_json(line))
            except ValueError as error:
                raise ValueError(f"in line {number}: {error}") from None
    return values


def _lines(text: str) -> list[str]:
    # Not splitlines: that parts at form feeds and the like, too.
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _csv(text: str) -> list[dict[str, str]]:
    reader = csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"in line {reader.line_num}: {error}") from None
    if not rows:
        return []
    (_, header), *body = rows
    if len(set(header)) < len(header):
        double = next(name for name in header if header.count(name) > 1)
        raise ValueError(f"two columns are called {double!r}")
    for number, row in body:
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} fields, the first has {len(header)}")
    return [dict(zip(header, row, strict=True)) for _, row in body]


_TEXT = {"type": "string"}

PARSERS = {
    "text": Parser("str", _TEXT, "text", str),
    "json": Parser("Any", {}, "JSON", _json),
    "jsonl": Parser("list[Any]", {"type": "array"}, "JSON lines", _jsonl),
    "lines": Parser("list[str]", {"type": "array", "items": _TEXT}, "lines", _lines),
    "csv": Parser(
        "list[dict[str, str]]",
        {"type": "array", "items": {"type": "object", "additionalProperties": _TEXT}},
        "CSV with a header",
        _csv,
    ),
}
"""What ``parse`` in a tool file may say."""
