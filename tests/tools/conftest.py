"""What the tests of the tools share."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from py_code_mode.tools import CLIAdapter

MakeCLI = Callable[..., CLIAdapter]


@pytest.fixture
async def cli() -> AsyncIterator[MakeCLI]:
    """Make command tools that are closed after the test."""
    made: list[CLIAdapter] = []

    def make(name: str = "tool", **settings) -> CLIAdapter:
        made.append(CLIAdapter(name, **settings))
        return made[-1]

    yield make
    for adapter in made:
        await adapter.aclose()


@pytest.fixture
async def python(cli: MakeCLI, tmp_path: Path) -> Callable[..., CLIAdapter]:
    """Make a command tool out of a Python program."""

    def make(program: str, args: str = "", **settings) -> CLIAdapter:
        file = tmp_path / "program.py"
        file.write_text(textwrap.dedent(program))
        return cli("tool", command=sys.executable, args=f"-S '{file}' {args}", **settings)

    return make


def is_running(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(name="is_running")
def _is_running() -> Callable[[int], bool]:
    return is_running
