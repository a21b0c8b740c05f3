"""A hostile kernel: whatever it sends, the host stays up, bounded and correct.

Each attack is a cell of one session whose kernel is ``kernel.py``. Afterwards that session goes on, or
says what happened; another session of the same executor, with a real kernel, is served meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
from pathlib import Path

import psutil
import pytest

from py_code_mode import CodeExecutor, FileArtifactStore, KernelConfig, Limits, ToolRegistry
from py_code_mode.errors import CodeModeError
from py_code_mode.kernel import launch
from tests.hostile.kernel import ATTACKS

HERE = Path(__file__).parent
MIB = 2**20

ASKING = {"tools_of_another_scope", "odd_requests", "artifact_names"}
FLOODS = {name for name in ATTACKS if name.startswith(("flood", "enormous", "deep"))}


@pytest.fixture
def registry():
    """A tool for everybody and one that is out of scope."""
    made = ToolRegistry()

    @made.tool(tags=["open"])
    def allowed(x: str = "") -> str:
        """Answer."""
        return x

    @made.tool(tags=["closed"])
    def hidden() -> str:
        """Never to be called here."""
        pytest.fail("a tool out of scope was called")

    return made.scoped_view(["open"])


@pytest.fixture
async def sessions(monkeypatch, registry, tmp_path):
    """A session with a hostile kernel, and one with a real kernel, of executors that share all."""
    store = FileArtifactStore(tmp_path / "artifacts")
    limits = Limits(outputs_bytes=8 * MIB, output_bytes=4 * MIB)
    config = KernelConfig(provisioner="py-code-mode-local")
    async with (
        CodeExecutor(registry, artifact_store=store) as real,
        CodeExecutor(registry, artifact_store=store, kernel=config, limits=limits) as hostile,
    ):
        await real.start()
        command = [sys.executable, str(HERE / "kernel.py")]
        with monkeypatch.context() as patch:
            patch.setattr(launch, "bootstrap_command", lambda python: command)
            await hostile.start()
        yield hostile, real


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - ASKING - {"in_the_name_of_another_cell"}))
async def test_the_host_stays_up(sessions, name, caplog):
    """The cell ends, the next one is right, other sessions are served, and memory is bounded."""
    hostile, real = sessions
    caplog.set_level(logging.CRITICAL)
    errors = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    assert (await hostile.run("before")).stdout == "before"
    gc.collect()
    before = psutil.Process().memory_info().rss
    result, answer = await asyncio.gather(hostile.run(name, timeout=30), real.run("sum(range(10))"))
    assert answer.value == 45
    assert "FORGED" not in result.text
    assert len(result.text) < 16 * MIB
    json.dumps(result.to_dict())
    del result
    gc.collect()
    assert psutil.Process().memory_info().rss - before < 700 * MIB
    after = await hostile.run("after")
    assert after.stdout.endswith("after") or after.error is not None
    assert (await real.run("1 + 1")).value == 2
    assert errors == []


@pytest.mark.timeout(60)
async def test_nothing_is_said_in_the_name_of_others(sessions, eventually):
    """Messages with another cell's or session's ids reach neither it nor anybody."""
    hostile, real = sessions
    other = asyncio.create_task(real.run("import time; time.sleep(1); print('mine')"))
    await eventually(lambda: real.default._cells.slot.current._executions)
    (known,) = real.default._cells.slot.current._executions
    await hostile.run(f"in_the_name_of_another_cell {known}", timeout=20)
    answer = await other
    assert (answer.stdout, answer.error) == ("mine\n", None)
    assert "FORGED" not in answer.text


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(ASKING))
async def test_what_may_not_be_asked_is_refused(sessions, name, tmp_path):
    """Tools out of scope, malformed requests and names of artifacts that lead elsewhere fail."""
    hostile, _ = sessions
    result = await hostile.run(name, timeout=30)
    told = json.loads(result.stdout)
    if name == "artifact_names":  # some odd names are names; none leads out of the folder
        assert told.count("value") <= 6
    else:
        assert "value" not in told
    assert len(told) >= 8
    outside = [each for each in tmp_path.rglob("*") if "escaped" in each.name]
    assert outside == []
    assert not Path("/etc/passwd.tmp").exists()


async def test_script_of_a_kernel_is_not_run_where_a_result_is_shown(sessions):
    """A result shows itself in a notebook, and as a page, without what could run."""
    hostile, _ = sessions
    result = await hostile.run("script_in_displays", timeout=30)
    page = result._repr_mimebundle_()["text/html"]
    assert "alert(1)" in page
    assert "<script" not in page


@pytest.mark.timeout(60)
async def test_a_kernel_that_never_comes_up_is_given_up(monkeypatch, registry, tmp_path):
    """A process that says nothing ends in an error that says so, in the time it was given."""
    silent = tmp_path / "silent.py"
    silent.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(launch, "bootstrap_command", lambda python: [sys.executable, str(silent)])
    config = KernelConfig(provisioner="py-code-mode-local", start_timeout=1.0)
    async with CodeExecutor(registry, kernel=config) as executor:
        with pytest.raises(CodeModeError, match=r"not ready after 1\.0 s"):
            await executor.run("1")
