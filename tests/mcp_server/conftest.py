"""How the tests start ``py-code-mode-mcp``, as its users do, and reach it with the official client."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

COMMAND = str(Path(sys.executable).parent / "py-code-mode-mcp")

MODES = ("legacy", "auto")
"""The protocol with a handshake, and the one of 2026-07-28, which has none."""

TOOL = 'name: wc\nargs: "-w {file}"\ndescription: Count the words of a file\n'
SKILL = '"""Count words with a tool.\n\nTags: text\n"""\ndef run(file: str) -> int:\n    return int(tools.wc(file=file).split()[0])\n'


def environment(**settings: str) -> dict[str, str]:
    """What a server is started with: nothing of this process but where programs are."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings}


def make_folder(folder: Path) -> Path:
    """Write a tool, a skill and a text."""
    (folder / "tools").mkdir()
    (folder / "tools" / "wc.yaml").write_text(TOOL)
    (folder / "skills").mkdir()
    (folder / "skills" / "count_words.py").write_text(SKILL)
    (folder / "text").write_text("one two three\n")
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    """A working directory with tools and skills."""
    return make_folder(tmp_path)


ARGUMENTS = ("--tools", "./tools", "--skills", "./skills", "--artifacts", "./artifacts")


@dataclass(frozen=True)
class Http:
    """A server that listens.

    Attributes:
        url: Where.
        process: Its process.
        folder: Its working directory.
    """

    url: str
    process: subprocess.Popen[str]
    folder: Path


@contextlib.contextmanager
def listening(
    folder: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> Iterator[Http]:
    """Run a server over HTTP on a free port of loopback."""
    argv = [COMMAND, *ARGUMENTS, "--transport", "http", "--port", "0", *arguments]
    with subprocess.Popen(
        argv, cwd=folder, env=environment(**(settings or {})), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            words = process.stderr.readline().split()
            assert words[-1].startswith("http://127.0.0.1:"), words
            yield Http(words[-1], process, folder)
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def http(tmp_path_factory) -> Iterator[Http]:
    """One server for a module."""
    with listening(make_folder(tmp_path_factory.mktemp("http"))) as server:
        yield server


@contextlib.asynccontextmanager
async def connected(where: Http | Path, mode: str = "auto") -> AsyncIterator[Client]:
    """The official client at a server over HTTP, or at one of its own over stdio."""
    server: Any = where.url if isinstance(where, Http) else stdio_client(parameters(where))
    async with Client(server, mode=mode) as client:
        yield client


def parameters(folder: Path, arguments: Sequence[str] = ARGUMENTS) -> StdioServerParameters:
    """How a client starts a server over stdio."""
    return StdioServerParameters(command=COMMAND, args=[*arguments], cwd=folder, env=environment())
