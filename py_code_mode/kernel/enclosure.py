"""How one kernel is confined, and where it and its branches may write.

Place in the house: inside ``kernel``, below ``launch``; what can be bounded, and by what
means, is known to ``py_code_mode.sandbox``.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from py_code_mode.config import KernelConfig
from py_code_mode.errors import ConfigError
from py_code_mode.kernel.homes import Home, boxes
from py_code_mode.kernel.waiting import in_thread
from py_code_mode.sandbox import (
    SENTRY_TASKS,
    Cgroup,
    Level,
    Sandbox,
    choose_level,
    confinement_of,
    find_parents,
    make_cgroup,
    user_of_kernels,
    wrap_of,
)

__all__ = ["LOCAL", "TEMPLATE", "Enclosure", "level_of"]

LOCAL, TEMPLATE = "py-code-mode-local", "py-code-mode-template"
"""Entry points of our provisioners."""


class Enclosure:
    """What a kernel and its branches have in common.

    Args:
        sandbox: The bounds.
        level: How they are set.
        command: The bootstrap's: interpreter, and what it runs.

    Attributes:
        level: How the bounds are set.
        home: Where the kernels' directories are.
    """

    def __init__(self, sandbox: Sandbox, level: Level, command: Sequence[str]) -> None:
        self._sandbox = sandbox
        self._command = command
        self.level = level
        self.is_closed = level.name != "none"
        self._user = user_of_kernels() if level.name == "bwrap" else None
        self.home = Home(confined=self.is_closed, user=self._user)

    @classmethod
    async def make(
        cls, config: KernelConfig, command: Sequence[str], provisioner: str
    ) -> Enclosure:
        """Make the enclosure of a new kernel.

        Args:
            config: How it is to run.
            command: The bootstrap's: interpreter, and what it runs.
            provisioner: Who launches it.

        Raises:
            ConfigError: This machine cannot do what the bounds ask for.
        """
        sandbox = Sandbox.of(config.sandbox)
        if sandbox.level == "none":
            return cls(sandbox, level_of(sandbox, command[0], provisioner), command)
        # It may have to try programs out.
        level = await in_thread(lambda: level_of(sandbox, command[0], provisioner))
        return cls(sandbox, level, command)

    def cwd(self, asked: str | Path | None) -> Path:
        """Return the working directory."""
        if asked is not None:
            return Path(asked)
        return Path.cwd() if self.home.box is None else self.home.box / "work"

    def settings(
        self, env: Mapping[str, str], cwd: Path, preload: Sequence[str], notes: Path
    ) -> dict[str, Any]:
        """Return what a provisioner must know.

        Args:
            env: The kernel's environment.
            cwd: Its working directory.
            preload: Modules, and scripts that it must be able to read.
            notes: Directory of the kernel that is out of its reach.

        Raises:
            OSError: The interpreter cannot be asked for its packages.
        """
        if self.home.box is None:
            return {}
        scripts = [each for each in preload if each.endswith(".py")]
        scripts += [word for word in self._command[1:] if word.startswith(os.sep)]
        bounds = confinement_of(self._sandbox, [self.home.box, cwd], scripts, env)
        settings: dict[str, Any] = {"bounds": bounds.to_json(), "own_env": self.home.env()}
        if self.level.name == "gvisor":
            return {**settings, "bundle": str(notes / "bundle")}
        if self.level.name == "bwrap":
            settings["wrap"] = [*wrap_of(bounds, self._sandbox, self._command[0], boxes())]
            settings["user"] = self._user
        return settings

    def new_group(self) -> Cgroup | None:
        """Make the cgroup of one kernel."""
        sandbox = self._sandbox
        if self.level.name == "gvisor" and sandbox.processes is not None:
            sandbox = dataclasses.replace(sandbox, processes=sandbox.processes + SENTRY_TASKS)
        if not self.is_closed:
            return None
        group = make_cgroup(sandbox, find_parents())
        self.home.watch(group)
        return group

    def end_group(self, group: Cgroup | None) -> None:
        """End what is in a kernel's cgroup, and remove it; waits, and twice is fine."""
        if group is not None:
            group.end()
            self.home.forget(group)


def level_of(sandbox: Sandbox, python: str, provisioner: str) -> Level:
    """Return how kernels with these bounds are confined; the first time programs may be tried out.

    Args:
        sandbox: The bounds.
        python: Path of the interpreter.
        provisioner: Who launches them.

    Raises:
        ConfigError: This machine cannot do what the bounds ask for.
    """
    from_template = provisioner == TEMPLATE
    if sandbox.level != "none" and provisioner not in (LOCAL, TEMPLATE):
        raise ConfigError(
            f"KernelConfig(sandbox=...) works with our provisioners, {LOCAL} and {TEMPLATE}; "
            f"{provisioner!r} must confine its kernels itself"
        )
    if sandbox.level == "bwrap" and not from_template:
        raise ConfigError(
            "Sandbox(level='bwrap') works for kernels that come from a template only; leave "
            "KernelConfig(provisioner=..., connection_file=...) out"
        )
    if sandbox.level == "gvisor" and from_template:
        raise ConfigError(
            f"Sandbox(level='gvisor') works with the provisioner {LOCAL} only, which is its "
            "default: in gVisor there is no template"
        )
    if sandbox.level == "auto" and not from_template:
        level = choose_level(dataclasses.replace(sandbox, level="landlock"), python)
        return dataclasses.replace(level, why=f"{level.why}; bwrap needs kernels from a template")
    return choose_level(sandbox, python)
