"""Fixtures and rules for all tests: real kernels, real programs, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from py_code_mode import CodeExecutor
from py_code_mode.kernel.template import Holds
from tests import order, turns

ROOT = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"


def pytest_configure(config: pytest.Config) -> None:
    """Several processes may run tests beside each other; a Ctrl-C is heard by what they start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so a shell starts what is to run behind
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.add_cleanup(turns.set_up())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first where several processes share the tests; after pytest's order."""
    if turns.WORKER is not None:
        order.arrange(items)


def pytest_collection_finish() -> None:
    """What thousands of collected tests are made of is not looked through by each collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Wait for a test's turn; before its time begins to run."""
    with turns.turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose outside program is missing; with CI=true it fails instead."""
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                if CI:
                    pytest.fail(f"{program} is not installed, and CI installs everything")
                pytest.skip(f"{program} is not installed")


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """Wait until a condition holds, and fail when it does not within a few seconds."""

    async def wait(condition: Callable[[], object], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            await asyncio.sleep(0.005)

    return wait


@pytest.fixture(scope="session")
def redis_servers(tmp_path_factory) -> Iterator[Callable[[str], Any]]:
    """Real servers by the name of their program, each started when the first test needs it."""
    from tests.redis_servers import Server, running

    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def server(program: str) -> Server:
            if program not in servers:
                folder = tmp_path_factory.mktemp(program)
                servers[program] = stack.enter_context(running(program, folder))
            return servers[program]

        yield server


@pytest.fixture(scope="session")
def session_server(tmp_path_factory) -> Iterator[str]:
    """The address of a session server that asks for the token ``secret`` and has a tool, ``wc``."""
    from tests.serving import serving

    tools = tmp_path_factory.mktemp("tools")
    (tools / "wc.yaml").write_text('name: wc\nargs: "-l {file}"\ndescription: Count lines\n')
    with serving("--tools", str(tools), PY_CODE_MODE_TOKEN="secret") as url:
        yield url


@pytest.fixture(scope="session")
def kept_templates() -> Iterator[Holds]:
    """Templates that stay from test to test, as they do between the sessions of one program."""
    holds = Holds()
    yield holds
    holds.close()


@pytest.fixture
async def make_executor(
    kept_templates: Holds,
) -> AsyncIterator[Callable[..., Awaitable[CodeExecutor]]]:
    """Make executors that are closed when the test ends."""
    made: list[CodeExecutor] = []

    async def make(**options: Any) -> CodeExecutor:
        executor = CodeExecutor(**options)
        made.append(executor)
        return executor

    yield make
    for session in [session for each in made for session in each._settings.sessions.values()]:
        if session._cells.slot.current is not None:
            kept_templates.hold(session._cells.slot.current.template)
    for executor in made:
        await executor.aclose()


@pytest.fixture
async def executor(
    make_executor: Callable[..., Awaitable[CodeExecutor]],
) -> CodeExecutor:
    """An executor with nothing in it."""
    return await make_executor()
