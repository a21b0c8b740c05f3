"""What the server counts, for Prometheus.

Place in the house: bottom of ``server``. Each app has a registry of its own.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from py_code_mode.results import ExecutionResult

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Counts sessions, runs, tool calls and requests."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        name = "py_code_mode_{}".format
        self.sessions = Gauge(name("sessions"), "Sessions that are alive", registry=registry)
        self.made = Counter(name("sessions_made"), "Sessions made", registry=registry)
        self.ended = Counter(name("sessions_ended"), "Sessions ended", ["why"], registry=registry)
        self.running = Gauge(name("runs_in_progress"), "Runs under way", registry=registry)
        self._runs = Counter(name("runs"), "Runs that ended", ["outcome"], registry=registry)
        self._run_seconds = Histogram(
            name("run_seconds"), "Time of a run", buckets=_SECONDS, registry=registry
        )
        self._tools = Counter(name("tool_calls"), "Tool calls", ["outcome"], registry=registry)
        self.streams = Gauge(name("streams"), "Readers of event streams", registry=registry)
        self.refused = Counter(name("refused"), "Answers of 429", ["limit"], registry=registry)
        self._requests = Counter(
            name("http_requests"), "Requests", ["method", "path", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            name("http_request_seconds"),
            "Time to the response, or to the end of a streamed one's head",
            ["method", "path"],
            buckets=_SECONDS,
            registry=registry,
        )

    def count_run(self, result: ExecutionResult) -> None:
        """Count a run that gave a result."""
        self._runs.labels(_outcome(result)).inc()
        self._run_seconds.observe(result.seconds)
        for call in result.tool_calls:
            self._tools.labels(call.outcome).inc()

    def count_failure(self) -> None:
        """Count a run that gave none."""
        self._runs.labels("failed").inc()

    def count_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request; ``path`` is its pattern, so that there are few of them."""
        self._requests.labels(method, path, str(status)).inc()
        self._request_seconds.labels(method, path).observe(seconds)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)


def _outcome(result: ExecutionResult) -> str:
    if result.error is None:
        return "ok"
    known = {
        "ExecutionTimeout": "timeout",
        "ExecutionCancelled": "interrupted",
        "KeyboardInterrupt": "interrupted",
        "KernelDied": "died",
    }
    return known.get(result.error.name, "error")
