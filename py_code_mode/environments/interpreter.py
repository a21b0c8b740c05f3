"""Facts about the interpreter that an environment stands on.

Place in the house: bottom of ``environments``.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from py_code_mode.errors import ConfigError

__all__ = ["Interpreter", "interpreter_of"]

_SECONDS = 30
_OLDEST = (3, 11)
_ASK = """
import json, os, platform, sys, sysconfig
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "version": platform.python_version(),
    "implementation": sys.implementation.cache_tag or sys.implementation.name,
    "platform": sysconfig.get_platform(),
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What tells one interpreter from another.

    Attributes:
        executable: The interpreter itself, never one of a virtual environment.
        version: Such as ``"3.11.7"``.
        implementation: Such as ``"cpython-311"``.
        platform: Such as ``"linux-x86_64"``.
    """

    executable: str
    version: str
    implementation: str
    platform: str

    def to_dict(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)


def interpreter_of(python: str | Path | None) -> Interpreter:
    """Ask an interpreter about itself; what it said is remembered until its file changes.

    Args:
        python: A path, or a name to look up; None: this one.

    Raises:
        ConfigError: There is no such program, it is no Python, or too old for kernels.
    """
    import sys

    named = sys.executable if python is None else os.fspath(python)
    found = shutil.which(named)
    if found is None:
        raise ConfigError(f"{named!r} is no interpreter that can be run", key="python")
    answer = _ask(found, os.stat(found).st_mtime_ns)  # noqa: PTH116 - a str from `which`
    if tuple(map(int, answer.version.split(".")[:2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise ConfigError(
            f"{named!r} is Python {answer.version}; kernels need {oldest}", key="python"
        )
    return answer


@functools.lru_cache(maxsize=64)
def _ask(path: str, changed: int) -> Interpreter:
    del changed
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter of the configuration
            [path, "-I", "-c", _ASK], capture_output=True, text=True, timeout=_SECONDS, check=True
        )
        return Interpreter(**json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()[-500:]
        raise ConfigError(
            f"{path!r} does not answer as Python would: {said}", key="python"
        ) from error
