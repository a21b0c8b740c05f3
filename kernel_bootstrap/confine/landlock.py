"""Landlock: which files a process may reach, and which processes it may signal.

Place in the house: inside ``confine``. Source: ``landlock(7)`` and the kernel's documentation of
``userspace-api/landlock``. What a version of the interface does not know is left out: the host
knows the version, and says what that means.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from kernel_bootstrap.confine.system import call, prctl
from kernel_bootstrap.wire.confinement import landlock_version

__all__ = ["restrict_files"]

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

_BY_VERSION = {1: (1 << 13) - 1, 2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
"""Rights over files that came with each version."""

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""Rights that a rule for something other than a directory can have."""

_DEVICES = (6, 11)
"""Bits of making character and block devices, which nobody may."""

_TCP = 0b11
_TCP_SINCE = 4
_SCOPES = 0b11
_SCOPES_SINCE = 6


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("tcp", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def restrict_files(read: Iterable[str], write: Iterable[str], *, network: str) -> None:
    """Bound the calling thread, and all that comes of it, to these files.

    Args:
        read: Files, and directories with all below them, to be read and run.
        write: Those to be changed as well.
        network: With ``none`` TCP is refused, too, where Landlock knows it.

    Raises:
        OSError: There is no Landlock, or it refuses.
    """
    version = landlock_version()
    handled = 0
    for since, rights in _BY_VERSION.items():
        handled |= rights if version >= since else 0
    tcp = _TCP if network == "none" and version >= _TCP_SINCE else 0
    scopes = _SCOPES if version >= _SCOPES_SINCE else 0
    ruleset = _Ruleset(handled, tcp, scopes)
    # Older systems know a shorter form of it.
    size = 8 if version < _TCP_SINCE else 16 if version < _SCOPES_SINCE else 24
    fd = call(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    try:
        for path in read:
            _allow(fd, path, _READ & handled)
        made = sum(1 << bit for bit in _DEVICES)
        for path in write:
            _allow(fd, path, handled & ~made)
        prctl(_NO_NEW_PRIVS, 1)
        call(_RESTRICT_SELF, fd, 0)
    finally:
        os.close(fd)


def _allow(ruleset: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError, PermissionError, NotADirectoryError):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                rights &= _OF_FILES
            rule = _Beneath(rights, fd)
            call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(fd)
