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

POOLED_TOO = {"test_running", "test_tool_calls", "test_create", "test_lifetime"}
"""Modules whose promises waiting could break: it is from a template that waiting kernels come."""

CONFINED = {"confined": {"provisioner": "py-code-mode-template", "sandbox": "landlock"}}
"""For modules whose promises a sandbox could break: what runs, stops, is seen and is cleaned up."""

CONFINED_TOO = {"test_running", "test_stopping", "test_other_cells", "test_lifetime"}

OWN_WAYS = {
    *("test_branches", "test_interpreters", "test_templates"),
    *("test_governance", "test_tracing", "test_artifacts", "test_charts"),
}
"""Modules that choose their kernels themselves, or that are about the host alone; all others run
in kernels of every provisioner."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test once for each way."""
    module = metafunc.module.__name__.rpartition(".")[2]
    if "way" in metafunc.fixturenames and module not in OWN_WAYS:
        ways = [way for way in WAYS if way != "pool" or module in POOLED_TOO]
        ways += CONFINED if module in CONFINED_TOO else ()
        metafunc.parametrize("way", ways, indirect=True)


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
            options["kernel"] = config = dataclasses.replace(config, **(WAYS | CONFINED)[way])
        executor = await make_executor(**options)
        if config.warm:
            executor._settings.pool().fill()
            async with asyncio.timeout(60):
                while not len(executor._settings.pool()):
                    await asyncio.sleep(0.01)
        return executor

    return make
