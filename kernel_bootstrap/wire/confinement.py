"""What a kernel's process takes away from itself before it runs anybody's code.

Place in the house: part of THE contract, standard library only. The host decides it, the process
carries it out (``kernel_bootstrap.confine``): none of it can be taken back, and children have it
too.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kernel_bootstrap.wire.errors import ProtocolError

__all__ = ["LOOPBACK", "NETWORKS", "Confinement", "landlock_version"]

NETWORKS = ("none", "loopback", "all")
LOOPBACK = "loopback"

_CREATE_RULESET = 444
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Confinement:
    """Bounds of one kernel.

    Attributes:
        read: Files, and directories with all below them, that may be read and run.
        write: Those that may also be changed.
        network: ``none``, ``loopback`` or ``all``.
        limits: Names of ``setrlimit(2)`` without ``RLIMIT_`` -> the most, hard and soft.
        files: Whether Landlock bounds files; else the namespace around the process does.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    network: str = "none"
    limits: Mapping[str, int] = field(default_factory=dict)
    files: bool = True

    def to_json(self) -> str:
        """One line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Confinement:
        """Read what ``to_json`` wrote.

        Raises:
            ProtocolError: It is not of this form.
        """
        try:
            words: dict[str, Any] = json.loads(text)
            read, write = tuple(words.pop("read")), tuple(words.pop("write"))
            return cls(read=read, write=write, **words)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolError(f"malformed confinement: {error!r}") from error


def landlock_version() -> int:
    """Return the version of Landlock's interface here; 0: there is none.

    Source: ``landlock_create_ruleset(2)``. Version 4 (Linux 6.7) bounds TCP, version 6 (6.12)
    signals and abstract sockets.
    """
    if sys.platform != "linux":
        return 0
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    number = int(call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION)))
    return max(0, number) if os.name == "posix" else 0
