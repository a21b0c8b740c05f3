"""``py-code-mode peek``: a session of another program, from the command line."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture
async def session_id(make_executor, monkeypatch, tmp_path):
    """A session whose cell runs, alone in a temporary directory of its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    executor = await make_executor()
    running = asyncio.create_task(executor.run("import time\nsteps = 3\ntime.sleep(60)"))
    async with asyncio.timeout(30):
        while not (await executor.peek()).stack:
            await asyncio.sleep(0.01)
    yield f"default@{__import__('os').getpid()}"
    await executor.interrupt()
    await running


async def test_what_a_session_does(session_id, cli):
    """It is told as text or as JSON; which session need not be said if there is one."""
    said = await asyncio.to_thread(cli, "peek")
    assert said.code == 0, said.err
    assert "at line 3 of Cell In[1]: time.sleep(60)\n  steps: int = 3" in said.out
    told = (await asyncio.to_thread(cli, "peek", "--json")).json
    assert told["running"] is True
    assert told["stack"][0]["line"] == 3


def test_a_session_that_is_not_there(cli):
    """What there is instead is said."""
    said = cli("peek", "--session", "nobody")
    assert said.code == 1
    assert "there is no live session 'nobody'" in said.err
