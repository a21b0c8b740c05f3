"""From a ``KernelConfig`` with packages to one whose interpreter has them.

Place in the house: top of ``environments``; ``kernel.launch`` calls it before each start.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
from typing import Any

from py_code_mode.config import KernelConfig
from py_code_mode.environments.record import Environment
from py_code_mode.environments.spec import Spec
from py_code_mode.environments.store import EnvironmentStore, note_use
from py_code_mode.packages import PackagePolicy

__all__ = ["prepare_config"]


async def prepare_config(config: KernelConfig) -> KernelConfig:
    """Return a configuration of an interpreter that has the packages, made if need be.

    One without packages comes back as it is; an environment of ours that its ``python`` lies in
    is noted as used. When all that wait for an environment are cancelled, its installer is
    killed.

    Raises:
        ConfigError: Something is not allowed, or ``python`` is no interpreter.
        KernelStartError: The environment could not be made.
    """
    if not config.packages:
        if config.python is not None:
            await asyncio.to_thread(note_use, config.python)
        return config
    environment = await _prepare(config)
    programs = environment.directory / "bin"
    path = config.env.get("PATH") or os.environ.get("PATH", os.defpath)
    env = {
        "VIRTUAL_ENV": str(environment.directory),
        **config.env,
        "PATH": f"{programs}{os.pathsep}{path}",
    }
    return dataclasses.replace(
        config, python=environment.interpreter, env=env, packages=(), package_policy=None
    )


@dataclasses.dataclass(slots=True)
class _Preparation:
    """One environment on its way, and those that wait for it."""

    task: asyncio.Task[Environment]
    stop: threading.Event
    waiting: int = 0


_preparations: dict[Any, _Preparation] = {}
"""By event loop, configuration and policy. A pool starts several kernels at once: one of them
has the environment made, and what goes wrong goes wrong once."""


async def _prepare(config: KernelConfig) -> Environment:
    policy = config.package_policy or PackagePolicy()
    key = (asyncio.get_running_loop(), config.packages, str(config.python), policy)
    current = _preparations.get(key)
    if current is None:
        current = _preparations[key] = _begin(config, policy)
        current.task.add_done_callback(lambda _: _forget(key, current))
    current.waiting += 1
    try:
        return await asyncio.shield(current.task)
    finally:
        current.waiting -= 1
        if not current.waiting:
            _forget(key, current)  # whoever comes now begins afresh
            current.stop.set()


def _begin(config: KernelConfig, policy: PackagePolicy) -> _Preparation:
    store, stop = EnvironmentStore(policy), threading.Event()
    work = asyncio.to_thread(lambda: store.prepare(Spec.of(config), stop=stop))
    task = asyncio.create_task(work, name="prepare an environment")
    # A failure is raised to whoever waits; in the end that may be nobody.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return _Preparation(task, stop)


def _forget(key: Any, preparation: _Preparation) -> None:
    if _preparations.get(key) is preparation:
        del _preparations[key]
