"""Numbers of system calls, for the machines that are known.

Place in the house: bottom of ``confine``. Source: the kernel's own tables,
``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h``.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CLONE3", "REFUSED", "Calls", "calls_here"]

CLONE3 = 435

REFUSED = (
    # Other processes' memory, descriptors and threads.
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease"),
    *("kcmp", "pidfd_getfd", "move_pages", "migrate_pages", "get_robust_list"),
    # Other views of the system, and what lies under file systems.
    *("mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "name_to_handle_at"),
    *("open_by_handle_at", "quotactl", "quotactl_fd", "fanotify_init", "swapon", "swapoff"),
    # Parts of the kernel with a history of holes, which Python does without.
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter"),
    *("io_uring_register", "add_key", "request_key", "keyctl", "modify_ldt", "personality"),
    # Shared between all processes of a user, by number.
    *("shmget", "shmat", "shmctl", "semget", "semctl", "msgget", "msgctl", "mq_open", "mq_unlink"),
    # The machine itself.
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot"),
    *("sethostname", "setdomainname", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex"),
    *("acct", "syslog", "vhangup", "iopl", "ioperm", "lookup_dcookie"),
)
"""Calls that fail, whatever their arguments."""

_TABLE = """
acct 163 89 | add_key 248 217 | adjtimex 159 171 | bpf 321 280 | chroot 161 51
clock_adjtime 305 266 | clock_settime 227 112 | clone 56 220 | delete_module 176 106
fanotify_init 300 262 | finit_module 313 273 | fsconfig 431 431 | fsmount 432 432
fsopen 430 430 | fspick 433 433 | get_robust_list 274 100 | init_module 175 105
io_uring_enter 426 426 | io_uring_register 427 427 | io_uring_setup 425 425 | ioctl 16 29
ioperm 173 - | iopl 172 - | ioprio_set 251 30 | kcmp 312 272 | kexec_file_load 320 294
kexec_load 246 104 | keyctl 250 219 | lookup_dcookie 212 18 | migrate_pages 256 238
modify_ldt 154 - | mount 165 40 | mount_setattr 442 442 | move_mount 429 429
move_pages 279 239 | mq_open 240 180 | mq_unlink 241 181 | msgctl 71 187 | msgget 68 186
name_to_handle_at 303 264 | open_by_handle_at 304 265 | open_tree 428 428
perf_event_open 298 241 | personality 135 92 | pidfd_getfd 438 438 | pivot_root 155 41
process_madvise 440 440 | process_mrelease 448 448 | process_vm_readv 310 270
process_vm_writev 311 271 | ptrace 101 117 | quotactl 179 60 | quotactl_fd 443 443
reboot 169 142 | request_key 249 218 | sched_setaffinity 203 122 | sched_setattr 314 274
sched_setparam 142 118 | sched_setscheduler 144 119 | semctl 66 191 | semget 64 190
setdomainname 171 162 | sethostname 170 161 | setns 308 268 | setpriority 141 140
settimeofday 164 170 | shmat 30 196 | shmctl 31 195 | shmget 29 194 | socket 41 198
swapoff 168 225 | swapon 167 224 | syslog 103 116 | umount2 166 39 | unshare 272 97
userfaultfd 323 282 | vhangup 153 58 | chmod 90 - | fchmod 91 52 | fchmodat 268 53
fchmodat2 452 452 | creat 85 - | open 2 - | openat 257 56 | openat2 437 437 | mknod 133 -
mknodat 259 33
"""
# Name, number on x86_64, number on aarch64.


@dataclass(frozen=True, slots=True)
class Calls:
    """System calls of one kind of machine.

    Attributes:
        architecture: Its number (``AUDIT_ARCH_*``).
        seccomp: Number of the call that sets the filter.
        capset: Number of the call that sets capabilities.
        numbers: All others, by name.
        has_x32: Whether there is a second set of numbers for the same calls.
    """

    architecture: int
    seccomp: int
    capset: int
    numbers: Mapping[str, int]
    has_x32: bool = False


def _column(index: int) -> dict[str, int]:
    rows = (row.split() for row in _TABLE.replace("\n", "|").split("|") if row.strip())
    return {row[0]: int(row[index]) for row in rows if row[index] != "-"}


_MACHINES: Mapping[str, Calls] = {
    "x86_64": Calls(0xC000003E, 317, 126, _column(1), has_x32=True),
    "aarch64": Calls(0xC00000B7, 277, 91, _column(2)),
}
"""By what ``platform.machine()`` says."""


def calls_here() -> Calls:
    """Return the calls of this machine.

    Raises:
        OSError: It is of no known kind.
    """
    machine = platform.machine()
    if machine not in _MACHINES:
        raise OSError(f"machines of the kind {machine} cannot confine kernels")
    return _MACHINES[machine]
