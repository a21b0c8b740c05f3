"""A directory of tool files, read, and its servers started.

Place in the house: ``tools``, between ``loader``, which knows what a file becomes, and the
registry, which gives the tools their names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from py_code_mode.errors import ConfigError, ToolError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import StartingAdapter, ToolAdapter
from py_code_mode.tools.loader import load_directory
from py_code_mode.yamlfile import YamlFile

__all__ = ["Opened", "open_directory", "start_all"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Opened:
    """What a directory holds.

    Attributes:
        adapters: Adapters that are ready, with the files they are from.
        wrong: What is wrong in files, which were left out.
        told: What is not as it should be on this machine: servers that did not start, which were
            left out, and commands that are not installed.
    """

    adapters: list[tuple[YamlFile, ToolAdapter]] = field(default_factory=list)
    wrong: list[ConfigError] = field(default_factory=list)
    told: list[ConfigError] = field(default_factory=list)

    async def settle(
        self, close: Callable[[], Awaitable[None]], *, lenient: bool
    ) -> tuple[ConfigError, ...]:
        """Tell the log what is not as it should be.

        Args:
            close: Gives up what was opened.
            lenient: Whether to go on without what was wrong.

        Returns:
            All of it.

        Raises:
            ConfigError: Something was wrong and ``lenient`` is not set.
        """
        if self.wrong and not lenient:
            await close()
            raise _combined(self.wrong)
        left_out = {problem.file for problem in self.wrong}
        problems = (*self.wrong, *(each for each in self.told if each.file not in left_out))
        for problem in problems:
            _log.warning("%s", problem)
        return problems


async def open_directory(path: Path, secrets: Secrets) -> Opened:
    """Read all tool files and start what needs to be started, all at once.

    Args:
        path: The directory; one that is not there holds nothing.
        secrets: What ``${NAME}`` in a file stands for.

    Raises:
        ConfigError: ``path`` is no directory.
    """
    opened = Opened()
    # In a thread: a thousand files and the import of pydantic would hold up the loop.
    found = await asyncio.to_thread(_read, path, secrets)
    ready = [each for each in found if not isinstance(each, ConfigError)]
    opened.wrong = [each for each in found if isinstance(each, ConfigError)]
    started = await start_all(ready, secrets, opened)
    opened.adapters = [each for each, good in zip(ready, started, strict=True) if good]
    return opened


async def start_all(
    ready: list[tuple[YamlFile, ToolAdapter]], secrets: Secrets, opened: Opened
) -> list[bool]:
    """Start the adapters that need it, all at once; when cancelled, all are closed.

    Args:
        ready: Adapters with the files they are from.
        secrets: What messages must not show.
        opened: Where it goes what is told of them.

    Returns:
        Of each, whether it has something to offer.
    """
    starts = [asyncio.create_task(_start(each, secrets, opened)) for each in ready]
    try:
        return await asyncio.gather(*starts)
    except BaseException:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        for _, adapter in ready:
            await adapter.aclose()
        raise


def _read(path: Path, secrets: Secrets) -> list[tuple[YamlFile, ToolAdapter] | ConfigError]:
    if not path.exists():
        _log.warning("there is no tools directory %s: no tools", path)
        return []
    return list(load_directory(path, secrets))


async def _start(each: tuple[YamlFile, ToolAdapter], secrets: Secrets, opened: Opened) -> bool:
    """Start an adapter if it needs that; False if it has nothing to offer."""
    file, adapter = each
    if not isinstance(adapter, StartingAdapter):
        return True
    try:
        opened.told += [file.error(secrets.redact(text)) for text in await adapter.start()]
    except ToolError as error:
        opened.told.append(file.error(secrets.redact(error.message)))
        await adapter.aclose()
        return False
    return True


def _combined(problems: list[ConfigError]) -> ConfigError:
    """Return the first problem, its message naming the others."""
    first, *others = problems
    also = "".join(f"; also {other}" for other in others)
    return ConfigError(first.reason + also, file=first.file, line=first.line, key=first.key)
