"""Executors to measure, and the tools they have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from benchmarks.bench import Bench
from py_code_mode import ArtifactStore, CLIAdapter, CodeExecutor, ToolRegistry

__all__ = ["our_executor", "timed_run", "value_of"]


def echo(text: str) -> str:
    """Return the text."""
    return text


async def async_echo(text: str) -> str:
    """Return the text."""
    return text


def _make(store: ArtifactStore | None) -> CodeExecutor:
    registry = ToolRegistry()
    registry.add(echo)
    registry.add(async_echo)
    registry.register_adapter(CLIAdapter("true", description="Succeed"))
    return CodeExecutor(registry, artifact_store=store)


@contextmanager
def our_executor(bench: Bench, store: ArtifactStore | None = None) -> Iterator[CodeExecutor]:
    """Make an executor whose kernel is up, and close it.

    Args:
        bench: Runs it.
        store: Where its artifacts are; None: in memory.
    """
    executor = _make(store)
    try:
        bench.run(executor.start())
        yield executor
    finally:
        bench.finish(executor.aclose())


def value_of(bench: Bench, executor: CodeExecutor, code: str) -> Any:
    """Run a cell; return its value.

    Raises:
        ExecutionError: The cell failed.
    """
    return bench.run(_value(executor, code))


async def _value(executor: CodeExecutor, code: str) -> Any:
    return (await executor.run(code)).unwrap()


async def timed_run(executor: CodeExecutor, code: str) -> tuple[float, Any]:
    """Run a cell; return how many seconds that took, and its value."""
    started = perf_counter()
    result = await executor.run(code)
    seconds = perf_counter() - started
    return seconds, result.unwrap()
