"""Which hosts and addresses a request may reach when an argument can change its url.

Place in the house: ``tools.http``; knows no httpx.
"""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence

__all__ = ["Resolve", "is_public", "matches", "resolve"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, as ``resolve`` does."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_V4_BITS = 0xFFFFFFFF


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet.

    Args:
        address: As text. IPv6 addresses that carry an IPv4 one are judged by that, too.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner: list[ipaddress.IPv4Address | None] = []
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & _V4_BITS))
        if int(ip) >> 32 == 0:  # `::a.b.c.d`, and `::1` with it
            return False
        if ip.is_site_local:
            return False
    carried = [each for each in inner if each is not None]
    if carried:
        return all(_is_open(each) for each in carried)
    return _is_open(ip)


def _is_open(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host.

    Raises:
        OSError: It has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def matches(host: str, patterns: Collection[str]) -> bool:
    """Whether a host is one of ``patterns``: names, or globs such as ``*.example.com``."""
    host = host.lower().rstrip(".")
    return any(fnmatch.fnmatchcase(host, pattern.lower()) for pattern in patterns)
