"""Run one program of an installation: bounded in time, reported line by line, never left behind.

Place in the house: bottom of ``environments``.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from py_code_mode import reaper
from py_code_mode.environments.locks import Stopped
from py_code_mode.packages import without_credentials
from py_code_mode.secrets import Secrets

__all__ = ["InstallFailed", "Runner"]

_TAIL_LINES = 30
_LONGEST_LINE = 2_000
_LOOK_AGAIN = 0.2  # seconds between looks at whether somebody still waits

_HOLDS_URLS = ("INDEX", "FIND_LINKS", "PROXY")
_HOLDS_SECRETS = ("PASSWORD", "TOKEN", "SECRET")


class InstallFailed(Exception):  # noqa: N818 - becomes an error of our tree where it is known for what
    """A program of an installation failed; the message has the end of what it printed."""


@dataclass(slots=True)
class Runner:
    """Runs programs one after another, under one time limit.

    Attributes:
        limit: Seconds from now after which whatever runs is killed.
        report: Gets each line they print, without credentials.
        stop: Set when nobody waits any more.
        hold: Descriptor that the programs inherit: a lock that lasts until they end.
        until: Monotonic time of the limit.
    """

    limit: float
    report: Callable[[str], None]
    stop: threading.Event
    hold: int = -1
    until: float = field(init=False)
    _secrets: Secrets = field(default_factory=lambda: Secrets(_credentials(os.environ)))

    def __post_init__(self) -> None:
        self.until = time.monotonic() + self.limit

    def run(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path, *, check: bool = True
    ) -> None:
        """Run a program to its end.

        Args:
            command: The program and its arguments.
            env: Its environment.
            cwd: Its working directory.
            check: Whether an exit code other than 0 is a failure.

        Raises:
            InstallFailed: It cannot be started, failed, or took too long.
            Stopped: ``stop`` was set; it was killed.
        """
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        try:
            process = subprocess.Popen(  # noqa: S603 - the installer
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                pass_fds=[self.hold] if self.hold >= 0 else [],
                start_new_session=True,
            )
        except OSError as error:
            raise InstallFailed(f"{command[0]} cannot be run: {error}") from error
        holder = reaper.acquire()
        holder.watch_group(process.pid)
        try:
            self._follow(process, tail)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            holder.forget_group(process.pid)
            reaper.release()
        if process.returncode and check:
            said = "\n".join(["", *tail])
            raise InstallFailed(f"it exited with code {process.returncode}{said}")

    def _follow(self, process: subprocess.Popen[bytes], tail: deque[str]) -> None:
        """Read what a program prints until it ends, or must."""
        assert process.stdout is not None
        with process.stdout as pipe, selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            rest = b""
            while True:
                if self.stop.is_set():
                    raise Stopped
                left = self.until - time.monotonic()
                if left <= 0:
                    last = "\n".join(tail)
                    raise InstallFailed(f"it took longer than {self.limit:g} s; at last:\n{last}")
                if not selector.select(min(left, _LOOK_AGAIN)):
                    continue
                data = _read(pipe)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines if data else [rest]:
                    self._tell(line, tail)
                if not data:
                    break
            # Its output has ended, so it is about to.
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(1.0, self.until - time.monotonic()))

    def _tell(self, line: bytes, tail: deque[str]) -> None:
        text = line.decode("utf-8", "replace").strip()[:_LONGEST_LINE]
        text = str(self._secrets.redact(without_credentials(text)))
        if text:
            tail.append(text)
            self.report(text)


def _read(pipe: IO[bytes]) -> bytes:
    return os.read(pipe.fileno(), 65_536)


def _credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Secrets that an installer is given in variables, and might print."""
    from urllib.parse import unquote, urlsplit

    found: dict[str, str] = {}
    for name, value in environment.items():
        upper = name.upper()
        if upper.startswith("UV_INDEX_") and upper.endswith(_HOLDS_SECRETS):
            found[name] = value
        if any(part in upper for part in _HOLDS_URLS):
            for number, word in enumerate(value.split()):
                with suppress(ValueError):
                    secret = urlsplit(word).password
                    if secret:
                        found[f"{name}.{number}"] = secret
                        found[f"{name}.{number}.plain"] = unquote(secret)
    return found
