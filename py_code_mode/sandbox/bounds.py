"""The bounds of a kernel, as users write them.

Place in the house: bottom of ``sandbox``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.confinement import NETWORKS
from py_code_mode.errors import ConfigError

__all__ = ["LEVELS", "Sandbox", "to_bytes"]

LEVELS = ("none", "landlock", "bwrap", "gvisor", "auto")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|[KMGT]i?B)", re.IGNORECASE)
_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the code of a session may reach and use; see ``docs/sandbox.md``.

    Attributes:
        level: ``landlock`` (Linux, no root needed), ``bwrap`` (namespaces as well, by bubblewrap),
            ``auto`` (the best of these that works here), ``gvisor`` (a system kernel of its own;
            slower, and sessions cannot be forked) or ``none``.
        read: Files and directories the code may read, beside Python, its packages and the system.
        write: Those it may also change, beside its own working directory and temporary directory.
        network: ``none``; ``loopback``: an own one, empty but for the session itself (``bwrap``
            and ``gvisor`` only); ``all``: what the host reaches.
        memory: Bytes of memory, or a text such as ``"1GiB"``; None: not bounded.
        cpu_seconds: Processor time of each process, in seconds; None: not bounded.
        processes: Most processes and threads.
        open_files: Most descriptors of each process.
        file_size: Bytes of the largest file it may write, or a text; None: not bounded.

    Raises:
        ConfigError: A value is not of its form.
    """

    level: str = "auto"
    read: Sequence[str | Path] = ()
    write: Sequence[str | Path] = ()
    network: str = "none"
    memory: int | str | None = "2GiB"
    cpu_seconds: int | None = None
    processes: int | None = 64
    open_files: int | None = 1024
    file_size: int | str | None = "1GiB"

    def __post_init__(self) -> None:
        _check_choice("level", self.level, LEVELS)
        _check_choice("network", self.network, NETWORKS)
        for name in ("read", "write"):
            object.__setattr__(self, name, _paths(name, getattr(self, name)))
        for name in ("memory", "file_size"):
            object.__setattr__(self, name, to_bytes(getattr(self, name), f"Sandbox.{name}"))
        for name in ("cpu_seconds", "processes", "open_files"):
            _check_count(name, getattr(self, name))

    @classmethod
    def of(cls, given: Sandbox | str | Mapping[str, Any], beside: Path | None = None) -> Sandbox:
        """Return bounds for what ``KernelConfig(sandbox=...)`` or a file of settings says.

        Args:
            given: Bounds, the name of a level, or bounds by name.
            beside: Folder from which paths count.

        Raises:
            ConfigError: It is none of these.
        """
        if isinstance(given, Sandbox):
            return given
        if not isinstance(given, Mapping):
            return cls(level=given)
        known = {each.name for each in dataclasses.fields(cls)}
        for name in given:
            if name not in known:
                raise ConfigError(f"a sandbox has no {name!r}; it has {', '.join(sorted(known))}")
        words = dict(given)
        if beside is not None:
            for name in {"read", "write"} & words.keys():
                words[name] = [beside / Path(each).expanduser() for each in words[name]]
        return cls(**words)


def to_bytes(value: int | str | None, name: str) -> int | None:
    """Return a size in bytes.

    Raises:
        ConfigError: It is no positive number, nor a text such as ``512MiB``.
    """
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        return int(float(found[1]) * _UNITS[found[2][0].lower()])
    if value is None or (type(value) is int and value > 0):
        return value
    raise ConfigError(f"{name} must be a size such as '512MiB' or a number of bytes, not {value!r}")


def _paths(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str | Path) or not isinstance(value, Sequence):
        raise ConfigError(f"Sandbox.{name} must be a list of paths: [{str(value)!r}]")
    return tuple(str(Path(each).expanduser().resolve()) for each in value)


def _check_choice(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise ConfigError(f"Sandbox.{name} must be one of {', '.join(known)}, not {value!r}")


def _check_count(name: str, value: object) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise ConfigError(f"Sandbox.{name} must be a positive number or None, not {value!r}")
