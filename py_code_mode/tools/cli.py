"""A command of this machine as a tool.

Place in the house: ``tools``, one of the adapters. ``argv`` turns arguments into an argument
vector, ``process`` runs it; here they become a tool, with errors an agent can act on.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from py_code_mode import reaper
from py_code_mode.errors import ConfigError, ToolCallError, ToolNotFoundError, ToolTimeoutError
from py_code_mode.tools.argv import Template
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.names import check_name
from py_code_mode.tools.process import Finished, Process

__all__ = ["CLIAdapter"]

_MESSAGE_TAIL = 2_000  # characters of stderr inside a message; `error.stderr` has all that was kept

# The host's environment holds its secrets; a tool gets what programs need to find their way.
_ENVIRONMENT = frozenset(
    {
        *("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"),
        *("LANG", "LANGUAGE", "LD_LIBRARY_PATH"),
        *("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
    }
)
_PROXIES = frozenset({"all_proxy", "ftp_proxy", "http_proxy", "https_proxy", "no_proxy"})


class CLIAdapter:
    """One command as one tool.

    Args:
        name: Name of the tool.
        command: Program to run, a name on the PATH or a path; the tool's name if not given.
        args: Template of its arguments, see ``argv``.
        description: What it does.
        tags: Labels for scoping.
        timeout: Seconds a call may take.
        allow_options: Placeholders whose plain values may begin with ``-``; True for all.
        max_output: Bytes kept of stdout, and of stderr.

    Raises:
        ConfigError: A value is not acceptable; ``key`` says which.
    """

    def __init__(
        self,
        name: str,
        *,
        command: str | None = None,
        args: str = "",
        description: str = "",
        tags: Collection[str] = (),
        timeout: float = 60.0,
        allow_options: bool | Collection[str] = (),
        max_output: int = 1024 * 1024,
    ) -> None:
        check_name(name)
        if not timeout > 0:
            raise ConfigError(f"timeout must be more than 0 seconds, not {timeout}", key="timeout")
        if max_output < 1:
            raise ConfigError(
                f"max_output must be 1 byte or more, not {max_output}", key="max_output"
            )
        self._template = Template.parse(args, allow_options)
        self._info = ToolInfo(
            name, description.strip(), self._template.params(), frozenset(tags), "str"
        )
        self._command = _check_command(name if command is None else command)
        self._timeout = timeout
        self._max_output = max_output
        self._running: dict[Process, asyncio.Future[None]] = {}
        self._reaper: reaper.Reaper | None = None
        self._is_closed = False

    def tools(self) -> Sequence[ToolInfo]:
        """Return the one tool."""
        return [self._info]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Run the command.

        Returns:
            Its standard output. Bytes that are not UTF-8 survive as lone surrogates; of very
            long output the middle is cut, and a line there says so.

        Raises:
            ToolNotFoundError: The tool has another name.
            ToolCallError: An argument is wrong; the command is not there; it failed
                (``exit_code``, ``stdout``, ``stderr``).
            ToolTimeoutError: It took too long and was killed (``stdout``, ``stderr``).
        """
        if name != self._info.name:
            raise ToolNotFoundError(f"no tool {name!r} here, only {self._info.name!r}")
        if self._is_closed:
            raise ToolCallError(f"tool {name!r} is closed")
        try:
            built = self._template.build(arguments)
        except ToolCallError as error:
            raise ToolCallError(f"tool {name!r}: {error.message}", wrong_arguments=True) from None
        try:
            process = self._start([self._command, *built])
        except ToolCallError as error:
            text = f"tool {name!r}: {error.message}"
            raise ToolCallError(text, **error.details) from error.__cause__
        over = self._running[process] = asyncio.get_running_loop().create_future()
        try:
            return self._judge(await process.wait(self._timeout))
        finally:
            del self._running[process]
            self._release_reaper()
            over.set_result(None)

    async def aclose(self) -> None:
        """Kill what still runs; its calls end with a ``ToolCallError``."""
        self._is_closed = True
        for process in self._running:
            process.stop()
        if self._running:
            await asyncio.wait(list(self._running.values()))
        self._release_reaper()

    def _release_reaper(self) -> None:
        if self._is_closed and not self._running and self._reaper is not None:
            self._reaper = None
            reaper.release()

    def _start(self, argv: list[str]) -> Process:
        if self._reaper is None:
            self._reaper = reaper.acquire()
        try:
            return Process(
                argv, env=_environment(), max_output=self._max_output, reaper=self._reaper
            )
        except OSError as error:
            raise ToolCallError(self._explain_start(argv, error), errno=error.errno) from error

    def _explain_start(self, argv: list[str], error: OSError) -> str:
        command = repr(self._command)
        if error.errno == errno.ENOENT and Path(self._command).exists():
            return f"command {command} needs an interpreter that is not there; see its first line"
        if error.errno == errno.ENOENT:
            return f"command {command} is not installed or not on PATH"
        if error.errno == errno.E2BIG:
            size = sum(len(os.fsencode(text)) + 1 for text in argv)
            return f"the arguments of {command} are too long: {size} bytes in {len(argv)} arguments"
        return f"command {command} could not be started: {error.strerror}"

    def _judge(self, finished: Finished) -> str:
        """Return the output, or raise what went wrong."""
        code, details = finished.exit_code, {"stdout": finished.stdout, "stderr": finished.stderr}
        who = f"tool {self._info.name!r}"
        if not finished.is_complete and self._is_closed:
            raise ToolCallError(f"{who} was closed while it ran", **details)
        if not finished.is_complete:
            text = f"{who} took longer than its limit of {self._timeout:g} s and was killed"
            raise ToolTimeoutError(text, timeout=self._timeout, **details)
        if code == 0:
            return finished.stdout
        how = f"exited with code {code}" if code > 0 else f"was killed by signal {_signal(-code)}"
        said = _printable(finished.stderr).strip() or _printable(finished.stdout).strip()
        if len(said) > _MESSAGE_TAIL:
            said = "[...] " + said[-_MESSAGE_TAIL:]
        raise ToolCallError(
            f"{who} {how}" + (f": {said}" if said else ""), exit_code=code, **details
        )


def _check_command(command: str) -> str:
    """Refuse a command that is a whole command line, the most common mistake."""
    if not command.strip() or "\0" in command:
        raise ConfigError("a command is the name or path of a program", key="command")
    if command.split() != [command] and os.sep not in command:
        first, *rest = command.split()
        text = f"set command to {first!r} and begin args with {' '.join(rest)!r}"
        raise ConfigError(f"{command!r} is more than one word: {text}", key="command")
    return command


def _environment() -> dict[str, str]:
    """Return the part of the host's environment that tools get."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _ENVIRONMENT
        or name.startswith("LC_")
        or (name.lower() in _PROXIES and "@" not in value)  # one with a password is a secret
    }


def _printable(text: str) -> str:
    """Return text that every terminal and log can take: no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def _signal(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({number})"
    except ValueError:  # a real-time signal has no name
        return str(number)
