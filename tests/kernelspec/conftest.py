"""A project, our kernelspec in a place of its own, and a front end that knows nothing of us."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import psutil
import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from py_code_mode.kernelspec import specs
from tests.bootstrap.fakes import eventually

READY_SECONDS = 60

SLOW = """\
name: slow
command: sleep
args: "{seconds}"
description: Wait
"""

COUNT = '"""Count the words of a text."""\n\n\ndef run(text: str) -> int:\n    return len(text.split())\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two tools, a skill and artifacts, and a folder for notebooks in it."""
    (tmp_path / "my_tools").mkdir()
    (tmp_path / "my_tools" / "wc.yaml").write_text(
        'name: wc\nargs: "-w {file}"\ndescription: Count the words of a file\n'
    )
    (tmp_path / "my_tools" / "slow.yaml").write_text(SLOW)
    (tmp_path / "my_skills").mkdir()
    (tmp_path / "my_skills" / "count.py").write_text(COUNT)
    (tmp_path / "py-code-mode.toml").write_text(
        'tools = "my_tools"\nskills = "my_skills"\nartifacts = "data"\n[kernel]\nenv = {MODE = "demo"}\n'
    )
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "words.txt").write_text("one two three\n")
    return tmp_path


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> specs.Kernelspec:
    """Our kernelspec, installed where only this test's Jupyter looks."""
    prefix = tmp_path / "prefix"
    for name in ("TOOLS", "SKILLS", "ARTIFACTS", "REDIS", "CONFIG"):
        monkeypatch.delenv(f"PY_CODE_MODE_{name}", raising=False)
    monkeypatch.setenv("JUPYTER_PATH", str(prefix / "share" / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return specs.write(prefix=prefix)


@dataclass
class Shown:
    """What a cell showed.

    Attributes:
        reply: Content of its reply.
        messages: Type and content of what came on iopub.
    """

    reply: dict[str, Any]
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def text(self, name: str = "stdout") -> str:
        return "".join(
            content["text"]
            for kind, content in self.messages
            if kind == "stream" and content["name"] == name
        )

    @property
    def value(self) -> str:
        return next(
            content["data"]["text/plain"]
            for kind, content in self.messages
            if kind == "execute_result"
        )


class FrontEnd:
    """A front end as VS Code is one: it writes the connection file, and starts the argv.

    Args:
        folder: Where the notebook lies, and the connection file.
        transport: ``tcp`` or ``ipc``.
        parent: Number of the process that the host is told is the front end's.
    """

    def __init__(self, folder: Path, transport: str = "tcp", parent: int | None = None) -> None:
        name = f"kernel-{uuid.uuid4().hex[:8]}"
        ip = str(folder / name) if transport == "ipc" else ""
        self.file, _ = write_connection_file(
            str(folder / f"{name}.json"),
            transport=transport,
            ip=ip,
            key=uuid.uuid4().bytes.hex().encode(),
        )
        self.argv = [sys.executable, "-m", "py_code_mode.kernelspec", "-f", self.file]
        self.folder = folder
        told = {} if parent is None else {"JPY_PARENT_PID": str(parent)}
        self.env = {**os.environ, **told}
        self.start()

    def start(self) -> None:
        self.log = self.folder / "host.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, cwd=self.folder, stderr=log, stdout=log, env=self.env
            )
        self.client = BlockingKernelClient(connection_file=self.file)
        self.client.load_connection_file()
        self.client.start_channels()

    def ready(self) -> None:
        """Wait as a front end does: for an answer on shell, and for iopub."""
        self.client.kernel_info(reply=True, timeout=READY_SECONDS)
        self.hears()

    def hears(self) -> None:
        """Wait until iopub is subscribed: it connects apart from shell, and may do so later."""
        eventually(self._hears, READY_SECONDS)

    def _hears(self) -> bool:
        self.client.kernel_info(reply=True, timeout=READY_SECONDS)
        try:
            return bool(self.client.get_iopub_msg(timeout=0.1))
        except Empty:
            return False

    def run(self, code: str, answer: Callable[[], str] | None = None) -> Shown:
        """Run a cell to its end."""
        shown: list[tuple[str, dict[str, Any]]] = []
        reply = self.client.execute_interactive(
            code,
            timeout=READY_SECONDS,
            allow_stdin=answer is not None,
            stdin_hook=None if answer is None else lambda _: self.client.input(answer()),
            output_hook=lambda message: shown.append((message["msg_type"], message["content"])),
        )
        return Shown(reply["content"], shown)

    def ask_control(self, kind: str, **content: Any) -> dict[str, Any]:
        """Send a request on control; return its reply's content."""
        message = self.client.session.msg(kind, content)
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=READY_SECONDS)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])

    def leave(self) -> None:
        self.client.stop_channels()
        self.client.context.term()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended; where nobody reaps orphans, their numbers stay."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def front_end(folder: Path, **options: Any) -> Iterator[FrontEnd]:
    """Start a kernel by hand; it is gone when the block ends."""
    front = FrontEnd(folder, **options)
    try:
        yield front
    finally:
        front.leave()
        sys.stderr.write(front.log.read_text())  # shown where a test failed
