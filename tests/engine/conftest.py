"""The engine's suite runs over every way to come by a kernel."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from py_code_mode import CodeExecutor, KernelConfig

WAYS: dict[str, dict[str, Any]] = {
    "template": {"provisioner": "py-code-mode-template"},
    "pool": {"provisioner": "py-code-mode-template", "warm": 1},
    "plain": {"provisioner": "py-code-mode-local"},
}

EVERY_WAY = {"test_running", "test_stopping", "test_tool_calls", "test_outputs"}
"""Modules whose tests run in kernels of every kind; the others use the usual one."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of some modules once for each way."""
    module = metafunc.module.__name__.rpartition(".")[2]
    if "way" in metafunc.fixturenames and module in EVERY_WAY:
        metafunc.parametrize("way", WAYS, indirect=True)


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    """How the test's kernels come to be."""
    return getattr(request, "param", "template")


@pytest.fixture
async def make_executor(
    make_executor: Callable[..., Awaitable[CodeExecutor]], way: str
) -> Callable[..., Awaitable[CodeExecutor]]:
    """Make executors whose kernels come to be that way."""

    async def make(**options: Any) -> CodeExecutor:
        config = options.get("kernel") or KernelConfig()
        if config.provisioner is None and config.python is None:
            options["kernel"] = config = dataclasses.replace(config, **WAYS[way])
        executor = await make_executor(**options)
        if config.warm:
            executor._settings.pool().fill()
            async with asyncio.timeout(60):
                while not len(executor._settings.pool()):
                    await asyncio.sleep(0.01)
        return executor

    return make
