"""Recorded messages of cells as data, and how they are fed to a transcript."""

from __future__ import annotations

import json
from typing import Any

from kernel_bootstrap.wire.codec import encode
from kernel_bootstrap.wire.limits import Limits
from kernel_bootstrap.wire.messages import METADATA_KEY, VALUE_MIME
from py_code_mode.events import Event
from py_code_mode.kernel.messages import JupyterMessage
from py_code_mode.kernel.transcript import Transcript

Step = tuple[str, dict[str, Any]]
"""Type and content of one message."""

BUSY: Step = ("status", {"execution_state": "busy"})
INPUT: Step = ("execute_input", {"code": "...", "execution_count": 3})
IDLE: Step = ("status", {"execution_state": "idle"})
REPLY: Step = (
    "execute_reply",
    {"status": "ok", "execution_count": 3, "user_expressions": {}, "payload": []},
)
TRACEBACK = [
    "\x1b[31m---------------------------------------------------------------------------\x1b[39m",
    "\x1b[31mZeroDivisionError\x1b[39m                         Traceback (most recent call last)",
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[1]\x1b[39m\x1b[32m, line 1\x1b[39m\n"
    "\x1b[32m----> \x1b[39m\x1b[32m1\x1b[39m \x1b[32;43m1\x1b[39m/\x1b[32m0\x1b[39m\n",
    "\x1b[31mZeroDivisionError\x1b[39m: division by zero",
]
ERROR = {"ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": TRACEBACK}


def stream(text: Any, name: Any = "stdout") -> Step:
    """A print."""
    return "stream", {"name": name, "text": text}


def display(data: Any, display_id: Any = None, msg_type: str = "display_data", **more) -> Step:
    """A display, or an update of one."""
    transient = {} if display_id is None else {"display_id": display_id}
    return msg_type, {"data": data, "metadata": {}, "transient": transient, **more}


def message(
    step: Step, buffers: list[bytes] | None = None, metadata: dict[str, Any] | None = None
) -> JupyterMessage:
    """One message as ``read_message`` makes it."""
    return JupyterMessage(step[0], "cell-1", step[1], metadata or {}, buffers or [])


def result_with(value: Any, *, packed: bool = False) -> JupyterMessage:
    """An ``execute_result`` that carries a value, its tree as a buffer if ``packed``."""
    tree, buffers = encode(value)
    carried = {"v": 1, "value": tree}
    parts = [bytes(buffer) for buffer in buffers]
    if packed:
        parts.append(json.dumps(carried).encode())
        carried = {"v": 1, "packed": True}
    data = {"text/plain": repr(value), VALUE_MIME: carried}
    content = {"data": data, "metadata": {}, "execution_count": 3}
    return message(("execute_result", content), parts)


def reply_telling(**told: Any) -> JupyterMessage:
    """An ``execute_reply`` with our entries in its metadata."""
    return message(REPLY, metadata={METADATA_KEY: told})


def play(
    *steps: Step | JupyterMessage, limits: Limits | None = None
) -> tuple[Transcript, list[Event]]:
    """Feed messages; return the transcript and the events it told."""
    transcript = Transcript(limits or Limits())
    events = [
        transcript.feed(step if isinstance(step, JupyterMessage) else message(step))
        for step in steps
    ]
    return transcript, [event for event in events if event is not None]


def run(*steps: Step | JupyterMessage, limits: Limits | None = None):
    """The result of a cell whose messages, between its input and its end, are ``steps``."""
    transcript, _ = play(BUSY, INPUT, *steps, REPLY, IDLE, limits=limits)
    assert transcript.done
    return transcript.result(seconds=0.5)
