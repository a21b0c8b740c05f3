"""From a ``KernelConfig`` to a started jupyter_client kernel manager.

Place in the house: inside ``kernel``, above ``provisioner``. Decides command, environment and
the private directory; the provisioner decides how the process comes to be.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from kernel_bootstrap.wire.birth import LOG_FILE
from py_code_mode.config import KernelConfig
from py_code_mode.environments import prepare_config
from py_code_mode.errors import CodeModeError, ConfigError, KernelStartError
from py_code_mode.kernel.addresses import open_addresses, take_addresses
from py_code_mode.kernel.bootstrap import (
    absolute_scripts,
    bootstrap_command,
    preload_arguments,
)
from py_code_mode.kernel.branching import Branching
from py_code_mode.kernel.enclosure import LOCAL, TEMPLATE, Enclosure, level_of
from py_code_mode.kernel.environment import kernel_environment
from py_code_mode.kernel.forked import ForkedProcess
from py_code_mode.kernel.launched import Query
from py_code_mode.kernel.line import Line
from py_code_mode.kernel.onespec import OneSpec
from py_code_mode.kernel.provisioner import BranchKernelProvisioner, can_fork
from py_code_mode.kernel.template import Template
from py_code_mode.kernel.traces import FileTraces
from py_code_mode.kernel.waiting import in_thread
from py_code_mode.sandbox import Cgroup, Level, Sandbox

__all__ = ["Branch", "LocalKernel", "launch", "sandbox_level"]

Branch = Callable[[Path], Awaitable[ForkedProcess]]
"""Forks a live kernel, given the private directory of the branch."""


class _Manager(AsyncKernelManager):
    """A kernel manager, with what our provisioners must know of the kernel.

    Attributes:
        branch: Makes it, if it is a branch.
        group: Its cgroup.
        hand_over: Lets its files belong to it, before it begins.
        listeners: Its sockets, if it is to listen at an address of the network.
    """

    branch: Callable[[], Awaitable[ForkedProcess]] | None = None
    group: Cgroup | None = None
    hand_over: Callable[[], None] | None = None
    listeners: Sequence[socket.socket] = ()


@dataclass(frozen=True, slots=True)
class LocalKernel:
    """A kernel process of this machine; see ``Launched``.

    Attributes:
        manager: Its jupyter_client manager.
        directory: Private directory (0700): connection file, sockets, and its ``FileTraces``.
        notes: Private directory for what the host tells other programs; may be the same.
        enclosure: How it is confined, and where both are.
        group: Its cgroup, if there is one.
        ip: The node's address, if it listens there.
    """

    manager: AsyncKernelManager
    directory: Path
    notes: Path
    enclosure: Enclosure
    group: Cgroup | None = None
    ip: str | None = None

    @property
    def pid(self) -> int:
        """Number of the process; 0 when it has ended."""
        return getattr(self.manager.provisioner, "pid", None) or 0

    @property
    def line(self) -> Line | None:
        """What it was told over, if a provisioner of ours has launched it."""
        line: Line | None = getattr(self.manager.provisioner, "line", None)
        return line

    @property
    def template(self) -> Template | None:
        """The template it was forked from, while it runs."""
        return getattr(self.manager.provisioner, "template", None)

    @property
    def traces(self) -> FileTraces:
        """What it leaves in its directory."""
        return FileTraces(self.directory, self._why_it_ended)

    def _why_it_ended(self) -> str:
        for_want = self.group is not None and self.group.memory_kills > 0
        return " for want of memory (Sandbox.memory)" if for_want else ""

    async def branch(
        self, query: Query, config: KernelConfig, context: zmq.Context[zmq.Socket[bytes]]
    ) -> tuple[LocalKernel, list[str]]:
        """Fork it."""
        branching = Branching(query, self.pid, self.line)
        branch = await launch(config, context, branching.branch, self, ip=self.ip)
        return branch, branching.lost

    async def end(self) -> None:
        """Remove all that is left of it."""
        await in_thread(self._remove)  # what the code has written may be much

    def _remove(self) -> None:
        self.enclosure.end_group(self.group)
        self.enclosure.home.leave(self.directory)


async def launch(
    config: KernelConfig,
    context: zmq.Context[zmq.Socket[bytes]],
    branch: Branch | None = None,
    parent: LocalKernel | None = None,
    *,
    ip: str | None = None,
) -> LocalKernel:
    """Start a kernel process of this machine; it is not yet ready.

    Args:
        config: How.
        context: Its manager's.
        branch: Forks it from a live kernel, given its private directory; None: a new one.
        parent: That kernel.
        ip: An address of this machine at which it is to listen, encrypted; None: only programs
            of this user, on this machine, can reach it.

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
        manager = await _launch_in((directory, notes), config, enclosure, context, branch, ip)
    except (OSError, RuntimeError, ImportError) as error:
        said = FileTraces(directory).remains().log_tail()
        enclosure.home.leave(directory)
        if isinstance(error, CodeModeError):  # some of ours are errors of the system, too
            raise
        raise KernelStartError(
            f"the kernel could not be started: {error}\n{said}".strip()
        ) from error
    except BaseException:
        enclosure.home.leave(directory)
        raise
    return LocalKernel(manager, directory, notes, enclosure, manager.group, ip)


def sandbox_level(config: KernelConfig) -> Level:
    """Return how kernels of a configuration are confined.

    Raises:
        KernelStartError: The interpreter is missing.
        ConfigError: They cannot be confined here as it says, or are not to be here at all.
    """
    if config.placement is not None:
        raise ConfigError("how a kernel is confined is found out on its node of the cluster")
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
    ip: str | None,
) -> _Manager:
    directory, notes = directories
    env, cwd = kernel_environment(config, os.environ, directory), enclosure.cwd(config.cwd)
    preload = absolute_scripts(config.preload)
    settings = enclosure.settings(env, cwd, preload, notes)
    spec = _spec(directory, config, preload, settings)
    manager = _manager(directory, spec, context)
    if config.connection_file is not None:
        await take_addresses(manager, config.connection_file)
    elif ip is not None:
        if "bundle" in settings:
            raise ConfigError("Sandbox(level='gvisor') has kernels of its own machine alone")
        manager.listeners = open_addresses(manager, ip)
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
        finally:
            for listener in manager.listeners:
                listener.close()  # the kernel has it
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
        metadata={
            "kernel_provisioner": {"provisioner_name": name, "config": settings},
            "supported_encryption": ["curve"],  # if its ipykernel can; it says so if not
        },
    )


def _manager(
    directory: Path, spec: KernelSpec, context: zmq.Context[zmq.Socket[bytes]]
) -> _Manager:
    manager = _Manager(
        kernel_name="py-code-mode",
        kernel_spec_manager=OneSpec(spec),
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
