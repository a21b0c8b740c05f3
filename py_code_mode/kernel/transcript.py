"""One cell as its messages tell it: feed Jupyter messages, take typed events and a result.

Place in the house: above ``messages`` and ``bounded``, no I/O, so it is tested with recorded
scripts. A run is done when both the shell reply and the idle for its own id have arrived.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kernel_bootstrap.wire.codec import Buffer, decode
from kernel_bootstrap.wire.errors import ProtocolError
from kernel_bootstrap.wire.limits import Cut, Limits, cut_text, strip_ansi
from kernel_bootstrap.wire.messages import METADATA_KEY, VALUE_MIME
from py_code_mode.events import (
    Cleared,
    Displayed,
    Event,
    Failed,
    Printed,
    Started,
    ToolCalled,
    Updated,
)
from py_code_mode.kernel.bounded import SLACK, Outputs
from py_code_mode.kernel.messages import JupyterMessage, error_info, mime_bundle, not_run
from py_code_mode.outputs import RemoteValue
from py_code_mode.recording import Recording
from py_code_mode.results import ErrorInfo, ExecutionResult, ToolCall
from py_code_mode.stackframes import read_frame
from py_code_mode.values import read_remote

__all__ = ["Transcript"]

MAX_COUNT = 1 << 31
"""No cell's number is higher."""

MAX_NAMES = 10_000
"""New variables told of one run."""

MAX_NAME = 1_000
"""Characters of a variable's or an exception's name."""

MAX_TOOL_CALLS = 10_000
"""Calls remembered of one run; a loop of a million calls must not fill the host."""


class Transcript:
    """The story of one cell.

    Args:
        limits: Bounds of what is kept.

    Attributes:
        received: Bytes of text received so far of each stream.
        recording: What the cell asked of the host.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._outputs = Outputs(limits)
        self._error: ErrorInfo | None = None
        self._value: tuple[Any, list[Buffer]] | None = None
        self.recording = Recording(limits)
        self._calls: list[ToolCall] = []
        self._calls_dropped = 0
        self._error_cuts: list[Cut] = []
        self._count = 0
        self._reply: JupyterMessage | None = None
        self._idle = False
        self.received = {"stdout": 0, "stderr": 0}
        self._handlers: dict[str, Callable[[JupyterMessage], Event | None]] = {
            "execute_input": self._on_input,
            "stream": self._on_stream,
            "display_data": self._on_display,
            "execute_result": self._on_result,
            "update_display_data": self._on_update,
            "clear_output": self._on_clear,
            "error": self._on_error,
            "status": self._on_status,
            "execute_reply": self._on_reply,
        }

    @property
    def done(self) -> bool:
        """Whether both the reply and the idle have arrived."""
        return self._idle and self._reply is not None

    @property
    def count(self) -> int:
        """IPython's number of the cell; 0 if it is not known yet."""
        return self._count

    @property
    def idle(self) -> bool:
        """Whether the kernel has said that it is done with this cell."""
        return self._idle

    def feed(self, message: JupyterMessage) -> Event | None:
        """Take one message whose parent is this cell; return what it tells, if anything."""
        handler = self._handlers.get(message.msg_type)
        return None if handler is None else handler(message)

    def add_call(self, call: ToolCall) -> Event:
        """Take one finished tool call."""
        if len(self._calls) < MAX_TOOL_CALLS:
            self._calls.append(call)
            self.recording.ended(call)
        else:
            self._calls_dropped += 1
        return ToolCalled(call)

    def _on_input(self, message: JupyterMessage) -> Event | None:
        self._count = _read_count(message)
        return Started(self._count)

    def _on_stream(self, message: JupyterMessage) -> Event | None:
        name, text = message.content.get("name"), message.content.get("text")
        if name not in ("stdout", "stderr") or not isinstance(text, str):
            return None
        self.received[name] += len(text.encode("utf-8", "surrogatepass"))
        now = self._outputs.print(name, text)
        return Printed(name, now) if now else None

    def _on_display(self, message: JupyterMessage) -> Event | None:
        data, metadata = mime_bundle(message.content)
        shown = self._outputs.show("display", data, metadata, _display_id(message))
        return None if shown is None else Displayed(shown)

    def _on_result(self, message: JupyterMessage) -> Event | None:
        data, metadata = mime_bundle(message.content)
        value = data.pop(VALUE_MIME, None)
        if value is not None:
            self._value = (value, message.buffers)
        if not data:
            return None
        shown = self._outputs.show("result", data, metadata)
        return None if shown is None else Displayed(shown)

    def _on_update(self, message: JupyterMessage) -> Event | None:
        display_id = _display_id(message)
        if display_id is None:
            return None
        data, metadata = mime_bundle(message.content)
        return Updated(self._outputs.update(display_id, data, metadata))

    def _on_clear(self, message: JupyterMessage) -> Event | None:
        wait = bool(message.content.get("wait"))
        self._outputs.clear(wait=wait)
        return Cleared(wait)

    def _on_error(self, message: JupyterMessage) -> Event | None:
        self._error = self._bounded_error(message)
        self._outputs.show("error", {"text/plain": self._error.text}, {})
        return Failed(self._error)

    def _bounded_error(self, message: JupyterMessage) -> ErrorInfo:
        error, most = error_info(message.content), self._limits.text_chars + SLACK
        total = max(len(error.message), len(error.traceback))
        if total > most:
            self._error_cuts = [Cut("error", most, total)]
        return ErrorInfo(
            cut_text(error.name, MAX_NAME),
            cut_text(error.message, most),
            cut_text(error.traceback, most),
        )

    def _on_status(self, message: JupyterMessage) -> Event | None:
        self._idle = self._idle or message.content.get("execution_state") == "idle"
        return None

    def _on_reply(self, message: JupyterMessage) -> Event | None:
        self._reply = message
        self._count = self._count or _read_count(message)
        status = message.content.get("status")
        self._show_pages(message.content.get("payload"))
        if status == "ok" or self._error is not None:
            return None
        if status == "error":
            self._error = self._bounded_error(message)
        else:
            self._error = not_run(status)
        return Failed(self._error)

    def _show_pages(self, payload: Any) -> None:
        """Show what ``name?`` would page in a terminal."""
        for item in payload if isinstance(payload, list) else []:
            if isinstance(item, dict) and item.get("source") == "page":
                data, metadata = mime_bundle(item)
                plain = data.get("text/plain")
                if isinstance(plain, str):
                    data["text/plain"] = strip_ansi(plain)
                self._outputs.show("display", data, metadata)

    def result(
        self,
        *,
        seconds: float,
        error: ErrorInfo | None = None,
        state_lost: bool = False,
    ) -> ExecutionResult:
        """Fold everything so far.

        Args:
            seconds: Wall time of the run.
            error: Why the run ended, if not by itself; stands above what the code raised.
            state_lost: Whether the kernel is gone.
        """
        told = self._told()
        failed = error or self.error
        if failed is None and self._reply is None:
            failed = ErrorInfo("CellNotRun", "the kernel gave no reply")
        return ExecutionResult(
            value=None if failed else self._decoded_value(),
            stdout=self._outputs.text("stdout"),
            stderr=self._outputs.text("stderr"),
            outputs=self._outputs.all(),
            error=failed,
            tool_calls=list(self._calls),
            seconds=seconds,
            execution_count=self._count,
            state_lost=state_lost,
            truncated=[*_read_cuts(told.get("truncated")), *self._all_cuts()],
            new_variables=_read_names(told.get("new_variables")),
            recording=self.recording,
        )

    @property
    def error(self) -> ErrorInfo | None:
        """What the code raised, so far; where it did is known when the reply has come."""
        if self._error is None:
            return None
        return replace(self._error, frame=read_frame(self._told().get("frame")))

    def printed(self, name: str) -> str:
        """What is on a stream so far."""
        return self._outputs.text(name)

    def _told(self) -> dict[str, Any]:
        told = self._reply.metadata.get(METADATA_KEY) if self._reply is not None else None
        return told if isinstance(told, dict) else {}

    def _all_cuts(self) -> list[Cut]:
        cuts = [*self._error_cuts, *self._outputs.cuts()]
        if self._calls_dropped:
            kept = len(self._calls)
            cuts.append(Cut("tool_calls", kept, kept + self._calls_dropped, "calls"))
        return cuts

    def _decoded_value(self) -> Any:
        if self._value is None:
            return None
        data, buffers = self._value
        shown = next((o.data for o in self._outputs.all() if o.kind == "result"), {})
        try:
            return _read_value(data, buffers, shown)
        except ProtocolError as error:
            text = str(shown.get("text/plain", ""))
            return RemoteValue("unknown", text, str(error), f"Out[{self._count}]", shown)


def _read_value(data: Any, buffers: list[Buffer], shown: Any) -> Any:
    if isinstance(data, dict) and "packed" in data:
        # A large tree travels as a buffer, so that the reader of iopub need not parse it.
        try:
            data = json.loads(bytes(buffers[-1]))
        except (ValueError, IndexError, RecursionError) as error:
            raise ProtocolError(f"the value's JSON is malformed: {error}") from error
        buffers = buffers[:-1]
    if not isinstance(data, dict):
        raise ProtocolError("the value is malformed")
    if "remote" in data:
        return read_remote(data["remote"], shown)
    return decode(data.get("value"), buffers)


def _read_count(message: JupyterMessage) -> int:
    count = message.content.get("execution_count")
    return count if type(count) is int and 0 <= count < MAX_COUNT else 0


def _display_id(message: JupyterMessage) -> str | None:
    transient = message.content.get("transient")
    found = transient.get("display_id") if isinstance(transient, dict) else None
    return found if isinstance(found, str) else None


def _read_cuts(data: Any) -> list[Cut]:
    try:
        return [Cut.from_dict(item) for item in data[:1000]] if isinstance(data, list) else []
    except ProtocolError:
        return []


def _read_names(data: Any) -> list[str]:
    names = data[:MAX_NAMES] if isinstance(data, list) else []
    return [name for name in names if isinstance(name, str) and len(name) <= MAX_NAME]
