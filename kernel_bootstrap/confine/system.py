"""System calls that Python has no name for.

Place in the house: bottom of ``confine``.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

__all__ = ["call", "prctl"]

_libc: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
if _libc is not None:
    _libc.syscall.restype = ctypes.c_long


def call(number: int, *arguments: Any) -> int:
    """Make a system call.

    Args:
        number: Which one.
        arguments: Numbers, and ctypes' objects by reference.

    Raises:
        OSError: It failed.
    """
    whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *whole))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def prctl(option: int, *arguments: int) -> int:
    """``prctl(2)``.

    Raises:
        OSError: It failed.
    """
    whole = [ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4]]
    result = int(_libc.prctl(ctypes.c_int(option), *whole))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
