"""Confined kernels do not outlive a host that is killed, nor does what their code started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from py_code_mode.sandbox import find_parents

HOST = """
import asyncio, sys
from py_code_mode import CodeExecutor, KernelConfig

CODE = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True).pid"

async def main():
    config = KernelConfig(sandbox=sys.argv[1], python=sys.argv[2] or None)
    result = await CodeExecutor(kernel=config).run(CODE)
    print("up" if result.is_ok else result.text, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def groups_of(pid: int) -> list[Path]:
    """Cgroups of a host's kernels."""
    parents = find_parents().values()
    return [each for parent in parents for each in parent.glob(f"py-code-mode-{pid}-*")]


def inside(groups: list[Path]) -> set[psutil.Process]:
    """Processes in cgroups."""
    pids = {int(word) for each in groups for word in (each / "cgroup.procs").read_text().split()}
    return {psutil.Process(pid) for pid in pids}


def runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.timeout(120)
@pytest.mark.parametrize("level", ["landlock", "bwrap", "gvisor"])
def test_a_killed_host_leaves_nothing(can_confine, open_python, level):
    """No process, also of a session of its own, no folder and no cgroup is left."""
    can_confine(level)
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as short:
        Path(short).chmod(0o711)  # kernels may run as another user
        with subprocess.Popen(
            [sys.executable, "-c", HOST, level, open_python or ""],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": short},
        ) as host:
            assert host.stdout is not None
            assert host.stdout.readline() == "up\n"
            groups = groups_of(host.pid)
            family = {*psutil.Process(host.pid).children(recursive=True), *inside(groups)}
            assert any("sleep" in each.name() for each in family) or level == "gvisor"
            host.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 20
        while left := [
            *filter(runs, family),
            *Path(short).iterdir(),
            *(each for each in groups if each.exists()),
        ]:
            assert time.monotonic() < deadline, left
            time.sleep(0.02)
