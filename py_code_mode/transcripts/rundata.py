"""What the metadata of a notebook say: the tools, and skills and artifacts as the cells found them.

Place in the house: inside ``transcripts``, beside ``celldata``. It is what a replay needs to begin
with. ``Before`` gathers it cell by cell; what the cells themselves made is not of it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kernel_bootstrap.wire.codec import decode, encode
from kernel_bootstrap.wire.errors import CodeModeError
from py_code_mode.recording import Answer, Recording, Thing
from py_code_mode.replies import describe_tool
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import ToolInfo

__all__ = ["Before", "tools_data"]

MAX_TOOLS_BYTES = 512 * 1024
"""JSON of the tools that a notebook describes."""

MAX_LEFT_OUT = 1_000
MAX_MADE = 100_000
"""Skills and artifacts of which it is known that the cells made them."""

_SKILL = ("name", "source", "description", "documentation")
_ARTIFACT = ("name", "kind", "description", "metadata", "tags", "content_type", "type_name")


@dataclass(slots=True)
class Before:
    """Skills and artifacts as a session's cells found them.

    Attributes:
        things: The answers they came in.
        left_out: Those that were not kept, and why.
        size: Bytes of the answers.
    """

    things: dict[Thing, Answer] = field(default_factory=dict)
    left_out: dict[Thing, str] = field(default_factory=dict)
    size: int = 0
    _made: set[Thing] = field(default_factory=set)

    def take(self, recording: Recording) -> None:
        """Take over from a cell that has ended what no cell before it had met."""
        for thing, answer in recording.things.items():
            if not self._knows(thing):
                self.things[thing] = answer
                self.size += answer.size
        for thing, why in recording.left_out.items():
            if not self._knows(thing) and len(self.left_out) < MAX_LEFT_OUT:
                self.left_out.setdefault(thing, why)
        if len(self._made) < MAX_MADE:
            self._made |= recording.made
        recording.size -= sum(answer.size for answer in recording.things.values())
        recording.things = {}

    def _knows(self, thing: Thing) -> bool:
        return thing in self._made or thing in self.things

    def copy(self) -> Before:
        """Return one that begins with the same."""
        return Before({**self.things}, {**self.left_out}, self.size, {*self._made})

    def data(self, secrets: Secrets) -> dict[str, Any]:
        """Return it as JSON data: ``skills``, ``artifacts`` and ``not_recorded``."""
        data: dict[str, list[Any]] = {"skills": [], "artifacts": []}
        left_out = dict(self.left_out)
        for thing, answer in self.things.items():
            row = _row(thing[0], answer, secrets)
            if not isinstance(row, str):
                data[f"{thing[0]}s"].append(row)
            else:
                left_out.setdefault(thing, row)
        data["not_recorded"] = [
            secrets.redact(f"{kind} {name!r}: {why}") for (kind, name), why in left_out.items()
        ]
        return {key: rows for key, rows in data.items() if rows}


def _row(kind: str, answer: Answer, secrets: Secrets) -> dict[str, Any] | str:
    """Return a skill or an artifact out of an answer; or why it cannot be kept."""
    value = decode(json.loads(answer.content)["data"]["value"], answer.buffers)
    if kind == "skill":
        # Names of fields are ours, not anybody's secret.
        row = {key: secrets.redact(value[key]) for key in _SKILL}
        return row if row["source"] == value["source"] else "its source shows a secret"
    if value["data"] is None:
        return "it is large, and was read in pieces"
    info, data = value["info"], base64.b64encode(secrets.redact(value["data"])).decode()
    return {**{key: secrets.redact(info[key]) for key in _ARTIFACT}, "base64": data}


def tools_data(tools: Iterable[ToolInfo], called: set[str]) -> tuple[list[Any], int]:
    """Describe tools as a replay needs them, those that were called first.

    Returns:
        What is described, and how many are not, because there are too many.
    """
    ordered = sorted(tools, key=lambda info: info.name not in called)
    rows, room = list[Any](), MAX_TOOLS_BYTES
    for row in _rows(ordered):
        room -= len(json.dumps(row))
        if room < 0:
            break
        rows.append(row)
    return rows, len(ordered) - len(rows)


def _rows(tools: Iterable[ToolInfo]) -> Iterator[Any]:
    for info in tools:
        row = describe_tool(info)
        try:
            tree, buffers = encode(row)
        except CodeModeError:
            buffers = [b""]
        if buffers:  # a default that JSON has no word for
            for param in row["params"]:
                param.pop("default", None)
            tree = encode(row)[0]
        yield tree
