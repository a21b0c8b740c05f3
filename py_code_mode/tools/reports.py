"""What a tool tells while it works: progress, and lines of a log.

Place in the house: ``tools``, beside ``base``. An adapter, or the function of a tool itself,
calls ``report_progress`` and ``report_log`` anywhere below a call; whoever makes the call says
where that goes. Outside a call they do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = [
    "Log",
    "Progress",
    "Report",
    "current_sink",
    "redacting",
    "report_log",
    "report_progress",
    "reporting",
]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call has come.

    Attributes:
        progress: In units of the tool's own.
        total: What it will be in the end, or None when that is not known.
        message: What is going on.
    """

    progress: float
    total: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """A line the tool has logged.

    Attributes:
        level: ``debug``, ``info``, ``notice``, ``warning``, ``error`` or a higher one.
        text: What it says.
    """

    level: str
    text: str


Report = Progress | Log

Sink = Callable[[Report], None]
"""Takes reports, from any thread."""

_sink: ContextVar[Sink | None] = ContextVar("py_code_mode_reports", default=None)


def current_sink() -> Sink | None:
    """Return where reports of the current call go; for adapters that hear of them elsewhere."""
    return _sink.get()


@contextmanager
def redacting(redact: Callable[[str], str]) -> Iterator[None]:
    """Let the reports of the calls made below go where they went, their texts redacted."""
    sink = _sink.get()
    if sink is None:
        yield
        return

    def redacted(report: Report) -> None:
        if isinstance(report, Progress):
            sink(Progress(report.progress, report.total, redact(report.message)))
        else:
            sink(Log(report.level, redact(report.text)))

    with reporting(redacted):
        yield


@contextmanager
def reporting(sink: Sink | None) -> Iterator[None]:
    """Let the reports of the calls made below go to ``sink``, or nowhere."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


def report_progress(progress: float, total: float | None = None, message: str = "") -> None:
    """Tell how far the current call has come."""
    sink = _sink.get()
    if sink is not None:
        sink(Progress(progress, total, message))


def report_log(text: str, level: str = "info") -> None:
    """Log a line for whoever follows the current call."""
    sink = _sink.get()
    if sink is not None:
        sink(Log(level, text))
