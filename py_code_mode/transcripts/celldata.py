"""What the metadata of a cell say: when it ran, for whom, what it called and was answered.

Place in the house: inside ``transcripts``. ``py_code_mode.replay`` reads it again, from files that
may come from anywhere. Nothing in it shows a secret of the host.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from kernel_bootstrap.wire.codec import Buffer, decode, encode
from kernel_bootstrap.wire.errors import ValueNotEncodableError
from py_code_mode.recording import Answer, Asked
from py_code_mode.results import ToolCall
from py_code_mode.secrets import Secrets
from py_code_mode.transcripts.entry import Entry
from py_code_mode.transcripts.order import keep_order

__all__ = ["answer_data", "cell_data"]


def cell_data(entry: Entry, secrets: Secrets) -> dict[str, Any]:
    """Return what a cell's metadata say under ``py_code_mode``."""
    result = entry.result
    started = entry.started.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data: dict[str, Any] = {
        "origin": entry.origin,
        "started": started,
        "seconds": round(result.seconds, 6),
        "tool_calls": [_call_data(asked, secrets) for asked in asked_of(entry)],
    }
    recording = result.recording
    if recording is not None and recording.skills:
        data["skills"] = secrets.redact(dict(recording.skills))
    if recording is not None and (recording.refused or recording.more_refused):
        rows = [{"command": command, "said": said} for command, said in recording.refused.items()]
        data["refused_commands"] = [secrets.redact(row) for row in rows]
        data["more_refused"] = recording.more_refused
    if result.error is not None:
        error = {"name": result.error.name, "message": result.error.message}
        data["error"] = secrets.redact(error)
    if entry.is_first:
        data["new_kernel"] = True
    if result.state_lost:
        data["state_lost"] = True
    if result.truncated:
        data["truncated"] = [secrets.redact(cut.to_dict()) for cut in result.truncated]
    return data


def asked_of(entry: Entry) -> Sequence[Asked]:
    """Return the calls of a cell, with their answers where there is a recording."""
    recording = entry.result.recording
    if recording is not None and len(recording.asked) == len(entry.result.tool_calls):
        return recording.asked
    return [Asked(call, left_out="there is no recording") for call in entry.result.tool_calls]


def _call_data(asked: Asked, secrets: Secrets) -> dict[str, Any]:
    call = asked.call
    data: dict[str, Any] = {
        "tool": secrets.redact(call.tool),
        "arguments": _shown(call, secrets),
        "outcome": call.outcome,
        "seconds": round(call.seconds, 6),
    }
    if asked.number:
        data["number"] = asked.number
    if call.waited:
        data["waited"] = round(call.waited, 6)
    if call.error:
        data["error"] = secrets.redact(call.error)
    given = asked.arguments
    if given is None and asked.answer is not None:
        tree, buffers = encode(dict(call.arguments))
        given = (tree, buffers) if buffers else None
    if given is not None:
        data["asked"] = _packed(*given, secrets)
    if asked.answer is None:
        data["not_recorded"] = asked.left_out
    else:
        data["answer"] = answer_data(asked.answer, secrets)
    return data


def _shown(call: ToolCall, secrets: Secrets) -> Any:
    """Return the arguments as JSON; what JSON has no word for is shown as the codec says it.

    Secrets are hidden before: in bytes, which become base64, they would not be seen any more.
    """
    try:
        return encode(secrets.redact(dict(call.arguments)))[0]
    except ValueNotEncodableError:
        return {}


def answer_data(answer: Answer, secrets: Secrets) -> dict[str, Any]:
    """Return an answer as JSON data: its ``value`` or ``failure``, and its buffers in base64."""
    said = json.loads(answer.content)["data"]
    if "failure" in said:
        failure = said["failure"]
        packed = _packed(failure["details"], answer.buffers, secrets)
        message = secrets.redact(failure["message"])
        failure = {**failure, "message": message, "details": packed["tree"]}
        return {"failure": failure, "base64": packed["base64"]}
    packed = _packed(said["value"], answer.buffers, secrets)
    return {"value": packed["tree"], "base64": packed["base64"]}


def _packed(tree: Any, buffers: Sequence[Buffer], secrets: Secrets) -> dict[str, Any]:
    if secrets.any:  # they may be in bytes, which a tree holds as base64
        tree, buffers = encode(secrets.redact(decode(tree, buffers)))
    whole = (memoryview(each).cast("B") for each in buffers)
    return {"tree": keep_order(tree), "base64": [base64.b64encode(each).decode() for each in whole]}
