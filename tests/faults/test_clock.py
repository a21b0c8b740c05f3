"""The clock jumps, by days, forth and back: limits, order and what is kept do not mind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.serving import serving

pytestmark = pytest.mark.needs("faketime")

FAKED = ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE", "DONT_FAKE_MONOTONIC")

AGENT = """
import asyncio, json, os, sys, time
from pathlib import Path
from py_code_mode import CodeExecutor, FileArtifactStore, FileSkillStore, KernelConfig
from py_code_mode import create_skill_library

CELL = "import asyncio, time\\nbegan = time.time()\\nawait asyncio.sleep(0.6)\\ntime.time() - began"

def jump(offset):
    Path(os.environ["FAKETIME_TIMESTAMP_FILE"]).write_text(offset + "\\n")

async def main(folder, faked):
    said = []
    store = FileArtifactStore(folder / "artifacts")
    skills = create_skill_library(FileSkillStore(folder / "skills"))
    kernel = KernelConfig(pass_env=faked)
    async with CodeExecutor(None, skills, store, kernel=kernel) as executor:
        await executor.run("artifacts.save('kept', 1)\\n" + CELL)
        for offset in ("+3d", "-3d", "+0"):
            run = asyncio.create_task(executor.run(CELL, timeout=5))
            await asyncio.sleep(0.2)
            jump(offset)
            result = await run
            saved = await executor.run(
                "artifacts.save('kept', artifacts.load('kept') + 1)\\n"
                "artifacts.save('short', 1, ttl=3600)\\n"
                "skills.create('now', 'def run():\\\\n    return 1\\\\n', 'Now', replace=True)\\n"
                "artifacts.load('kept'), skills.now(), artifacts.load('short')"
            )
            branch = await executor.default.fork()
            forked = (await branch.run("artifacts.load('kept')")).value
            await branch.aclose()
            late = await executor.run("while True: pass", timeout=0.5)
            said.append({
                "error": str(result.error), "seconds": result.seconds, "value": result.value,
                "saved": saved.value, "saved_error": str(saved.error), "forked": forked,
                "late": late.error.name, "late_seconds": late.seconds,
            })
        cells = executor.transcript.cells
    print(json.dumps({"said": said, "cells": len(cells)}))

asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
"""


@pytest.fixture
def clock(tmp_path: Path) -> dict[str, str]:
    """The environment of a program whose clock goes by a file."""
    told = tmp_path / "offset"
    told.write_text("+0\n")
    found = subprocess.run(
        ["faketime", "-f", "+0", "env"], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    library = dict(line.split("=", 1) for line in found.splitlines() if "=" in line)["LD_PRELOAD"]
    return dict(zip(FAKED, (library, str(told), "1", "1"), strict=True))


def test_an_agent_through_jumps_of_the_clock(clock, tmp_path):
    """Cells are not broken by it, seconds are those that passed, saved things are the newest."""
    script = tmp_path / "agent.py"
    script.write_text(AGENT)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), *FAKED],
        capture_output=True,
        text=True,
        env={**os.environ, **clock},
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["said"]) == 3
    for number, said in enumerate(told["said"]):
        assert (said["error"], said["saved_error"]) == ("None", "None")
        assert abs(said["value"]) > 86_400  # the kernel's clock jumped as well
        assert 0.5 < said["seconds"] < 5
        assert said["saved"] == [number + 2, 1, 1]
        assert said["forked"] == number + 2
        assert said["late"] == "ExecutionTimeout"
        assert 0.4 < said["late_seconds"] < 5
    assert told["cells"] == 10


def test_sessions_of_a_server_outlive_a_jump_of_its_clock(clock, tmp_path):
    """They end when nobody has used them for the time they have, whatever the clock says."""
    idle = 4.0
    with (
        serving(f"--idle-seconds={idle}", PY_CODE_MODE_TOKEN="secret", **clock) as url,
        httpx.Client(base_url=url, headers={"Authorization": "Bearer secret"}) as client,
    ):
        made = client.post("/sessions", json={}).json()["id"]
        client.post(f"/sessions/{made}/execute", json={"code": "x = 1"}, timeout=60)
        began = time.monotonic()
        Path(clock["FAKETIME_TIMESTAMP_FILE"]).write_text("+30d\n")

        def ids() -> list[str]:
            return [each["id"] for each in client.get("/sessions").json()["sessions"]]

        # Its server looks for idle sessions four times in the time they have.
        _until(lambda: time.monotonic() - began > idle * 0.6 or made not in ids())
        assert made in ids()
        _until(lambda: made not in ids())
        assert time.monotonic() - began >= idle


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)
