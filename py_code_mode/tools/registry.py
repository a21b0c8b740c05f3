"""All the tools a host offers, by name.

Place in the house: top of ``tools``. The executor pushes its catalogue into kernels and the
dispatcher calls through it; adapters know nothing of it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from py_code_mode.errors import CodeModeError, ConfigError, ToolCallError
from py_code_mode.search import Embedder
from py_code_mode.secrets import Secrets
from py_code_mode.tools.base import ChangingAdapter, StartingAdapter, ToolAdapter, ToolInfo
from py_code_mode.tools.directory import open_directory
from py_code_mode.tools.found import FoundTool
from py_code_mode.tools.names import not_found
from py_code_mode.tools.offers import FunctionOffers
from py_code_mode.tools.reports import redacting
from py_code_mode.tools.shelf import Shelf
from py_code_mode.tools.store import ToolStore
from py_code_mode.tools.table import Entry, entries_of

__all__ = ["ToolRegistry"]

_log = logging.getLogger(__name__)


class ToolRegistry(FunctionOffers):
    """Tools by name, from YAML files, Python functions and other adapters.

    A tool is found by its exact name and by its clean one (see ``names``). Names that clash are
    an error when the second comes, never a silent overwrite.

    Args:
        secrets: What ``${NAME}`` in tool files stands for, where it is not the environment's.
        embedder: Finds tools by meaning, too, if there is one.

    Attributes:
        problems: What was wrong with files that ``from_dir`` left out, and with servers.
        secrets: The secrets in use; results, errors and logs show none of them.
    """

    def __init__(
        self,
        *,
        secrets: Mapping[str, str] | Secrets | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self.problems: tuple[ConfigError, ...] = ()
        self.secrets = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        super().__init__(Shelf(embedder))

    @classmethod
    async def from_dir(
        cls,
        path: str | os.PathLike[str],
        *,
        lenient: bool = False,
        secrets: Mapping[str, str] | None = None,
        embedder: Embedder | None = None,
    ) -> ToolRegistry:
        """Load every tool file (``*.yaml``, ``*.yml``) of a directory, and start its servers.

        A server that does not start is reported in ``problems`` and in the log, and is left out.

        Args:
            path: The directory; without one the registry is empty, and the log warns.
            lenient: Leave out files that are wrong; they are in ``problems`` and in the log.
            secrets: What ``${NAME}`` in a file stands for, before the environment is asked.
            embedder: Finds tools by meaning, too, if there is one.

        Raises:
            ConfigError: A file is wrong and ``lenient`` is not set; the message names all
                that are. Or ``path`` is no directory.
        """
        registry = cls(secrets=secrets, embedder=embedder)
        opened = await open_directory(Path(path), registry.secrets)
        await asyncio.to_thread(registry._shelf.open, Path(path))
        for file, adapter in opened.adapters:
            try:
                registry.register_adapter(adapter, origin=file.path.name)
            except ConfigError as error:
                opened.wrong.append(file.error(error.reason, ("name",)))
                await adapter.aclose()
        registry.problems = await opened.settle(registry.aclose, lenient=lenient)
        return registry

    @classmethod
    async def from_store(
        cls,
        store: ToolStore,
        *,
        lenient: bool = False,
        secrets: Mapping[str, str] | None = None,
        embedder: Embedder | None = None,
        follow: float | None = 1.0,
    ) -> ToolRegistry:
        """Load every tool file of a store, and start its servers; see ``from_dir``.

        What others put into the store or take out of it later changes the registry.

        Args:
            store: The store, e.g. a ``RedisToolStore``.
            lenient: Leave out files that are wrong. Later ones always are, with a warning.
            secrets: What ``${NAME}`` in a file stands for, before the environment is asked.
            embedder: Finds tools by meaning, too, if there is one.
            follow: Seconds between two looks at the store; None: never look again.

        Raises:
            ConfigError: A file is wrong and ``lenient`` is not set.
            ToolError: The store could not be read.
        """
        from py_code_mode.tools.stored import StoredTools

        registry = cls(secrets=secrets, embedder=embedder)
        registry._shelf.keep_index(store)
        tools = StoredTools(store, registry.secrets, follow=follow)
        opened = await tools.load()
        registry.register_adapter(tools)
        registry.problems = await opened.settle(registry.aclose, lenient=lenient)
        return registry

    @property
    def version(self) -> int:
        """A number that grows whenever tools change, or what is known of their results."""
        return self._shelf.version

    def register_adapter(
        self, adapter: ToolAdapter, tags: Collection[str] | None = None, *, origin: str = ""
    ) -> None:
        """Offer an adapter's tools; ``aclose`` will close it.

        When it says that its tools have changed, the registry's change, too. A new one whose
        name is taken is left out then, with a warning in the log.

        Args:
            adapter: Where they come from.
            tags: Labels all of them get beside their own.
            origin: Where it was set up, e.g. a file; for messages about clashes.

        Raises:
            ConfigError: A name is taken; then none of its tools was added.
        """
        self._refuse_in_view()
        entries = functools.partial(entries_of, adapter, frozenset(tags or ()), origin)
        self._shelf.put(entries())
        self._shelf.adapters.append(adapter)
        if isinstance(adapter, ChangingAdapter):
            adapter.watch(lambda: self._replace(adapter, entries()))

    def _replace(self, adapter: ToolAdapter, entries: list[Entry]) -> None:
        for problem in self._shelf.replace(adapter, entries):
            _log.warning("left out: %s", problem)

    async def connect(
        self, adapter: StartingAdapter, tags: Collection[str] | None = None
    ) -> Sequence[str]:
        """Start an adapter and offer its tools.

        Returns:
            What is not as it should be although the tools can be offered.

        Raises:
            ToolError: It did not start.
            ConfigError: A name is taken.
        """
        self._refuse_in_view()
        try:
            told = await adapter.start()
            self.register_adapter(adapter, tags)
        except BaseException:
            await adapter.aclose()
            raise
        return told

    def list_tools(self) -> list[ToolInfo]:
        """Return all tools in the order they were added."""
        return [entry.info for entry in self._shelf.entries.values() if self._sees(entry)]

    def get_tool(self, name: str) -> ToolInfo | None:
        """Return the tool of that exact or clean name, None if there is none."""
        entry = self._find(name)
        return None if entry is None else entry.info

    def resolve(self, name: str) -> str:
        """Return the exact name of the tool that goes by ``name``, exact or clean.

        Raises:
            ToolNotFoundError: There is none; ``near`` lists similar names.
        """
        return self._get(name).info.name

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Run a tool.

        Args:
            name: Its exact or clean name.
            arguments: Its arguments by name.

        Returns:
            What the tool gave.

        Raises:
            ToolNotFoundError: There is no such tool; ``near`` lists similar names.
            ToolError: It failed, was stopped, or its arguments were wrong.
        """
        entry = self._get(name)
        for key in arguments:
            if not isinstance(key, str):
                raise ToolCallError(f"tool {name!r}: an argument's name is text, not {key!r:.80}")
        if self.secrets.any:
            value = await self._call_hiding(entry, arguments)
        else:
            value = await entry.adapter.call(entry.info.name, arguments)
        self._shelf.learn(entry, value)
        return value

    async def _call_hiding(self, entry: Entry, arguments: Mapping[str, Any]) -> Any:
        """Call a tool and let no secret out."""
        try:
            with redacting(self.secrets.redact):
                value = await entry.adapter.call(entry.info.name, arguments)
        except CodeModeError as error:
            raise self.secrets.without(error) from error.__cause__
        return self.secrets.redact(value)

    def search(self, query: str, limit: int = 10) -> list[FoundTool]:
        """Return the tools that fit a query in plain words, best first, with their scores.

        The first search makes the index: call it from a thread when an event loop must not
        wait. It is thread-safe.
        """
        sees = None if not self._scopes else lambda name: self._find(name) is not None
        hits = self._shelf.search(query, limit, sees)
        found = [(self.get_tool(hit.name), hit) for hit in hits]
        return [FoundTool.of(info, hit) for info, hit in found if info is not None]

    def scoped_view(self, tags: Collection[str]) -> ToolRegistry:
        """Return a view of those tools that have any of ``tags``.

        To the view the other tools do not exist: not in lists, searches, calls or messages. It
        follows its registry, takes no tools of its own, and closing it closes nothing.
        """
        view = ToolRegistry(secrets=self.secrets)
        view.problems = self.problems
        view._shelf = self._shelf
        view._scopes = (*self._scopes, frozenset([tags] if isinstance(tags, str) else tags))
        return view

    def retain(self) -> None:
        """Say that one more user needs the tools; each ``retain`` wants its ``release``."""
        self._shelf.holders += 1

    async def release(self) -> None:
        """Say that one user is done; the last one's release closes everything."""
        self._shelf.holders -= 1
        if self._shelf.holders <= 0:
            await self._shelf.aclose()

    async def aclose(self) -> None:
        """Close all adapters, whoever still uses them; closing twice is fine.

        Closing a scoped view does nothing: it owns nothing.
        """
        if not self._scopes:
            await self._shelf.aclose()

    async def __aenter__(self) -> Self:
        self.retain()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.release()

    def _sees(self, entry: Entry) -> bool:
        return all(scope & entry.info.tags for scope in self._scopes)

    def _find(self, name: str) -> Entry | None:
        entry = self._shelf.find(name)
        return entry if entry is not None and self._sees(entry) else None

    def _get(self, name: str) -> Entry:
        entry = self._find(name)
        if entry is None:
            raise not_found(name, (info.name for info in self.list_tools()))
        return entry
