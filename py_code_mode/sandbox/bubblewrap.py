"""Bubblewrap: a template process, and all kernels that come from it, in namespaces of their own.

Place in the house: inside ``sandbox``. Inside there are no other processes, no network, and no
files but those that are named; each kernel bounds itself within (Landlock, seccomp), so that
kernels of one template are apart from each other as well. Real root is root outside, too: for it
bubblewrap runs as a user that owns nothing.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import kernel_bootstrap.wire
from py_code_mode.sandbox.bounds import Sandbox
from py_code_mode.sandbox.system import SYSTEM

__all__ = ["NOBODY", "bwrap_command", "bwrap_missing", "python_places", "user_of_kernels"]

NOBODY = 65534
"""User and group that own no files, on every system."""

_SECONDS = 30
_PLACES = Path(kernel_bootstrap.wire.__file__).parent.parent / "confine" / "places.py"


def user_of_kernels() -> int | None:
    """Return as which user bubblewrap runs, if not as this one."""
    return NOBODY if os.geteuid() == 0 else None


@functools.lru_cache(maxsize=64)
def python_places(python: str, user: int | None) -> tuple[str, ...]:
    """Ask an interpreter where it and its packages lie, as far as a user can read them.

    Args:
        python: Its path.
        user: See ``user_of_kernels``.

    Raises:
        OSError: It does not answer, or that user cannot run it.
    """
    try:
        done = _run([python, "-P", str(_PLACES)], user, dict(os.environ))
        done.check_returncode()
        return tuple(map(str, json.loads(done.stdout)))
    except (subprocess.SubprocessError, ValueError) as error:
        raise OSError(f"{python} does not say where its packages are: {error}") from error


def _run(
    command: Sequence[str], user: int | None, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - the interpreter of the configuration
        command,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
        env=env,
        cwd=os.sep,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def bwrap_command(sandbox: Sandbox, read: Iterable[str], write: Iterable[str]) -> tuple[str, ...]:
    """Return what stands before a command to run it in namespaces of its own.

    Args:
        sandbox: The bounds.
        read: Files and directories that are there, to be read.
        write: Those to be changed as well.
    """
    shares = ("--share-net",) if sandbox.network == "all" else ()
    return (
        *(shutil.which("bwrap") or "bwrap", "--unshare-all", *shares, "--unshare-user"),
        *("--disable-userns", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108 - one inside
        *_binds("--ro-bind-try", (path for path in read if not path.startswith(_MADE))),
        *_binds("--bind-try", (path for path in write if not path.startswith(_MADE))),
        *("--chdir", "/", "--"),
    )


_MADE = ("/proc/", "/dev/")
"""What is in there is made anew."""


def _binds(option: str, paths: Iterable[str]) -> list[str]:
    """Bind each path where it is; links are followed, and lead to the same place inside."""
    words: list[str] = []
    for path in sorted({*paths}, key=lambda path: path.count(os.sep)):
        if Path(path).is_symlink():
            words += ["--symlink", str(Path(path).readlink()), path]
            path = os.path.realpath(path)  # noqa: PLW2901 - the place it leads to
        words += [option, path, path]
    return words


@functools.lru_cache(maxsize=64)
def bwrap_missing(python: str) -> str:
    """Say why bubblewrap does not work here for an interpreter; empty if it does.

    Args:
        python: Its path.
    """
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    user = user_of_kernels()
    who = "" if user is None else f" as user {user}, whom this program, as root, must run it as"
    try:
        places = python_places(python, user)
        command = bwrap_command(Sandbox(level="none"), (*places, *SYSTEM), ())
        done = _run([*command, python, "-I", "-c", ""], user, {})
    except (OSError, subprocess.SubprocessError) as error:
        return f"bubblewrap cannot run {python}{who}: {error}"
    said = done.stderr.decode("utf-8", "replace").strip()[-300:]
    return "" if done.returncode == 0 else f"bubblewrap cannot run {python}{who}: {said}"
