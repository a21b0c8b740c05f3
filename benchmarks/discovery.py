"""A thousand tools: how long they take to load, and to be searched."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks.bench import Bench
from benchmarks.rows import MS, Row, at_most
from py_code_mode import ToolRegistry

__all__ = ["measure"]

COUNT = 1000
VERBS = ("list", "get", "create", "delete", "update", "count", "export", "merge", "check", "send")
NOUNS = (
    "user",
    "invoice",
    "order",
    "ticket",
    "branch",
    "alert",
    "forecast",
    "host",
    "report",
    "page",
)
MANNERS = ("by_name", "of_a_team", "in_a_region", "with_history", "for_review")
MORE = ("", "_as_json")

QUERIES = (
    "send a message about an invoice",
    "merge two branches",
    "list_user",
    "which hosts are in a region",
    "export reports as json",
    "delete",
    "weather of tomorrow",
    "count the open tickets of a team and check each",
)


def measure(bench: Bench) -> list[Row]:
    """Load a thousand tool files, and search among them."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        _write(Path(directory))
        registry = bench.run(ToolRegistry.from_dir(directory))
        registry.search(QUERIES[0])  # loads numpy, makes the index
        found = bench.take_turns(
            "a thousand tools",
            bench.pick(20, 4),
            {"load": lambda: [_load(bench, directory)], "search": lambda: _search(registry)},
        )
        bench.finish(registry.aclose())
    return [
        Row("1,000 tools loaded from YAML", MS, found["load"], target=at_most(1000, MS)),
        Row("tools.search over 1,000 tools", MS, found["search"], target=at_most(5, MS)),
    ]


def _write(directory: Path) -> None:
    names = itertools.product(VERBS, NOUNS, MANNERS, MORE)
    for verb, noun, manner, more in itertools.islice(names, COUNT):
        name = f"{verb}_{noun}_{manner}{more}"
        (directory / f"{name}.yaml").write_text(
            f"name: {name}\n"
            f"description: {verb.title()} the {noun}s {manner.replace('_', ' ')}, a line for each\n"
            f"tags: [{noun}, {'read' if verb in {'list', 'get', 'count'} else 'write'}]\n"
            "command: echo\n"
            f'args: "{{flags}} --limit={{limit}} {{{noun}_id}}"\n'
            "timeout: 10\n"
        )


def _load(bench: Bench, directory: str) -> float:
    started = perf_counter()
    registry = bench.run(ToolRegistry.from_dir(directory))
    seconds = perf_counter() - started
    bench.finish(registry.aclose())
    return seconds


def _search(registry: ToolRegistry) -> list[float]:
    found = []
    for query in QUERIES:
        started = perf_counter()
        registry.search(query)
        found.append(perf_counter() - started)
    return found
