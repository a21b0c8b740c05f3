"""Which peers of a server in a container are the machine that the container runs on.

Place in the house: inside ``server``, at its bottom; it knows Linux and nothing of ours.

A published port reaches a container in one of two ways. What comes from other machines is routed,
and keeps the address it has. What comes from the machine itself goes through a proxy or is
masqueraded, and so comes from the machine's end of the container's network: the default gateway
(Docker, and Podman as root), or the container's own address (Podman without root). This keeps
honest mistakes in, and neighbours of the network out; it is no lock: engines that send
everything through a proxy (Docker Desktop; IPv6 on a network that has none) make all look alike.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

__all__ = ["container_peers"]

_GATEWAY = 0x2
"""The flag of a route that leads over a gateway (RTF_GATEWAY)."""


def container_peers(*, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> frozenset[str]:
    """Return the addresses by which the machine shows up in this container's network.

    None are returned where that cannot be told: outside a network of a container's own (there the
    gateway is a router), and in Kubernetes, where all the world comes through the node.

    Args:
        proc: Where the routes are read, in ``net/route``.
        sys: Where the interfaces are read, in ``class/net``.
    """
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return frozenset()
    try:
        lines = (proc / "net" / "route").read_text(encoding="ascii").splitlines()[1:]
        routes = [line.split() for line in lines]
        found = {
            _address(gateway)
            for interface, target, gateway, flags, *_ in routes
            if target == "00000000" and int(flags, 16) & _GATEWAY and _is_pair(sys, interface)
        }
    except (OSError, ValueError):  # not Linux, or not as Linux was when this was written
        return frozenset()
    return frozenset(found)


def _address(word: str) -> str:
    # The kernel prints the four bytes as one number in the machine's own order.
    return socket.inet_ntoa(struct.pack("=I", int(word, 16)))


def _is_pair(sys: Path, interface: str) -> bool:
    """Whether an interface is one end of a virtual cable (veth), the other end on the machine.

    Its peer has another number; a real card has none. macvlan and ipvlan have one, too, but are
    on the card's own network; they have a type, and a cable has none.
    """
    folder = sys / "class" / "net" / interface
    number, peer = (int((folder / name).read_text()) for name in ("ifindex", "iflink"))
    return number != peer and "DEVTYPE=" not in (folder / "uevent").read_text()
