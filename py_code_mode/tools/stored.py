"""Tools of the files in a store, which come, change and go while the program runs.

Place in the house: ``tools``, between ``store`` and the registry, to which all of them together
are one adapter whose tools change.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from py_code_mode.errors import ConfigError, ToolError, ToolNotFoundError
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import ChangingAdapter, ToolAdapter, ToolInfo
from py_code_mode.tools.directory import Opened, start_all
from py_code_mode.tools.names import clean_name
from py_code_mode.tools.store import ToolStore, read_tool
from py_code_mode.tools.table import Entry, Table

__all__ = ["StoredTools"]

_log = logging.getLogger(__name__)


class StoredTools:
    """The tools of a store's files, as one adapter.

    A file that is wrong is left out. One that changed is read again, and its server started anew;
    the former one is closed when the calls it is busy with have ended.

    Args:
        store: Where the files are.
        secrets: What ``${NAME}`` in them stands for.
        follow: Seconds between two looks at the store; None: look no more after ``load``.
    """

    def __init__(self, store: ToolStore, secrets: Secrets, *, follow: float | None) -> None:
        self._store = store
        self._secrets = secrets
        self._pause = follow
        self._version: object = None
        self._texts: dict[str, str] = {}
        self._adapters: dict[str, ToolAdapter] = {}
        self._table = Table()
        self._busy: Counter[int] = Counter()
        self._retired: dict[int, ToolAdapter] = {}
        self._changed: Callable[[], None] = lambda: None
        self._loading = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None

    async def load(self) -> Opened:
        """Read what changed since the last time, and start what needs to be started.

        Returns:
            What was wrong with files that were read now, and what was told of their servers.

        Raises:
            ToolError: The store could not be read.
        """
        async with self._loading:
            version, texts = await asyncio.to_thread(self._store.documents)
            new = {name: text for name, text in texts.items() if text != self._texts.get(name)}
            opened, found = await self._open(new)
            former = self._adapters
            self._adapters = {
                name: found.get(name) or former[name]
                for name in texts
                if name in found or (name in former and name not in new)
            }
            self._version, self._texts = version, texts
            opened.wrong += self._arrange()
            kept = {id(adapter) for adapter in self._adapters.values()}
            for adapter in [*former.values(), *found.values()]:
                if id(adapter) not in kept:
                    await self._retire(adapter)
            if self._pause is not None and self._following is None:
                self._following = asyncio.create_task(self._follow(self._pause))
        return opened

    async def _open(self, texts: dict[str, str]) -> tuple[Opened, dict[str, ToolAdapter]]:
        """Make adapters of files."""
        read = await asyncio.to_thread(self._read, texts)
        opened = Opened(wrong=[each for each in read.values() if isinstance(each, ConfigError)])
        ready = {name: each for name, each in read.items() if not isinstance(each, ConfigError)}
        started = await start_all(list(ready.values()), self._secrets, opened)
        pairs = zip(ready.items(), started, strict=True)
        found = {name: adapter for (name, (_, adapter)), good in pairs if good}
        for adapter in found.values():
            if isinstance(adapter, ChangingAdapter):
                adapter.watch(self._rearrange)
        return opened, found

    def _read(self, texts: dict[str, str]) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for name, text in texts.items():
            try:
                read[name] = read_tool(self._store.describe(name), text, self._secrets)
            except ConfigError as error:
                read[name] = error
        return read

    def _arrange(self) -> list[ConfigError]:
        """Put the tools of all files side by side, and drop files whose names clash."""
        table, wrong = Table(), []
        for name, adapter in list(self._adapters.items()):
            origin = self._store.describe(name)
            try:
                infos = adapter.tools()
                table.put([Entry(info, clean_name(info.name), adapter, origin) for info in infos])
            except ConfigError as error:
                wrong.append(ConfigError(error.reason, file=origin, key="name"))
        self._table = table
        self._changed()
        return wrong

    def _rearrange(self) -> None:
        """A server's tools are others than they were."""
        for problem in self._arrange():
            _log.warning("left out: %s", problem)

    async def _follow(self, pause: float) -> None:
        """Load again whenever the store has changed; an unreachable one is told of once."""
        reached = True
        while True:
            await asyncio.sleep(pause)
            try:
                if await asyncio.to_thread(self._store.version) != self._version:
                    opened = await self.load()
                    for problem in (*opened.wrong, *opened.told):
                        _log.warning("%s", problem)
                reached = True
            except ToolError as error:
                if reached:
                    _log.warning("tools stay as they are: %s", error)
                reached = False

    def tools(self) -> Sequence[ToolInfo]:
        """Return the tools of all files."""
        return [entry.info for entry in self._table.entries.values()]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Run a tool; see ``ToolAdapter.call``."""
        entry = self._table.find(name)
        if entry is None:
            raise ToolNotFoundError(f"the tool {name!r} is no longer there", near=[])
        adapter = entry.adapter
        self._busy[id(adapter)] += 1
        try:
            return await adapter.call(name, arguments)
        finally:
            self._busy[id(adapter)] -= 1
            if self._busy[id(adapter)] == 0:
                del self._busy[id(adapter)]
                retired = self._retired.pop(id(adapter), None)
                if retired is not None:
                    await retired.aclose()

    async def _retire(self, adapter: ToolAdapter) -> None:
        if self._busy[id(adapter)]:
            self._retired[id(adapter)] = adapter
        else:
            await adapter.aclose()

    def watch(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called whenever the tools are others."""
        self._changed = changed

    async def aclose(self) -> None:
        """Look no more, and close all adapters."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        for adapter in [*self._adapters.values(), *self._retired.values()]:
            await adapter.aclose()
        self._adapters, self._retired = {}, {}
