"""A Ray cluster of hosts that are network namespaces, joined by a bridge.

The head is beside the tests and has no CPUs, so that no kernel comes there; each further host has
an address, a file system for temporary files and Ray processes of its own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.conftest import ROOT

RAY = Path(sys.executable).parent / "ray"
MARK = "PY_CODE_MODE_TEST_CLUSTER"
START_SECONDS = 90
ATTEMPTS = 3
"""Ray gives a node's agent 15 seconds to come up, which a machine with much to do may need."""


def run(*command: str) -> str:
    """Run a program that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@dataclass
class Node:
    """A host of the cluster."""

    name: str
    ip: str
    folder: Path
    is_dead: bool = False

    def pids(self) -> list[int]:
        """All processes in it."""
        return [int(pid) for pid in run("ip", "netns", "pids", self.name).split()]

    def ours(self) -> list[str]:
        """Command lines of processes that the library has started in it, and of its host actor."""
        found = []
        for pid in self.pids():
            with suppress(psutil.Error):
                words = " ".join(psutil.Process(pid).cmdline())
                if any(each in words for each in ("kernel_bootstrap", "reaping.py", "NodeHost")):
                    found.append(words)
        return found

    def files(self) -> list[str]:
        """What the library has left in its temporary directory."""
        return [path.name for path in (self.folder / "tmp").glob("pcm*")]

    def kernels(self) -> list[str]:
        """Private directories of kernels; they go when those have ended."""
        return [name for name in self.files() if not name.startswith("pcm-template-")]

    def kill(self) -> None:
        """End it as a power cut does."""
        self.is_dead = True
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class Cluster:
    """A running cluster."""

    address: str
    env: dict[str, str]
    folder: Path
    all_nodes: list[Node] = field(default_factory=list)

    @property
    def nodes(self) -> list[Node]:
        """Those that live."""
        return [node for node in self.all_nodes if not node.is_dead]


@contextmanager
def cluster(count: int) -> Iterator[Cluster]:
    """Start a cluster of so many hosts beside the head; nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="pray-", dir="/tmp"))  # Ray's sockets need a short path
    number = os.getpid() % 250 + 1
    bridge, net = f"pcmb{number}", f"10.231.{number}"
    made = Cluster("", _environment(folder), folder)
    try:
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "addr", "add", f"{net}.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        made.address = _start_head(made, f"{net}.1")
        for n in range(1, count + 1):
            node = Node(f"pcm{number}n{n}", f"{net}.{10 + n}", folder / str(n))
            _join_bridge(node, bridge, f"pcmv{number}n{n}")
            made.all_nodes.append(node)
            _start_node(made, node)
        yield made
    finally:
        for node in made.all_nodes:
            node.kill()
        _kill_marked(str(folder))
        for node in made.all_nodes:
            subprocess.run(["ip", "netns", "del", node.name], check=False)
        subprocess.run(["ip", "link", "del", bridge], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        MARK: str(folder),
        "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # A node that was killed is known to be dead after three seconds, not after fifteen.
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
    }


def _start(made: Cluster, before: list[str], folder: Path, *arguments: str) -> None:
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    command = [*before, str(RAY), "start", *arguments, f"--temp-dir={folder}"]
    command += ["--object-store-memory=80000000", "--disable-usage-stats"]
    command += ["--include-log-monitor=false"]
    env = {**made.env, "TMPDIR": str(folder / "tmp")}
    log = folder / "start.txt"
    with log.open("wb") as output:
        done = subprocess.run(
            command,
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=START_SECONDS,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(log.read_text()[-3_000:])


def _start_head(made: Cluster, ip: str) -> str:
    last = RuntimeError()
    for _ in range(ATTEMPTS):
        port, *others = _free_ports(5)
        try:
            _start(
                made,
                [],
                made.folder / "h",
                *("--head", f"--node-ip-address={ip}", f"--port={port}", "--num-cpus=0"),
                *("--include-dashboard=false", "--min-worker-port=0", "--max-worker-port=0"),
                *_agents(*others),
            )
        except RuntimeError as error:
            last = error
            _kill_marked(str(made.folder))
            continue
        return f"{ip}:{port}"
    raise last


def _start_node(made: Cluster, node: Node) -> None:
    last = RuntimeError()
    for _ in range(ATTEMPTS):
        try:
            _start(
                made,
                ["ip", "netns", "exec", node.name],
                node.folder,
                *(f"--address={made.address}", f"--node-ip-address={node.ip}", "--num-cpus=4"),
                *_agents(6411, 6412, 6413, 6414),
            )
        except RuntimeError as error:
            last = error
            node.kill()
            node.is_dead = False
            continue
        return
    raise last


def _agents(listen: int, grpc: int, environment: int, metrics: int) -> list[str]:
    """Options by which Ray need not wait until its agents have told their ports."""
    return [
        f"--dashboard-agent-listen-port={listen}",
        f"--dashboard-agent-grpc-port={grpc}",
        f"--runtime-env-agent-port={environment}",
        f"--metrics-export-port={metrics}",
    ]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _join_bridge(node: Node, bridge: str, link: str) -> None:
    run("ip", "netns", "add", node.name)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", node.name)
    run("ip", "link", "set", link, "master", bridge, "up")
    run("ip", "-n", node.name, "addr", "add", f"{node.ip}/24", "dev", "eth0")
    for device in ("eth0", "lo"):
        run("ip", "-n", node.name, "link", "set", device, "up")


def _kill_marked(folder: str) -> None:
    """End all processes of the cluster, wherever they are, and wait for their end."""
    until = time.monotonic() + 20
    while True:
        left = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                # Those that give themselves a title write over their environment.
                marked = process.environ().get(MARK) == folder
                if process.pid != os.getpid() and (marked or process.cwd().startswith(folder)):
                    process.kill()
                    left.append(process)
        if not left:
            return
        psutil.wait_procs(left, timeout=1)
        assert time.monotonic() < until, f"left behind: {left}"
