"""Runs and tool calls as OpenTelemetry spans, for programs that trace.

Place in the house: values layer. Whoever traces has imported ``opentelemetry.trace`` to say
where spans go, so nothing is imported here before somebody did: without OpenTelemetry, and
without anybody who uses it, a span costs one look into a dict.

Spans never carry arguments, results or the text of errors: those may hold secrets.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

__all__ = ["Note", "is_on", "span"]


class Note(Protocol):
    """Adds what has become known to a span."""

    def __call__(self, error: str = "", /, **attributes: str | bool | float) -> None:
        """Add attributes; ``error`` names what failed, and marks the span as failed."""
        ...


@contextmanager
def span(name: str, **attributes: str | bool | float) -> Iterator[Note]:
    """Make a span that is the current one meanwhile, below the caller's own.

    Args:
        name: What follows ``py_code_mode.`` in its name.
        **attributes: What is known of it now; the names get the same prefix.
    """
    if not is_on():
        yield _ignore
        return
    current = _tracer().start_as_current_span(
        f"py_code_mode.{name}",
        attributes=_prefixed(attributes),
        record_exception=False,
        set_status_on_exception=False,
    )
    with current as made:

        def note(error: str = "", /, **more: str | bool | float) -> None:
            made.set_attributes(_prefixed(more))
            if error:
                from opentelemetry.trace import StatusCode

                made.set_attribute("error.type", error)
                made.set_status(StatusCode.ERROR)

        yield note


def is_on() -> bool:
    """Whether anybody has said where spans go; other libraries may have loaded the module."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return False
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _ignore(error: str = "", /, **attributes: str | bool | float) -> None:
    pass


def _prefixed(
    attributes: dict[str, str | bool | int | float],
) -> dict[str, str | bool | int | float]:
    return {f"py_code_mode.{name}": value for name, value in attributes.items()}


@functools.cache
def _tracer() -> Tracer:
    from opentelemetry import trace

    return trace.get_tracer("py_code_mode")
