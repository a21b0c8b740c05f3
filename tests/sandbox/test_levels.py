"""What each level of confinement stops: each cell of the table in docs/sandbox.md, tried."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from py_code_mode import CodeExecutor, KernelConfig
from py_code_mode.sandbox import Sandbox
from tests.conftest import ROOT
from tests.sandbox import attacks
from tests.sandbox.conftest import LEVELS

BOUNDS = {
    "memory": 400 * 2**20,
    "processes": 40,
    "open_files": 256,
    "file_size": 2**26,
    "cpu_seconds": 2,
}

LETHAL = ("use_much_memory", "use_much_memory_in_many_processes", "start_many_processes")
"""gVisor stops these by the end of the whole kernel, which a cgroup brings."""

ROW = re.compile(r"^\| [^|]+ \| `(\w+)` \|" + r" (yes|no)(?:\[\^\w+\])? \|" * len(LEVELS) + "$")


def table() -> dict[str, dict[str, str]]:
    """Read the documented table: attack -> level -> whether it is stopped."""
    lines = (ROOT / "docs" / "sandbox.md").read_text().splitlines()
    rows = (found for line in lines if (found := ROW.match(line)))
    return {row[1]: dict(zip(LEVELS, row.groups()[1:], strict=True)) for row in rows}


def address_of_machine() -> str:
    """An address of this machine that others could reach; loopback, where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


async def attack(level: str, python: str | None, facts: dict) -> dict[str, str]:
    """Let a session at that level try everything, beside another one."""
    sandbox = Sandbox(level=level, **BOUNDS)
    config = KernelConfig(
        sandbox=sandbox, python=python, cwd=facts["cwd"] if level == "none" else None
    )
    async with CodeExecutor(kernel=config) as executor:
        other = await executor.session("other")
        await other.run("secret = 1")
        directory = other._cells.slot.current.launched.directory
        facts |= {"other": str(directory), "other_socket": next(map(str, directory.glob("s-*")))}
        code = f"{inspect.getsource(attacks)}\nrun_attacks({facts!r}, NAMES)"
        alone = LETHAL if level == "gvisor" else ()
        names = [name for name in attacks.ATTACKS if name not in alone]
        outcomes = (await executor.run(f"NAMES = {names}\n{code}", timeout=100)).unwrap()
        for name in alone:
            session = await executor.session()
            result = await session.run(f"NAMES = {[name]}\n{code}", timeout=60)
            died = result.error is not None and result.error.name == "KernelDied"
            outcomes |= {name: f"refused: {result.error}"} if died else result.unwrap()
            await session.aclose()
        return outcomes


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory, open_python, can_confine):
    """What came of each attack, by level; each level is tried once."""
    known: dict[str, dict[str, str]] = {}

    def of(level: str) -> dict[str, str]:
        if level not in known:
            can_confine(level)
            folder = tmp_path_factory.mktemp(level)
            with ExitStack() as stack:
                facts = lay_out(folder, stack)
                known[level] = asyncio.run(attack(level, open_python, facts))
        return known[level]

    return of


def lay_out(folder: Path, stack: ExitStack) -> dict:
    """Put outside what the code will go for: files, a process, listeners."""
    for name in ("outside", "work"):
        (folder / name).mkdir()
    for name in ("canary", "victim", "deletable"):
        (folder / "outside" / name).write_text("canary")
    bystander = stack.enter_context(subprocess.Popen(["sleep", "600"]))
    stack.callback(bystander.kill)
    tcp = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
    service, abstract = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))
    service.bind(str(folder / "service"))
    name = f"pcm-test-{os.getpid()}-{folder.name}"
    abstract.bind(f"\0{name}")
    for each in (service, abstract):
        each.listen()
    os.environ["PCM_TEST_CANARY"] = "1"
    host = subprocess.Popen(["sleep", "600"])  # with that environment
    stack.enter_context(host)
    stack.callback(host.kill)
    facts = {name: str(folder / "outside" / name) for name in ("canary", "victim", "deletable")}
    facts |= {"outside": str(folder / "outside"), "cwd": str(folder / "work")}
    facts |= {"host": host.pid, "bystander": bystander.pid, "port": tcp.getsockname()[1]}
    facts |= {"service": str(folder / "service"), "abstract": name, "address": address_of_machine()}
    return facts | BOUNDS


CELLS = [(name, level) for name in attacks.ATTACKS for level in LEVELS]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("name", "level"), CELLS)
def test_a_level_stops_what_it_says(name, level, outcomes):
    """Each attack gets through where the table says so, and nowhere else."""
    assert level in table().get(name, {}), f"docs/sandbox.md has no row for {name}"
    expected = "refused" if table()[name][level] == "yes" else "through"
    assert outcomes(level)[name].startswith(expected), outcomes(level)[name]


def test_the_table_has_no_other_rows():
    """Every documented row is an attack that is tried."""
    assert table().keys() == attacks.ATTACKS.keys()
