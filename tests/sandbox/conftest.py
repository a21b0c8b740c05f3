"""Kernels at each level of confinement, and things outside for their code to go for."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from py_code_mode.sandbox import Sandbox, choose_level
from py_code_mode.sandbox.bubblewrap import bwrap_missing
from py_code_mode.sandbox.gvisor import gvisor_missing
from tests.conftest import CI, ROOT

LEVELS = ("none", "landlock", "bwrap", "gvisor")


@pytest.fixture(scope="session")
def open_python() -> Iterator[str | None]:
    """An interpreter that anybody can run; None, where this one will do.

    Root's kernels run as nobody in bubblewrap, and the checkout may be where nobody can look.
    """
    if os.geteuid() != 0:
        yield None
        return
    made = ROOT / ".venv-sandbox"
    if not (made / ".ready").exists():
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="pcm-open-", dir="/var/tmp"))
    folder.chmod(0o755)
    shutil.copytree(made, folder / "venv", symlinks=True)
    yield str(folder / "venv" / "bin" / "python")
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def can_confine(open_python):
    """Skip a test of a level that this machine does not have; with CI=true it fails instead."""

    def check(level: str) -> None:
        missing = ""
        if level == "bwrap":
            missing = bwrap_missing(open_python or sys.executable)
        elif level == "gvisor":
            missing = gvisor_missing(open_python or sys.executable)
        elif level == "landlock":
            missing = str(choose_level(Sandbox(level="auto"), "python"))
            missing = missing if missing.startswith("none") else ""
        if missing and level == "gvisor" and shutil.which("runsc"):
            pytest.skip(missing)  # not every machine lets it trace: that is no program to install
        if missing:
            (pytest.fail if CI else pytest.skip)(missing)

    return check
