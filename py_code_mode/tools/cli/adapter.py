"""A command of this machine as a tool, or as several.

Place in the house: ``tools.cli``, its top. ``recipe`` makes arguments ready, ``process`` runs
them; here they become a call, with errors an agent can act on.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack, cast

from py_code_mode import reaper
from py_code_mode.errors import ConfigError, ToolCallError, ToolTimeoutError
from py_code_mode.tools.base import ToolInfo
from py_code_mode.tools.cli.parsing import PARSERS
from py_code_mode.tools.cli.process import Finished, Process
from py_code_mode.tools.cli.recipe import Recipe, RecipeSettings
from py_code_mode.tools.names import check_name, not_found

__all__ = ["CLIAdapter"]

_MESSAGE_TAIL = 2_000  # characters of stderr inside a message; `error.stderr` has all that was kept
_LONG = 256 * 1024  # characters of output that are parsed in a thread

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
    """One command as one tool, or as one tool for each of its recipes.

    Args:
        name: Name of the tool; with recipes what stands before the dot.
        recipes: Settings by name: each recipe is the tool ``name.recipe``. A recipe's settings
            override the others; ``params`` and ``env`` do so name by name.
        **settings: See ``RecipeSettings``.

    Raises:
        ConfigError: A value is not acceptable; ``key`` says which.
    """

    def __init__(
        self,
        name: str,
        *,
        recipes: Mapping[str, RecipeSettings] | None = None,
        **settings: Unpack[RecipeSettings],
    ) -> None:
        if recipes is None:
            made = [Recipe.make(name, settings)]
        elif recipes:
            settings.setdefault("command", name)
            made = [_variant(name, each, settings, recipes[each]) for each in recipes]
        else:
            raise ConfigError("there is no recipe; leave it out", key="recipes")
        self._recipes = {recipe.info.name: recipe for recipe in made}
        self._running: dict[Process, asyncio.Future[None]] = {}
        self._reaper: reaper.Reaper | None = None
        self._is_closed = False

    async def start(self) -> Sequence[str]:
        """Look whether the commands are there; not needed before a call.

        Returns:
            A sentence for each that is not.
        """
        return list(dict.fromkeys(_missing(self._recipes.values())))

    def tools(self) -> Sequence[ToolInfo]:
        """Return the tool, or those of the recipes."""
        return [recipe.info for recipe in self._recipes.values()]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Run a command.

        Returns:
            Its standard output, parsed if it is to be. Of text, bytes that are not UTF-8 survive
            as lone surrogates; of very long text the middle is cut, and a line there says so.

        Raises:
            ToolNotFoundError: There is no such tool here.
            ToolCallError: An argument is wrong; the command is not there; it failed
                (``exit_code``, ``stdout``, ``stderr``), or printed what cannot be parsed.
            ToolTimeoutError: It took too long and was killed (``stdout``, ``stderr``).
        """
        recipe = self._recipes.get(name)
        if recipe is None:
            raise not_found(name, self._recipes)
        if self._is_closed:
            raise ToolCallError(f"tool {name!r} is closed")
        try:
            prepared = recipe.prepare(arguments)
        except ToolCallError as error:
            text = f"tool {name!r}: {error.message}"
            raise ToolCallError(text, **error.details, wrong_arguments=True) from error.__cause__
        try:
            process = self._start(recipe, *prepared)
        except ToolCallError as error:
            text = f"tool {name!r}: {error.message}"
            raise ToolCallError(text, **error.details) from error.__cause__
        over = self._running[process] = asyncio.get_running_loop().create_future()
        try:
            finished = await process.wait(recipe.timeout)
        finally:
            del self._running[process]
            self._release_reaper()
            over.set_result(None)
        self._judge(recipe, finished)
        return await _parsed(recipe, finished)

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

    def _start(self, recipe: Recipe, argv: list[str], stdin: bytes) -> Process:
        if self._reaper is None:
            self._reaper = reaper.acquire()
        try:
            return Process(
                argv,
                env=recipe.environment(_environment()),
                max_output=recipe.max_output,
                reaper=self._reaper,
                stdin=stdin,
                cwd=recipe.cwd,
            )
        except OSError as error:
            text = _explain_start(recipe, argv, error)
            raise ToolCallError(text, errno=error.errno) from error

    def _judge(self, recipe: Recipe, finished: Finished) -> None:
        """Raise what went wrong, if something did."""
        code, details = finished.exit_code, {"stdout": finished.stdout, "stderr": finished.stderr}
        who = f"tool {recipe.info.name!r}"
        if not finished.is_complete and self._is_closed:
            raise ToolCallError(f"{who} was closed while it ran", **details)
        if not finished.is_complete:
            text = f"{who} took longer than its limit of {recipe.timeout:g} s and was killed"
            raise ToolTimeoutError(text, timeout=recipe.timeout, **details)
        if code in recipe.ok_exit_codes:
            return
        how = f"was killed by signal {_signal(-code)}" if code < 0 else f"exited with code {code}"
        said = _printable(finished.stderr).strip() or _printable(finished.stdout).strip()
        if len(said) > _MESSAGE_TAIL:
            said = "[...] " + said[-_MESSAGE_TAIL:]
        raise ToolCallError(
            f"{who} {how}" + (f": {said}" if said else ""), exit_code=code, **details
        )


def _variant(name: str, recipe: str, settings: RecipeSettings, own: RecipeSettings) -> Recipe:
    """Work out a recipe: the tool's settings, overridden by its own."""
    merged = cast("RecipeSettings", {**settings, **own})
    shared = settings.get("params", {})
    merged["params"] = {**shared, **own.get("params", {})}
    merged["env"] = {**settings.get("env", {}), **own.get("env", {})}
    try:
        check_name(recipe)
        return Recipe.make(f"{name}.{recipe}", merged, shared.keys() - own.get("params", {}).keys())
    except ConfigError as error:
        raise ConfigError(error.reason, key=_key_in(recipe, own, error.key)) from None


def _key_in(recipe: str, own: Mapping[str, Any], key: str | None) -> str:
    """Return the key of a file that an error in a recipe is about."""
    first, *rest = (key or "name").split(".")
    if first == "name":
        return f"recipes.{recipe}"
    inner = own.get(first)
    is_own = rest[0] in inner if isinstance(inner, Mapping) and rest else inner is not None
    return f"recipes.{recipe}.{key}" if is_own else str(key)


def _missing(recipes: Iterable[Recipe]) -> Iterator[str]:
    inherited = _environment()
    for recipe in recipes:
        env = recipe.environment(inherited)
        folder = Path(recipe.cwd or ".")
        if recipe.cwd is not None and not folder.is_dir():
            yield f"the working directory {recipe.cwd} of {recipe.info.name!r} is not there"
        command = recipe.command
        if os.sep in command:
            command = str(folder / command)
        if shutil.which(command, path=env.get("PATH", os.defpath)) is None:
            yield (f"{_explain_missing(recipe.command)}: calls of {recipe.info.name!r} will fail")


def _explain_missing(command: str) -> str:
    return f"command {command!r} is not installed or not on PATH"


def _explain_start(recipe: Recipe, argv: list[str], error: OSError) -> str:
    command = repr(recipe.command)
    if recipe.cwd is not None and not Path(recipe.cwd).is_dir():
        return f"the working directory of {command}, {recipe.cwd}, is not there"
    if error.errno == errno.ENOENT and Path(recipe.cwd or ".", recipe.command).exists():
        return f"command {command} needs an interpreter that is not there; see its first line"
    if error.errno == errno.ENOENT:
        return _explain_missing(recipe.command)
    if error.errno == errno.E2BIG:
        size = sum(len(os.fsencode(text)) + 1 for text in argv)
        return f"the arguments of {command} are too long: {size} bytes in {len(argv)} arguments"
    return f"command {command} could not be started: {error.strerror}"


async def _parsed(recipe: Recipe, finished: Finished) -> Any:
    parser, text = recipe.parser, finished.stdout
    if parser is PARSERS["text"]:
        return text
    try:
        if finished.is_cut:
            raise ValueError(f"it is longer than max_output, {recipe.max_output} bytes")
        if len(text) > _LONG:
            return await asyncio.to_thread(parser.parse, text)
        return parser.parse(text)
    except ValueError as error:
        raise ToolCallError(
            f"tool {recipe.info.name!r}: its output cannot be read as {parser.what}: {error}",
            exit_code=finished.exit_code,
            stdout=text,
            stderr=finished.stderr,
        ) from None


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
