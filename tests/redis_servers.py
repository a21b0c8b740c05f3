"""Real Redis servers for tests: each started by a test run, on a socket and port of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from tests.conftest import ROOT

# Where `make programs` puts a server that the system's packages do not have.
EXTRA = ROOT / ".venv-valkey"

REDIS = ("redis-server", "valkey-server")


def find_server(program: str) -> str | None:
    """The path of a server's program, None if it is not installed."""
    found = shutil.which(program)
    if found is None:
        found = next(
            map(str, EXTRA.glob(f"lib/python3*/site-packages/*/_binaries/*/{program}")), None
        )
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server that a test may stop, start again and configure.

    Attributes:
        port: Its TCP port on 127.0.0.1.
        socket: Its Unix socket.
        url: Its URL, by TCP.
    """

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self.folder = folder
        # The path of a Unix socket has about a hundred characters at most; pytest's are longer.
        self._private = tempfile.TemporaryDirectory(prefix="redis-")
        self.socket = Path(self._private.name, "socket")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._command = [
            *(program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)),
            *("--unixsocket", str(self.socket), "--save", "", "--logfile", "server.log"),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, cwd=self.folder)
        deadline = time.monotonic() + 20
        while True:
            try:
                with self.client(retry=Retry(NoBackoff(), 0)) as client:
                    if client.ping():
                        return
            except AuthenticationError:  # it is there, and wants a password
                return
            except RedisConnectionError:
                assert self._process.poll() is None, (self.folder / "server.log").read_text()
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.01)

    def stop(self) -> None:
        """Kill it, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def clear(self) -> None:
        """Remove everything, for pages whose prefix is printed."""
        with self.client() as client:
            client.flushall()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def client(self, **options) -> Redis:
        """A client for looking in from outside."""
        return Redis(unix_socket_path=str(self.socket), **options)

    def close(self) -> None:
        self.stop()
        self._private.cleanup()


@contextlib.contextmanager
def running(program: str, folder: Path, *options: str) -> Iterator[Server]:
    """Run a server for the duration of the block; skip the test if it is not installed."""
    found = find_server(program)
    if found is None:
        # Debian has valkey from release 13 on, and for other systems there may be none.
        if os.environ.get("CI") == "true" and program == "redis-server":
            pytest.fail(f"{program} is not installed, and CI installs everything")
        pytest.skip(f"{program} is not installed")
    server = Server(found, folder, *options)
    try:
        yield server
    finally:
        server.close()
