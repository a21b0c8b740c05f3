"""The peer: a plain ipykernel of this interpreter behind a plain jupyter_client.

Everything is as shipped, history included, but for three things that keep the comparison fair
and the machine clean: IPC transport as ours has, a kernelspec that names this very interpreter,
and an IPython directory of its own instead of the user's.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from benchmarks.interrupts import uninterrupted

__all__ = ["PlainKernel", "plain_kernel"]

TIMEOUT = 60.0
"""Seconds anything here may take: a benchmark must not hang."""


class _OwnSpec(KernelSpecManager):
    """Knows one kernelspec, the one this interpreter's ipykernel would install."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return it, whatever the name: a user's ``python3`` may be another interpreter."""
        del kernel_name
        return KernelSpec(**get_kernel_dict())


class PlainKernel:
    """A running plain kernel and its client."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="bench-"))
        self._manager = KernelManager(
            kernel_spec_manager=_OwnSpec(),
            transport="ipc",
            connection_file=str(self._directory / "kernel.json"),
        )
        self._client: BlockingKernelClient | None = None

    @uninterrupted()
    def start(self) -> None:
        """Start it and wait until it is ready."""
        self._manager.start_kernel(
            env={**os.environ, "IPYTHONDIR": str(self._directory / "ipython")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=TIMEOUT)

    @property
    def client(self) -> BlockingKernelClient:
        """The started client."""
        assert self._client is not None
        return self._client

    @property
    def pid(self) -> int:
        """Process id of the kernel."""
        pid: int = getattr(self._manager.provisioner, "pid")  # noqa: B009 - only local ones have it
        return pid

    def run(self, code: str) -> str:
        """Run a cell as ``execute_interactive`` does; return its result's text, or what it printed.

        Raises:
            RuntimeError: The cell failed.
        """
        texts: list[str] = []
        reply = self.client.execute_interactive(
            code, output_hook=lambda message: _collect(message, texts), timeout=TIMEOUT
        )
        return _checked(reply, texts)

    def answer_inputs(self, code: str, count: int) -> Any:
        """Run a cell that asks ``count`` times for input; answer as fast as can be.

        Returns:
            The cell's result, read as a literal.

        Raises:
            RuntimeError: The cell failed.
        """
        client = self.client
        msg_id = client.execute(code, allow_stdin=True)
        socket, session = client.stdin_channel.socket, client.session
        # A blocking receive that looks at nothing: no poll, no parsing, no signature.
        socket.rcvtimeo = int(TIMEOUT * 1000)
        for _ in range(count):
            socket.recv_multipart()
            session.send(socket, "input_reply", {"value": "x"})
        texts: list[str] = []
        while not _is_idle(message := client.get_iopub_msg(timeout=TIMEOUT), msg_id):
            _collect(message, texts)
        return ast.literal_eval(_checked(client.get_shell_msg(timeout=TIMEOUT), texts))

    @uninterrupted()
    def close(self) -> None:
        """Kill it and remove everything that was its."""
        if self._client is not None:
            self._client.stop_channels()
        if self._manager.has_kernel:
            self._manager.shutdown_kernel(now=True)
        else:
            self._manager.cleanup_resources()
        shutil.rmtree(self._directory, ignore_errors=True)


@contextmanager
def plain_kernel() -> Iterator[PlainKernel]:
    """Start a plain kernel, and end it."""
    kernel = PlainKernel()
    try:
        kernel.start()
        yield kernel
    finally:
        kernel.close()


def _collect(message: Mapping[str, Any], texts: list[str]) -> None:
    content = message["content"]
    if message["msg_type"] == "execute_result":
        texts.append(content["data"]["text/plain"])
    elif message["msg_type"] == "stream":
        texts.append(content["text"])


def _is_idle(message: Mapping[str, Any], msg_id: str) -> bool:
    ours: bool = message["parent_header"].get("msg_id") == msg_id
    return ours and message["content"].get("execution_state") == "idle"


def _checked(reply: Mapping[str, Any], texts: list[str]) -> str:
    content = reply["content"]
    if content["status"] != "ok":
        raise RuntimeError(f"the plain kernel's cell failed: {content.get('evalue', content)}")
    return "".join(texts)
