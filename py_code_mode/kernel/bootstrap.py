"""The command that runs the bootstrap, in this interpreter or another.

Place in the house: bottom of ``kernel``, below ``launch``. Another interpreter gets the
bootstrap as a zip of itself: one for this program, in a private directory, gone with it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import kernel_bootstrap.wire
from py_code_mode import reaper
from py_code_mode.kernel.homes import reachable_root

__all__ = ["absolute_scripts", "bootstrap_command", "preload_arguments"]

_BOOTSTRAP = Path(kernel_bootstrap.wire.__file__).parent.parent
_MAIN = "from kernel_bootstrap.__main__ import main\nmain()\n"


def bootstrap_command(python: str | Path | None) -> list[str]:
    """Return the command that starts the bootstrap, without its arguments.

    Args:
        python: Interpreter, a path or a name to look up; None: this one.

    Raises:
        FileNotFoundError: There is no such program.
    """
    if python is None:
        return [sys.executable, "-m", "kernel_bootstrap"]
    found = shutil.which(os.fspath(python))
    if found is None:
        raise FileNotFoundError(
            f"KernelConfig(python={os.fspath(python)!r}) is no interpreter that can be run"
        )
    archive = _archive(os.getpid())
    if not archive.is_file():  # what cleans temporary folders up knows nothing of programs
        _archive.cache_clear()
        archive = _archive(os.getpid())
    return [found, str(archive)]


def absolute_scripts(preload: Sequence[str]) -> list[str]:
    """Make the paths of scripts absolute: a template has a working directory of its own."""
    return [str(Path(item).resolve()) if item.endswith(".py") else item for item in preload]


def preload_arguments(preload: Sequence[str]) -> list[str]:
    """Return the bootstrap's arguments for what is to be done before the agent's code."""
    return [word for item in preload for word in ("--preload", item)]


@functools.cache
def _archive(pid: int) -> Path:
    """Make the zip; ``pid`` keeps a forked program from using its parent's."""
    del pid
    directory = Path(tempfile.mkdtemp(prefix="pcm-bootstrap-", dir=reachable_root()))
    directory.chmod(0o755)  # no secret; kernels may run as another user
    reaper.acquire().watch_directory(directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    archive = directory / "kernel_bootstrap.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("__main__.py", _MAIN)
        for source in sorted(_BOOTSTRAP.rglob("*.py")):
            bundle.write(source, f"kernel_bootstrap/{source.relative_to(_BOOTSTRAP).as_posix()}")
    return archive
