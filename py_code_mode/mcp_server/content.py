"""What came of a run, in the content types of MCP.

Place in the house: inside ``mcp_server``; pure functions of a result.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from typing import Any

from mcp_types import AudioContent, ContentBlock, ImageContent, TextContent

from py_code_mode.outputs import Output
from py_code_mode.parts import NOTHING, ImagePart, TextPart, convert
from py_code_mode.results import ExecutionResult, RemoteValue, ToolCall

__all__ = ["RESULT_SCHEMA", "content_of", "structure_of", "text_block"]

MAX_VALUE = 20_000
"""Characters of a value as JSON; a larger one is given as the beginning of its repr."""

_REPR = 1_000

_TEXT = {"type": "string"}
_COUNT = {"type": "integer"}
RESULT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "value": {"description": "The last expression's value; as its repr where JSON has no such"},
        "value_is_repr": {"type": "boolean"},
        "stdout": _TEXT,
        "stderr": _TEXT,
        "error": {
            "type": ["object", "null"],
            "properties": {"name": _TEXT, "message": _TEXT, "traceback": _TEXT},
            "required": ["name", "message", "traceback"],
        },
        "seconds": {"type": "number"},
        "execution_count": _COUNT,
        "state_lost": {
            "type": "boolean",
            "description": "The kernel was replaced: all variables are gone",
        },
        "truncated": {"type": "array", "items": _TEXT, "description": "What was cut"},
        "new_variables": {"type": "array", "items": _TEXT},
        "tool_calls": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "tool": _TEXT,
                    "outcome": {"enum": ["ok", "error", "denied", "cancelled"]},
                    "calls": _COUNT,
                    "seconds": {"type": "number"},
                },
                "required": ["tool", "outcome", "calls", "seconds"],
            },
        },
        "session": {**_TEXT, "description": "Give it as `session` to go on with its variables"},
    },
    "required": ["value", "stdout", "stderr", "error", "seconds", "state_lost"],
}


def text_block(text: str) -> ContentBlock:
    """Return text as content."""
    return TextContent(type="text", text=text)


def content_of(
    result: ExecutionResult, session: str, max_tokens: int = 10_000
) -> list[ContentBlock]:
    """Return what a model should read and see, in order and within a budget; sounds come last.

    Args:
        result: What came of a run.
        session: The handle of its session, if it has one.
        max_tokens: What the text and the pictures may have: see ``ExecutionResult.for_model``.
    """
    sounds = [(output, _sound(output)) for output in result.outputs]
    heard = [sound for _, sound in sounds if sound is not None]
    seen = [output for output, sound in sounds if sound is None]
    parts = dataclasses.replace(result, outputs=seen).for_model(max_tokens=max_tokens)
    blocks = [] if heard and parts == [NOTHING] else convert(parts, text_block, _image)
    note = f"[session: {session}]" if session else ""
    if note and not heard and isinstance(parts[-1], TextPart):
        note = f"{parts[-1].text}\n{note}"
        del blocks[-1]
    return [*blocks, *heard, *([text_block(note)] if note else [])]


def _image(part: ImagePart) -> ContentBlock:
    return ImageContent(type="image", data=part.base64, mime_type=part.mime_type)


def _sound(output: Output) -> ContentBlock | None:
    for mime, text in output.data.items():
        if mime.startswith("audio/") and isinstance(text, str):
            try:
                data = base64.b64encode(base64.b64decode(text)).decode()
            except ValueError:  # a hostile or broken kernel
                continue
            return AudioContent(type="audio", data=data, mime_type=mime)
    return None


def structure_of(result: ExecutionResult, session: str) -> dict[str, Any]:
    """Return a result as JSON data a program reads; see ``RESULT_SCHEMA``."""
    value, is_repr = plain(result.value)
    error = result.error
    data = {
        "value": value,
        "value_is_repr": is_repr,
        "stdout": result.stdout,
        "stderr": result.stderr,
        "error": None
        if error is None
        else {"name": error.name, "message": error.message, "traceback": error.traceback},
        "seconds": round(result.seconds, 6),
        "execution_count": result.execution_count,
        "state_lost": result.state_lost,
        "truncated": [str(cut) for cut in result.truncated],
        "new_variables": result.new_variables,
        "tool_calls": _calls(result.tool_calls),
    }
    return data | {"session": session} if session else data


def plain(value: Any) -> tuple[Any, bool]:
    """Return a value as JSON data and False; or, if that would not be the same, a repr and True."""
    if _is_json(value):
        try:
            if len(json.dumps(value)) <= MAX_VALUE:
                return value, False
        except (ValueError, RecursionError):  # an int of more digits than Python prints
            pass
    return _repr(value), True


def _is_json(value: Any, depth: int = 50) -> bool:
    if value is None or type(value) in (bool, str, int):
        return True
    if type(value) is float:
        return math.isfinite(value)
    if not depth:
        return False
    if type(value) is list:
        return all(_is_json(item, depth - 1) for item in value)
    return type(value) is dict and all(
        type(key) is str and _is_json(item, depth - 1) for key, item in value.items()
    )


def _repr(value: Any) -> str:
    try:
        text = value.repr if isinstance(value, RemoteValue) else repr(value)
    except (ValueError, RecursionError):
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _REPR else f"{text[:_REPR]}..."


def _calls(calls: list[ToolCall]) -> list[dict[str, Any]]:
    """Calls by tool and outcome: a loop may have made thousands."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for call in calls:
        row = rows.setdefault(
            (call.tool, call.outcome),
            {"tool": call.tool, "outcome": call.outcome, "calls": 0, "seconds": 0.0},
        )
        row["calls"] += 1
        row["seconds"] = round(row["seconds"] + call.seconds, 6)
    return [*rows.values()]
