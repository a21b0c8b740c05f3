"""Kernels in other interpreters, and every ipykernel whose message routing differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from py_code_mode import KernelConfig, ToolRegistry
from tests.conftest import CI, ROOT

VERSIONS = ("6.30", "7.3", "7.4")


def interpreter(version: str) -> Path:
    """The interpreter that has only this ipykernel; made by ``make test``."""
    python = ROOT / ".venv-kernels" / version / "bin" / "python"
    if not python.exists():
        if CI:
            pytest.fail(f"{python} is missing: make test makes it")
        pytest.skip(f"{python} is missing: make test makes it")
    return python


def double(n: int) -> int:
    """Double a number."""
    return 2 * n


@pytest.fixture(params=VERSIONS)
async def executor(request, make_executor, tmp_path):
    """An executor whose kernel runs in an interpreter that has only ipykernel."""
    registry = ToolRegistry()
    registry.add(double)
    config = KernelConfig(python=interpreter(request.param), cwd=tmp_path)
    return await make_executor(registry=registry, kernel=config)


async def test_only_ipykernel_is_there(executor):
    """The other interpreter has none of our packages, and needs none."""
    result = await executor.run(
        "import importlib.util, sys\n"
        "[name for name in ('py_code_mode', 'pydantic', 'numpy', 'sklearn')"
        " if importlib.util.find_spec(name)], sys.prefix"
    )
    missing, prefix = result.unwrap()
    assert missing == []
    assert ".venv-kernels" in prefix


async def test_the_main_job(executor):
    """State, values, tools, skills and artifacts work there as here."""
    await executor.run("x = 20")
    assert (await executor.run("tools.double(n=x)")).unwrap() == 40
    assert (await executor.run("await tools.double.acall(n=3)")).unwrap() == 6
    created = await executor.run(
        "_ = skills.create('twice', 'def run(n: int): return tools.double(n=n)', 'Double it')\n"
        "skills.twice(n=4), skills.search('double')[0]['name']"
    )
    assert created.unwrap() == (8, "twice")
    assert (
        await executor.run("_ = artifacts.save('d.json', [1]); artifacts.load('d.json')")
    ).unwrap() == [1]
    result = await executor.run(
        "import threading\ngot = []\n"
        "ts = [threading.Thread(target=lambda n=n: got.append(tools.double(n=n))) for n in range(20)]\n"
        "[t.start() for t in ts]; [t.join() for t in ts]; sorted(got)"
    )
    assert result.unwrap() == [2 * n for n in range(20)]


async def test_output_and_errors(executor):
    """Prints, child output, displays and tracebacks work there as here."""
    result = await executor.run("print('a'); import os; _ = os.system('echo b'); display('c')\n1/0")
    assert result.stdout == "a\nb\n"
    assert result.error.name == "ZeroDivisionError"
    assert "'c'" in [output.text for output in result.outputs]
    late = (
        "import threading; go, done = threading.Event(), threading.Event()\n"
        "def f(): go.wait(); print('LATE'); display('LATE'); done.set()\n"
        "threading.Thread(target=f).start()"
    )
    await executor.run(late)
    assert (await executor.run("go.set(); done.wait(); print('mine')")).text == "mine"


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import asyncio; await asyncio.sleep(60)",
        "import asyncio; await asyncio.sleep(0)\nwhile True: pass",
        "tools._link.call('tools.call', name='forever', arguments={})",
    ],
)
async def test_interrupts(executor, code):
    """Limits interrupt sleeping, awaiting and looping code there as here."""
    import asyncio

    async def forever() -> None:
        """Wait."""
        await asyncio.sleep(60)

    executor.registry.add(forever)
    await executor.run("kept = 1")
    result = await executor.run(code, timeout=0.5)
    assert result.error.name == "ExecutionTimeout"
    assert not result.state_lost
    assert (await executor.run("kept")).unwrap() == 1


async def test_bursts(executor):
    """A burst beyond iopub's high-water mark loses nothing there either."""
    result = await executor.run(
        "fs = [tools._link.request('tools.call', name='double', arguments={'n': n}) for n in range(3000)]\n"
        "sum(f.result() for f in fs)",
        timeout=60,
    )
    assert result.unwrap() == sum(2 * n for n in range(3000))
