"""From a ``KernelConfig`` to a started jupyter_client kernel manager.

Place in the house: inside ``kernel``, above ``provisioner``. Decides command, environment and
the private directory; the provisioner decides how the process comes to be.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from kernel_bootstrap.wire.birth import AWAIT_HOST, DIRECTORY, FIGURE_FORMAT, LOG_FILE
from py_code_mode.config import KernelConfig
from py_code_mode.environments import prepare_config
from py_code_mode.errors import CodeModeError, KernelStartError
from py_code_mode.kernel.addresses import take_addresses
from py_code_mode.kernel.bootstrap import (
    absolute_scripts,
    bootstrap_command,
    preload_arguments,
)
from py_code_mode.kernel.enclosure import LOCAL, TEMPLATE, Enclosure, level_of
from py_code_mode.kernel.forked import ForkedProcess
from py_code_mode.kernel.line import Line
from py_code_mode.kernel.provisioner import BranchKernelProvisioner, can_fork
from py_code_mode.kernel.traces import Traces
from py_code_mode.sandbox import Cgroup, Level, Sandbox

__all__ = ["ENVIRONMENT", "Branch", "Launched", "launch", "sandbox_level"]

ENVIRONMENT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"),
        "JPY_SESSION_NAME",
        *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP"),
    }
)
"""What a kernel gets of the host's environment, and ``LC_*``. The rest may hold secrets."""


Branch = Callable[[Path], Awaitable[ForkedProcess]]
"""Forks a live kernel, given the private directory of the branch."""


class _Manager(AsyncKernelManager):
    """A kernel manager, with what our provisioners must know of the kernel.

    Attributes:
        branch: Makes it, if it is a branch.
        group: Its cgroup.
        hand_over: Lets its files belong to it, before it begins.
    """

    branch: Callable[[], Awaitable[ForkedProcess]] | None = None
    group: Cgroup | None = None
    hand_over: Callable[[], None] | None = None


class _OneSpec(KernelSpecManager):
    """A kernelspec manager that knows one spec, held in memory."""

    def __init__(self, spec: KernelSpec) -> None:
        super().__init__()
        self._spec = spec

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the spec, whatever the name."""
        del kernel_name
        return self._spec


@dataclass(frozen=True, slots=True)
class Launched:
    """A started kernel process.

    Attributes:
        manager: Its jupyter_client manager.
        directory: Private directory (0700): connection file, sockets, and its ``Traces``.
        notes: Private directory for what the host tells other programs; may be the same.
        enclosure: How it is confined, and where both are.
        group: Its cgroup, if there is one.
    """

    manager: AsyncKernelManager
    directory: Path
    notes: Path
    enclosure: Enclosure
    group: Cgroup | None = None

    @property
    def pid(self) -> int:
        """Number of the process; 0 when it has ended."""
        return getattr(self.manager.provisioner, "pid", None) or 0

    @property
    def line(self) -> Line | None:
        """What it was told over, if a provisioner of ours has launched it."""
        line: Line | None = getattr(self.manager.provisioner, "line", None)
        return line

    def end(self) -> None:
        """Remove all that is left of it; waits."""
        self.enclosure.end_group(self.group)
        self.enclosure.home.leave(self.directory)


async def launch(
    config: KernelConfig,
    context: zmq.Context[zmq.Socket[bytes]],
    branch: Branch | None = None,
    parent: Launched | None = None,
) -> Launched:
    """Start a kernel process; it is not yet ready.

    Args:
        config: How.
        context: Its manager's.
        branch: Forks it from a live kernel, given its private directory; None: a new one.
        parent: That kernel.

    Raises:
        KernelStartError: The interpreter or working directory is missing, or cannot be run; or
            the environment of its packages could not be made.
        ConfigError: What came with its packages is not allowed, or it cannot be confined here.
    """
    config = await prepare_config(config)
    if branch is not None:
        config = dataclasses.replace(config, connection_file=None)
    enclosure = await _enclosure(config) if parent is None else parent.enclosure
    directory, notes = enclosure.home.new_kernel()
    try:
        manager = await _launch_in((directory, notes), config, enclosure, context, branch)
    except (OSError, RuntimeError, ImportError) as error:
        said = Traces(directory).log_tail()
        enclosure.home.leave(directory)
        if isinstance(error, CodeModeError):  # some of ours are errors of the system, too
            raise
        raise KernelStartError(
            f"the kernel could not be started: {error}\n{said}".strip()
        ) from error
    except BaseException:
        enclosure.home.leave(directory)
        raise
    return Launched(manager, directory, notes, enclosure, manager.group)


def sandbox_level(config: KernelConfig) -> Level:
    """Return how kernels of a configuration are confined.

    Raises:
        KernelStartError: The interpreter is missing.
        ConfigError: They cannot be confined here as it says.
    """
    return level_of(Sandbox.of(config.sandbox), _command(config)[0], _provisioner(config))


def _command(config: KernelConfig) -> list[str]:
    try:
        return bootstrap_command(config.python)
    except OSError as error:
        raise KernelStartError(f"the kernel could not be started: {error}") from error


async def _enclosure(config: KernelConfig) -> Enclosure:
    return await Enclosure.make(config, _command(config), _provisioner(config))


async def _launch_in(
    directories: tuple[Path, Path],
    config: KernelConfig,
    enclosure: Enclosure,
    context: zmq.Context[zmq.Socket[bytes]],
    branch: Branch | None,
) -> _Manager:
    directory, notes = directories
    env, cwd = _environment(config, os.environ, directory), enclosure.cwd(config.cwd)
    preload = absolute_scripts(config.preload)
    settings = enclosure.settings(env, cwd, preload, notes)
    spec = _spec(directory, config, preload, settings)
    manager = _manager(directory, spec, context)
    if config.connection_file is not None:
        await take_addresses(manager, config.connection_file)
    manager.group = enclosure.new_group()
    manager.hand_over = functools.partial(enclosure.home.hand_over, directory)
    if branch is not None:
        manager.branch = functools.partial(branch, directory)
        manager.provisioner = BranchKernelProvisioner(
            kernel_id=directory.name, kernel_spec=spec, parent=manager
        )
    with (directory / LOG_FILE).open("wb") as log:
        try:
            await manager.start_kernel(env=env, cwd=str(cwd), stdout=log, stderr=log)
        except BaseException:
            await _give_up(manager, enclosure)
            raise
    return manager


def _provisioner(config: KernelConfig) -> str:
    # A template is for many kernels; that of a front end is the only one of its program.
    alone = config.connection_file is not None or Sandbox.of(config.sandbox).level == "gvisor"
    usual = TEMPLATE if can_fork() and not alone else LOCAL
    return config.provisioner or usual


def _spec(
    directory: Path, config: KernelConfig, preload: list[str], bounds: Mapping[str, Any]
) -> KernelSpec:
    profiles = directory / "ipython"
    profiles.mkdir()
    name = _provisioner(config)
    forks = name == TEMPLATE
    settings: dict[str, Any] = {"preload": preload} if forks else {}
    if name == LOCAL:
        # Not on Windows, nor into gVisor.
        settings["tells"] = hasattr(socket, "send_fds") and "bundle" not in bounds
    settings |= bounds
    return KernelSpec(
        argv=[
            *bootstrap_command(config.python),
            *([] if forks else preload_arguments(preload)),
            *("-f", "{connection_file}", "--ipython-dir", str(profiles)),
        ],
        display_name="py-code-mode",
        language="python",
        interrupt_mode="signal",
        metadata={"kernel_provisioner": {"provisioner_name": name, "config": settings}},
    )


def _manager(
    directory: Path, spec: KernelSpec, context: zmq.Context[zmq.Socket[bytes]]
) -> _Manager:
    manager = _Manager(
        kernel_name="py-code-mode",
        kernel_spec_manager=_OneSpec(spec),
        context=zmq.asyncio.Context.shadow(context.underlying),
        connection_file=str(directory / "kernel.json"),
        # Each open socket is a path: the directory's mode is the access control.
        transport="ipc",
        ip=str(directory / "s"),
        autorestart=False,
    )
    # Replays are no threat from a kernel that holds the key, and the history costs memory.
    manager.session.digest_history_size = 0
    return manager


async def _give_up(manager: _Manager, enclosure: Enclosure) -> None:
    """End a kernel whose start failed or was cancelled half-way."""
    provisioner = manager.provisioner
    if provisioner is not None and provisioner.has_process:
        await provisioner.kill()
        await provisioner.wait()
    await manager.cleanup_resources()
    enclosure.end_group(manager.group)


def _environment(config: KernelConfig, host: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return the kernel's environment: an allow-list, never the host's whole."""
    names = ENVIRONMENT | set(config.pass_env)
    if config.python is not None:
        # They point at this interpreter's packages, not at the other one's.
        names -= {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    chosen = {
        name: value for name, value in host.items() if name in names or name.startswith("LC_")
    }
    waits = {} if config.connection_file is None else {AWAIT_HOST: str(config.start_timeout)}
    figures = {} if config.figure_format == "png" else {FIGURE_FORMAT: config.figure_format}
    return {**chosen, **config.env, **waits, **figures, DIRECTORY: str(directory)}
