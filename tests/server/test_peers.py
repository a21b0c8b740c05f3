"""Which addresses count as the machine of a container. A real one is in container/test_image."""

from __future__ import annotations

from pathlib import Path

import pytest

from py_code_mode.server.access import Access
from py_code_mode.server.peers import container_peers
from py_code_mode.server.problems import Problem
from py_code_mode.server.settings import ServerSettings

# What a container on a bridge reads; 0100580A is 10.88.0.1 on a machine that is little-endian.
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100580A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000580A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def network(folder: Path, *, peer: int = 6, kind: str = "", routes: str = ROUTES) -> dict:
    """Files as Linux shows them to a container with one interface."""
    card = folder / "sys" / "class" / "net" / "eth0"
    card.mkdir(parents=True)
    (card / "ifindex").write_text("2\n")
    (card / "iflink").write_text(f"{peer}\n")
    (card / "uevent").write_text(f"{kind}INTERFACE=eth0\nIFINDEX=2\n")
    (folder / "proc" / "net").mkdir(parents=True)
    (folder / "proc" / "net" / "route").write_text(routes)
    return {"proc": folder / "proc", "sys": folder / "sys"}


def test_the_gateway_of_a_container_is_its_machine(tmp_path):
    """On a network of its own, the machine shows up as the default gateway."""
    assert container_peers(**network(tmp_path)) == {"10.88.0.1"}


@pytest.mark.parametrize(
    "differs",
    [
        {"peer": 2},  # a real card, as with --network=host: its gateway is a router
        {"kind": "DEVTYPE=macvlan\n"},  # on the card's own network
        {"routes": ROUTES.splitlines()[0] + "\n"},  # --network=none
        {"routes": "head\nnonsense\n"},
    ],
)
def test_other_networks_have_no_such_address(tmp_path, differs):
    """Where the gateway may be somebody else, no address is trusted."""
    assert container_peers(**network(tmp_path, **differs)) == frozenset()


def test_in_kubernetes_nobody_is_trusted(tmp_path, monkeypatch):
    """A node's address there stands for all the world."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert container_peers(**network(tmp_path)) == frozenset()


def test_a_server_without_a_token_serves_the_machine_of_its_container(monkeypatch):
    """Loopback, its own address and the gateway are served; neighbours are refused."""
    monkeypatch.setattr("py_code_mode.server.access.container_peers", lambda: {"10.88.0.1"})
    access = Access(ServerSettings(host="0.0.0.0", allow_anonymous="container"))

    def ask(client: str) -> None:
        scope = {"server": ("10.88.0.2", 8080), "client": (client, 40000)}
        access.check_place(scope, {"host": "localhost:8080"})

    for client in ("127.0.0.1", "10.88.0.2", "10.88.0.1"):
        ask(client)
    for client in ("10.88.0.3", "192.0.2.7"):
        with pytest.raises(Problem, match="needs one"):
            ask(client)
