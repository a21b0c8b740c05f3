"""From a ``KernelConfig`` with packages to one whose interpreter has them.

Place in the house: top of ``environments``; ``kernel.launch`` calls it before each start.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading

from py_code_mode.config import KernelConfig
from py_code_mode.environments.spec import Spec
from py_code_mode.environments.store import EnvironmentStore

__all__ = ["prepare_config"]


async def prepare_config(config: KernelConfig) -> KernelConfig:
    """Return a configuration of an interpreter that has the packages, made if need be.

    One without packages comes back as it is. When this is cancelled, the installer is killed.

    Raises:
        ConfigError: Something is not allowed, or ``python`` is no interpreter.
        KernelStartError: The environment could not be made.
    """
    if not config.packages:
        return config
    store, stop = EnvironmentStore(config.package_policy), threading.Event()
    try:
        environment = await asyncio.to_thread(lambda: store.prepare(Spec.of(config), stop=stop))
    except asyncio.CancelledError:
        stop.set()
        raise
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
