"""A real session server in a process of its own, as ``py-code-mode serve`` starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LISTENING = re.compile(r"listening on (http://\S+)")


@contextmanager
def serving(*flags: str, **environment: str) -> Iterator[str]:
    """Run a session server; yield its address."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PY_CODE_MODE_")}
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "stderr"
        with told.open("wb") as stderr:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "py_code_mode", "serve"),
                    *("--state", folder),
                    *(flags if "--port" in flags else ("--port", "0", *flags)),
                ],
                env={**clean, **environment},
                stderr=stderr,
            )
        try:
            yield _address(process, told)
        finally:
            process.terminate()
            process.wait(30)


def _address(process: subprocess.Popen[bytes], told: Path) -> str:
    """Wait until the server says where it is."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if found := _LISTENING.search(told.read_text()):
            return found[1]
        assert process.poll() is None, f"the server ended: {told.read_text()}"
        time.sleep(0.01)
    raise AssertionError(f"the server does not start: {told.read_text()}")
