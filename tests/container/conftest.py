"""A real session server for the tests of its client, and what both are compared with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from py_code_mode import CodeExecutor, FileArtifactStore, ToolRegistry, create_skill_library
from py_code_mode.container import SessionClient
from py_code_mode.skills.file import FileSkillStore

TOKEN = "a-token-of-the-tests"
ECHO = "name: echo\nargs: '{text}'\ndescription: Say something\ntags: [talk]\n"
DOUBLE = '"""Double a number."""\n\n\ndef run(n: int) -> int:\n    return 2 * n\n'


def write_workspace(folder: Path) -> None:
    """Write a tool and a skill, and make room for artifacts."""
    for name in ("tools", "skills", "artifacts", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "tools" / "echo.yaml").write_text(ECHO)
    (folder / "skills" / "double.py").write_text(DOUBLE)


class ServerProcess:
    """``py-code-mode serve`` as a process of its own.

    Args:
        folder: Its workspace.
        **settings: Its settings, as its environment has them.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        write_workspace(folder)
        self._folder = folder
        self._settings = {"token": TOKEN, **settings}
        self._log = folder / "log"
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, port: int = 0) -> None:
        """Start it, and wait until it listens."""
        names = ("tools", "skills", "artifacts", "state")
        settings = {name: str(self._folder / name) for name in names} | self._settings
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PY_CODE_MODE_")}
        self._log.write_bytes(b"")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "py_code_mode", "serve", "--port", str(port)],
                stderr=log,
                cwd=self._folder,
                env=inherited | {f"PY_CODE_MODE_{k.upper()}": v for k, v in settings.items()},
            )
        deadline = time.monotonic() + 60
        while (match := re.search(r"listening on (http://\S+)", self._log.read_text())) is None:
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)
        self.url = match[1]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """Kill it as it stands."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self) -> None:
        """Stop it politely, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[ServerProcess]:
    """A server that all tests share."""
    shared = ServerProcess(tmp_path_factory.mktemp("server"))
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture
async def client(server) -> AsyncIterator[SessionClient]:
    """A client of that server."""
    async with SessionClient(server.url, TOKEN) as one:
        yield one


@pytest.fixture(params=["executor", "client"])
async def runner(request, tmp_path, make_executor) -> AsyncIterator[CodeExecutor | SessionClient]:
    """What runs code: here, and on the server; with the same tool and skill."""
    if request.param == "client":
        async with SessionClient(request.getfixturevalue("server").url, TOKEN) as one:
            yield one
        return
    write_workspace(tmp_path)
    yield await make_executor(
        registry=await ToolRegistry.from_dir(tmp_path / "tools"),
        skill_library=create_skill_library(FileSkillStore(tmp_path / "skills")),
        artifact_store=FileArtifactStore(tmp_path / "artifacts"),
    )
