"""Kernels of this machine that listen at an address of the network, as on a cluster's nodes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from kernel_bootstrap.wire.limits import Limits
from py_code_mode.config import KernelConfig
from py_code_mode.kernel.launch import launch
from py_code_mode.kernel.process import KernelProcess


@contextlib.asynccontextmanager
async def kernel_at(ip: str, context, config: KernelConfig) -> AsyncIterator[KernelProcess]:
    """A kernel that listens there."""
    launched = await launch(config, context, ip=ip)
    kernel = await KernelProcess._meet(launched, config, context, Limits(), b"")
    try:
        yield kernel
    finally:
        await kernel.close(now=True)


async def value_of(kernel: KernelProcess, code: str) -> str:
    """What a cell prints."""
    execution = kernel.execute(code)
    await execution.ended
    return execution.transcript.result(seconds=0).stdout


async def branched(kernel: KernelProcess, config: KernelConfig, code: str) -> str:
    """What a cell prints in a branch."""
    branch, _ = await kernel.fork(config, b"")
    try:
        return await value_of(branch, code)
    finally:
        await branch.close(now=True)
