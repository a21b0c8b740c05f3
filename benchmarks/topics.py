"""The topics, in the order in which they run: name -> what measures it."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import (
    artifacts,
    calls,
    cell,
    density,
    discovery,
    imports,
    mcp,
    memory,
    redis,
    search,
    serve,
    start,
    threads,
    values,
)
from benchmarks.bench import Bench
from benchmarks.rows import Row

__all__ = ["TOPICS"]

TOPICS: dict[str, Callable[[Bench], list[Row]]] = {
    "start": start.measure,
    "cell": cell.measure,
    "calls": calls.measure,
    "mcp": mcp.measure,
    "threads": threads.measure,
    "discovery": discovery.measure,
    "search": search.measure,
    "values": values.measure,
    "artifacts": artifacts.measure,
    "redis": redis.measure,
    "memory": memory.measure,
    "density": density.measure,
    "serve": serve.measure,
    "import": imports.measure,
}
