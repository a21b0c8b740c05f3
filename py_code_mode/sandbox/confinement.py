"""From bounds to what a kernel's process is told to take away from itself.

Place in the house: inside ``sandbox``. Python and its packages are not listed here: the process
adds them, it knows where they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from kernel_bootstrap.wire.confinement import Confinement
from py_code_mode.sandbox.bounds import Sandbox

__all__ = ["confinement_of"]

_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"),
    *(
        f"/etc/{name}"
        for name in (
            *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "alternatives"),
            *("ssl", "ca-certificates", "pki", "crypto-policies", "fonts", "localtime", "timezone"),
            *("passwd", "group", "nsswitch.conf", "hosts", "host.conf", "resolv.conf", "gai.conf"),
            *("services", "protocols", "mime.types", "mailcap", "os-release", "debian_version"),
            *("locale.alias", "locale.conf", "matplotlibrc", "magic", "bash.bashrc", "profile"),
        )
    ),
    *("/sys/devices/system/cpu", "/run/systemd/resolve/stub-resolv.conf"),
    *(f"/dev/{name}" for name in ("zero", "random", "urandom")),
    *(
        f"/proc/{name}"
        for name in ("cpuinfo", "meminfo", "stat", "uptime", "loadavg", "version", "filesystems")
    ),
    *(f"/proc/sys/{name}" for name in ("kernel", "vm", "fs")),
)
"""What programs read of a system that tells nothing of its user."""

_SELF = tuple(
    f"/proc/self/{name}"
    for name in (
        *("auxv", "cgroup", "cmdline", "comm", "fd", "io", "limits", "maps", "mountinfo", "mounts"),
        *("oom_score", "oom_score_adj", "smaps", "smaps_rollup", "stat", "statm", "status", "task"),
    )
)
"""Of the kernel's own process; not ``net``, which lists everybody's sockets."""

_DEVICES = ("/dev/null", "/dev/full")

_NAMED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "TZDIR")
"""Variables that name files which the code is meant to read."""


def confinement_of(
    sandbox: Sandbox, own: Iterable[Path], scripts: Iterable[str], env: Mapping[str, str]
) -> Confinement:
    """Return the confinement of a kernel.

    Args:
        sandbox: The bounds.
        own: Directories of the session itself, to be changed at will.
        scripts: Files that are run before the code.
        env: Its environment.
    """
    named = [env[name] for name in _NAMED if env.get(name)]
    return Confinement(
        read=(*map(str, sandbox.read), *_SYSTEM, *_SELF, *scripts, *named),
        write=(*map(str, own), *map(str, sandbox.write), *_DEVICES),
        network=sandbox.network,
        limits=_limits(sandbox),
    )


def _limits(sandbox: Sandbox) -> dict[str, int]:
    asked = {
        # Of the private memory that can be written: an address space alone costs nothing, and
        # libraries reserve much.
        "DATA": sandbox.memory,
        "CPU": sandbox.cpu_seconds,
        "NOFILE": sandbox.open_files,
        "FSIZE": sandbox.file_size,
    }
    limits = {name: int(most) for name, most in asked.items() if most is not None}
    if sandbox.processes is not None and os.geteuid() != 0:  # it does not bound root
        # The system counts all of a user, not of a session.
        limits["NPROC"] = _tasks_of_user() + sandbox.processes
    return {"CORE": 0, **limits}


def _tasks_of_user() -> int:
    """Count processes and threads of this user."""
    user, count = os.getuid(), 0
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if process.stat().st_uid == user:
                count += len([*(process / "task").iterdir()])
        except OSError:
            continue  # it has ended meanwhile
    return count
