"""What programs read of a system that tells nothing of its user.

Place in the house: bottom of ``sandbox``; data only.
"""

from __future__ import annotations

__all__ = ["DEVICES", "NAMED", "OWN_PROCESS", "SYSTEM"]

SYSTEM = (
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

OWN_PROCESS = tuple(
    f"/proc/self/{name}"
    for name in (
        *("auxv", "cgroup", "cmdline", "comm", "fd", "io", "limits", "maps", "mountinfo", "mounts"),
        *("oom_score", "oom_score_adj", "smaps", "smaps_rollup", "stat", "statm", "status", "task"),
    )
)
"""Of the kernel's own process; not ``net``, which lists everybody's sockets."""

DEVICES = ("/dev/null", "/dev/full")

NAMED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "TZDIR")
"""Variables that name files which the code is meant to read."""
