"""Where tools stand side by side: what a registry and its views share.

Place in the house: ``tools``, below the registry, which it serves alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from py_code_mode.errors import ConfigError
from py_code_mode.search import Document, Embedder, FileIndexKeeper, Hit, Index, IndexedStore
from py_code_mode.tools.base import ToolAdapter
from py_code_mode.tools.functions import FunctionAdapter
from py_code_mode.tools.observed import Observed
from py_code_mode.tools.table import Entry, Table

__all__ = ["Shelf", "document"]

_UNKNOWN = frozenset({"", "Any", "object"})
"""Return annotations that say nothing."""


class Shelf:
    """The tools themselves: what a registry and all its scoped views share.

    Args:
        embedder: Finds tools by meaning, too, if there is one.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        self.adapters: list[ToolAdapter] = []
        self.functions = FunctionAdapter()
        self.index = Index(embedder=embedder)
        self._embedder = embedder
        self.observed = Observed()
        self.holders = 0
        self._table = Table()
        self._puts = 0
        self._indexed = 0
        self._indexing = threading.Lock()

    def open(self, directory: Path) -> None:
        """Read what is known of the tools of a directory, and keep there what will be."""
        if directory.is_dir():
            self.observed.open(directory)
            self.index = Index(keeper=FileIndexKeeper.beside(directory), embedder=self._embedder)

    def keep_index(self, store: object) -> None:
        """Keep the search index in a store of tool files, if it has a place for it."""
        if isinstance(store, IndexedStore):
            self.index = Index(keeper=store.index_keeper(), embedder=self._embedder)

    async def aclose(self) -> None:
        """Close all adapters; closing twice is fine."""
        async with AsyncExitStack() as stack:  # each is closed, whatever the others raise
            stack.push_async_callback(self.observed.aclose)
            for adapter in (self.functions, *self.adapters):
                stack.push_async_callback(adapter.aclose)

    @property
    def version(self) -> int:
        """Grows whenever tools change, or what is known of their results."""
        return self._puts + self.observed.version

    @property
    def entries(self) -> dict[str, Entry]:
        """All tools in order, by their exact names."""
        return self._table.entries

    def find(self, name: str) -> Entry | None:
        """Return the tool of that exact or clean name, None if there is none."""
        return self._table.find(name)

    def put(self, entries: list[Entry]) -> None:
        """Put tools on the shelf: all of them, or none when a name clashes."""
        self._table.put(list(map(self._with_shape, entries)))
        self._puts += 1

    def replace(self, adapter: ToolAdapter, entries: list[Entry]) -> list[ConfigError]:
        """Put other tools in the place of an adapter's.

        Returns:
            What was wrong with those that are left out.
        """
        # Searches look on from their threads meanwhile: the old table or the new one, no mixture.
        self._table, wrong = self._table.instead_of(adapter, map(self._with_shape, entries))
        self._puts += 1
        return wrong

    def search(self, query: str, limit: int, sees: Callable[[str], bool] | None) -> list[Hit]:
        """Return the tools that fit a query, best first.

        Args:
            query: Plain words, or a name or its beginning.
            limit: How many at most.
            sees: Tells by name which tools there are for whoever asks; None: all.
        """
        with self._indexing:
            puts = self._puts
            if puts != self._indexed:
                self.index.hold(map(document, list(self.entries.values())))
                self._indexed = puts
        return self.index.search(query, limit, among=sees)

    def learn(self, entry: Entry, value: Any) -> None:
        """Look at a result, if the tool does not say what its results are like."""
        info = entry.info
        if info.returns not in _UNKNOWN or info.output_schema is not None:
            return
        if self.observed.learn(info.name, value) and info.name in self.entries:
            self.entries[info.name] = self._with_shape(self.entries[info.name])

    def _with_shape(self, entry: Entry) -> Entry:
        info, shape = entry.info, self.observed.of(entry.info.name)
        if shape is None or info.returns not in _UNKNOWN or info.output_schema is not None:
            return entry
        return replace(entry, info=replace(info, observed=shape))


def document(entry: Entry) -> Document:
    """Return what a search looks at."""
    info = entry.info
    words = [f"{param.name} {param.description}" for param in info.params]
    tags = " ".join(sorted(info.tags))
    return Document(info.name, info.description, parameters="\n".join(words), tags=tags)
