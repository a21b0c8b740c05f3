"""A cluster of three hosts, started once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from py_code_mode import CodeExecutor, KernelConfig, Ray
from tests.cluster.hosts import Cluster, cluster


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Cluster]:
    """A cluster with token authentication, which this process may join."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with cluster(3) as made, pytest.MonkeyPatch.context() as patch:
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
            patch.setenv(name, made.env[name])
        yield made


@pytest.fixture
async def on_cluster(
    ray_cluster: Cluster, eventually
) -> AsyncIterator[Callable[..., Awaitable[CodeExecutor]]]:
    """Make executors whose kernels are on the cluster; no kernel is left there."""
    made: list[CodeExecutor] = []

    async def make(
        *, ray: dict[str, Any] | None = None, kernel: dict[str, Any] | None = None, **options: Any
    ) -> CodeExecutor:
        placement = Ray(address=ray_cluster.address, **(ray or {}))
        executor = CodeExecutor(
            kernel=KernelConfig(placement=placement, **(kernel or {})), **options
        )
        made.append(executor)
        return executor

    yield make
    for executor in made:
        await executor.aclose()
    for node in ray_cluster.nodes:
        # The host actor stays for some seconds, which spares the next test a start.
        await eventually(lambda node=node: not node.kernels(), 30)
