"""Seccomp: system calls that no kernel needs, and ways out of its bounds that Landlock leaves.

Place in the house: inside ``confine``. Source: ``seccomp(2)``, ``bpf(4)``. Calls that are refused
fail with an error that Python shows (``PermissionError``), they do not kill. Sockets are refused by
their kind: Landlock does not bound those that lie in the file system, such as a desktop's bus or
another kernel's channels, and knows no UDP.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable, Sequence

from kernel_bootstrap.confine.numbers import CLONE3, REFUSED, Calls, calls_here
from kernel_bootstrap.confine.system import call

__all__ = ["restrict_calls"]

_SET_FILTER, _ALL_THREADS = 1, 1
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_LOAD, _EQUAL, _ABOVE, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000

_NEW_NAMESPACES = 0x7E020000
"""``CLONE_NEW*`` but for time, which ``clone`` does not take."""

_FAMILIES = {"none": (), "loopback": (2, 10, 16), "all": (2, 10, 16)}
"""IPv4, IPv6, and netlink, which tells of the network."""

_TYPE_INTO_TERMINAL = (0x5412, 0x541C)
"""``TIOCSTI`` and ``TIOCLINUX``: to type for the person at a terminal."""


class _Filter:
    """A filter's program, put together in pieces that each end with a decision or fall through."""

    def __init__(self) -> None:
        self._code = bytearray()

    def add(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        """Add one instruction; jumps count instructions that are left out."""
        self._code += struct.pack("=HBBI", code, if_true, if_false, value)

    def decide(self, decision: int) -> None:
        """End here."""
        self.add(_RETURN, decision)

    def load(self, offset: int) -> None:
        """Load 32 bits of what is known of the call."""
        self.add(_LOAD, offset)

    def on_call(self, number: int, pieces: Sequence[tuple[int, int, int, int]]) -> None:
        """Do the pieces if it is that call; they must end with a decision."""
        self.add(_EQUAL, number, 0, len(pieces))
        for piece in pieces:
            self.add(*piece)

    def program(self) -> bytes:
        """The whole of it."""
        return bytes(self._code)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict_calls(*, network: str) -> None:
    """Refuse system calls to all threads of this process, for good.

    Args:
        network: Which sockets may be opened; pairs of sockets always may.

    Raises:
        OSError: The system refuses, or this kind of machine is not known.
    """
    calls = calls_here()
    code = _program(calls, _FAMILIES[network])
    program = _Program(len(code) // 8, code)
    call(calls.seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program))


def _program(calls: Calls, families: Iterable[int]) -> bytes:
    refuse = _ERROR | errno.EPERM
    made = _Filter()
    made.load(_ARCHITECTURE)
    made.add(_EQUAL, calls.architecture, 1, 0)
    made.decide(_KILL)
    made.load(_NUMBER)
    if calls.has_x32:
        made.add(_ABOVE, _X32, 0, 1)
        made.decide(_ERROR | errno.ENOSYS)
    for number in sorted(calls.numbers[name] for name in REFUSED if name in calls.numbers):
        made.on_call(number, [(_RETURN, refuse, 0, 0)])
    # Its flags lie in memory: libraries fall back to `clone`, whose flags can be seen.
    made.on_call(CLONE3, [(_RETURN, _ERROR | errno.ENOSYS, 0, 0)])
    made.on_call(calls.numbers["clone"], _if_bits(0, _NEW_NAMESPACES, refuse))
    made.on_call(calls.numbers["ioctl"], _if_any(1, _TYPE_INTO_TERMINAL, refuse))
    made.on_call(calls.numbers["socket"], _unless_any(0, families, _ERROR | errno.EACCES))
    for name, argument in _MODES.items():
        if name in calls.numbers:
            made.on_call(calls.numbers[name], _if_bits(argument, _SETUID, refuse))
    made.on_call(calls.numbers["openat2"], [(_RETURN, _ERROR | errno.ENOSYS, 0, 0)])
    for name, argument in _OF_OTHERS.items():
        then = _ERROR if name in _PRETENDED else refuse
        made.on_call(calls.numbers[name], _unless_any(argument, (0,), then))
    made.decide(_ALLOW)
    return made.program()


_SETUID = 0o6000

_MODES = dict(
    zip(
        ["chmod", "fchmod", "fchmodat", "fchmodat2", "creat", "open", "openat", "mknod", "mknodat"],
        (1, 1, 2, 2, 1, 2, 3, 1, 2),
        strict=True,
    )
)
"""Calls that give a file its mode -> which argument that is: programs that others would run with
this user's rights are nothing code may make. (``openat2`` has it in memory, where none is seen.)"""

_OF_OTHERS = {
    **dict.fromkeys(("setpriority", "ioprio_set"), 1),
    **dict.fromkeys(
        ("sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"), 0
    ),
}
"""Calls that may slow other processes down -> which argument names the process; 0 is oneself."""

_PRETENDED = frozenset({"sched_setscheduler"})
"""Calls that do nothing but say they did: libzmq ends the process if this one fails."""


def _argument(index: int) -> tuple[int, int, int, int]:
    return (_LOAD, _ARGUMENTS + 8 * index, 0, 0)


def _if_bits(index: int, bits: int, then: int) -> list[tuple[int, int, int, int]]:
    return [
        _argument(index),
        (_HAS_BITS, bits, 0, 1),
        (_RETURN, then, 0, 0),
        (_RETURN, _ALLOW, 0, 0),
    ]


def _if_any(index: int, values: Iterable[int], then: int) -> list[tuple[int, int, int, int]]:
    tests = [piece for value in values for piece in ((_EQUAL, value, 0, 1), (_RETURN, then, 0, 0))]
    return [_argument(index), *tests, (_RETURN, _ALLOW, 0, 0)]


def _unless_any(index: int, values: Iterable[int], then: int) -> list[tuple[int, int, int, int]]:
    tests = [
        piece for value in values for piece in ((_EQUAL, value, 0, 1), (_RETURN, _ALLOW, 0, 0))
    ]
    return [_argument(index), *tests, (_RETURN, then, 0, 0)]
