"""Privileges that a process gives up, and resources it bounds.

Place in the house: inside ``confine``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import suppress

from kernel_bootstrap.confine.numbers import calls_here
from kernel_bootstrap.confine.system import call, prctl

__all__ = ["drop_privileges", "set_limits"]

_NO_NEW_PRIVS, _DROP_BOUNDING, _AMBIENT = 38, 24, 47
_CLEAR_ALL = 4
_LAST_CAPABILITY = 63
_VERSION = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def set_limits(limits: Mapping[str, int]) -> None:
    """Set hard and soft limits; never above those there are.

    Args:
        limits: Names without ``RLIMIT_`` -> the most.

    Raises:
        OSError: The system refuses.
    """
    import resource

    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def drop_privileges() -> None:
    """Give up all capabilities, for good: root is then a user whose files are root's.

    Raises:
        OSError: The system refuses.
    """
    prctl(_NO_NEW_PRIVS, 1)
    for capability in range(_LAST_CAPABILITY + 1):
        with suppress(OSError):  # the system knows fewer, or they are gone already
            prctl(_DROP_BOUNDING, capability)
    with suppress(OSError):
        prctl(_AMBIENT, _CLEAR_ALL)
    header = _Header(_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    call(calls_here().capset, ctypes.byref(header), ctypes.byref(nothing))
