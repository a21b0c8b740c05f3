"""This program's connection to a Ray cluster, and what Ray's errors are among ours.

Place in the house: inside ``cluster``; here alone Ray is imported and begun.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py_code_mode.errors import CodeModeError, ConfigError, PlacementError
from py_code_mode.placement import Ray

__all__ = ["NAMESPACE", "connect", "disconnect", "load_ray", "translated"]

NAMESPACE = "py-code-mode"

REACH_SECONDS = 10.0
"""For the cluster's head to take a connection."""

MOST_TOLD = 2_000
"""Characters of what Ray says; it likes to say all it knows."""

_lock = threading.Lock()
_users = 0
_ours = False
_folder: str | None = None


def load_ray() -> Any:
    """Import Ray.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "KernelConfig(placement=Ray(...)) needs Ray: pip install 'py-code-mode[ray]'"
        ) from error
    return ray


def connect(placement: Ray) -> None:
    """Join a cluster, if this program has not; blocks. ``disconnect`` must follow.

    A program that has joined one itself keeps its connection, and that is used. Working files are
    the program's, for Ray: it copies a folder for all that a program does, not for each actor.

    Raises:
        ConfigError: Ray is not installed, or the program is in another cluster, or has other
            working files there.
        PlacementError: The cluster cannot be reached.
    """
    global _users, _ours, _folder  # noqa: PLW0603 - Ray has one connection a process
    ray = load_ray()
    folder = None if placement.working_dir is None else str(Path(placement.working_dir).absolute())
    with _lock:
        if not ray.is_initialized():
            _join(ray, placement.address, folder)
            _ours, _folder = True, folder
        here = ray.get_runtime_context().gcs_address
        if placement.address not in (None, "auto", here):
            raise ConfigError(
                f"this program is in the Ray cluster at {here}, not in that at "
                f"{placement.address}: a program can be in one alone"
            )
        if folder not in (None, _folder):
            raise ConfigError(
                f"Ray.working_dir={folder!r}: a program has one working_dir in a cluster, and "
                f"this one has joined with {_folder!r}; if it calls ray.init, say it there"
            )
        _users += 1


def _join(ray: Any, address: str | None, folder: str | None) -> None:
    # Else Ray warns that a future release will no longer hide accelerators from actors.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with translated(f"the Ray cluster at {address or 'this machine'} cannot be reached"):
        if address not in (None, "auto"):
            # Ray itself goes on trying for minutes.
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), REACH_SECONDS).close()
        with _quiet():
            ray.init(
                address=address or "auto",
                namespace=NAMESPACE,
                log_to_driver=False,
                configure_logging=False,
                runtime_env=None if folder is None else {"working_dir": folder},
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray from warning that it does not take SIGTERM over: that is as it should be."""
    log = logging.getLogger("ray._private.worker")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def disconnect() -> None:
    """Count one user less; the last one leaves the cluster, if we have joined it; blocks."""
    global _users, _ours, _folder  # noqa: PLW0603 - as above
    with _lock:
        _users -= 1
        if _users <= 0 and _ours:
            _ours, _folder = False, None
            load_ray().shutdown()


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Let no exception of Ray's out.

    Args:
        what: What could not be done, for a person.

    Raises:
        PlacementError: It could not be done.
    """
    ray = load_ray()
    try:
        yield
    except CodeModeError:
        raise
    except ray.exceptions.RuntimeEnvSetupError as error:
        why = _said(error)
        raise PlacementError(
            f"{what}: Ray could not make packages or files ready: {why}"
        ) from error
    # What `ray.init` raises, too: plain errors of Python's.
    except (ray.exceptions.RayError, RuntimeError, OSError, ValueError) as error:
        raise PlacementError(f"{what}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text if len(text) <= MOST_TOLD else f"...{text[-MOST_TOLD:]}"
