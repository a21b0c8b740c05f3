"""Where tools stand side by side, and where names that clash are found out.

Place in the house: ``tools``, below the registry, which it serves alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from py_code_mode.errors import ConfigError
from py_code_mode.search import CachedIndex, Document
from py_code_mode.tools.base import ToolAdapter, ToolInfo
from py_code_mode.tools.functions import FunctionAdapter
from py_code_mode.tools.names import check_name
from py_code_mode.tools.observed import Observed

__all__ = ["Entry", "Shelf", "document"]

_UNKNOWN = frozenset({"", "Any", "object"})
"""Return annotations that say nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A tool, its clean name, who runs it, and where it came from."""

    info: ToolInfo
    clean: str
    adapter: ToolAdapter
    origin: str


class Shelf:
    """The tools themselves: what a registry and all its scoped views share."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.taken: dict[str, str] = {}  # every exact and clean name, and the exact name it means
        self.groups: dict[str, str] = {}  # what stands before a dot, and a tool that has it
        self.adapters: list[ToolAdapter] = []
        self.functions = FunctionAdapter()
        self.index = CachedIndex()
        self.observed = Observed()
        self.holders = 0
        self._puts = 0

    @property
    def version(self) -> int:
        """Grows whenever tools change, or what is known of their results."""
        return self._puts + self.observed.version

    def put(self, entries: list[Entry]) -> None:
        """Put tools on the shelf: all of them, or none when a name clashes."""
        for position, entry in enumerate(entries):
            try:
                self._put(entry)
            except ConfigError:
                self._drop({done.info.name for done in entries[:position]})
                raise
        self._puts += 1

    def search(self, query: str) -> list[str]:
        """Return the names of all tools that fit a query, best first."""
        # One index for all views: a view leaves out what it does not show.
        index = self.index.get(self._puts, lambda: list(map(document, list(self.entries.values()))))
        found = index.search(query, len(index.documents))
        return [index.documents[position].name for position, _ in found]

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

    def _put(self, entry: Entry) -> None:
        name, clean = entry.info.name, entry.clean
        check_name(name)
        prefixes = _prefixes(clean)
        other = self.taken.get(name) or self.taken.get(clean) or self.groups.get(clean)
        for prefix in prefixes:
            other = other or self.taken.get(prefix)
        if other is not None:
            first = self.entries[other]
            here = f" ({entry.origin})" if entry.origin else ""
            there = f" ({first.origin})" if first.origin else ""
            what = "have the same name" if other == name else f"would both be tools.{clean}"
            raise ConfigError(
                f"tool {name!r}{here} and tool {other!r}{there} {what}; rename one", key="name"
            )
        self.entries[name] = self._with_shape(entry)
        self.taken[name] = self.taken[clean] = name
        for prefix in prefixes:
            self.groups.setdefault(prefix, name)

    def _drop(self, names: set[str]) -> None:
        for name in names:
            del self.entries[name]
        for table in (self.taken, self.groups):
            for key in [key for key, value in table.items() if value in names]:
                del table[key]


def _prefixes(name: str) -> list[str]:
    """``a.b.c`` -> ``["a", "a.b"]``."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def document(entry: Entry) -> Document:
    """Return what a search looks at."""
    info = entry.info
    words = [f"{param.name} {param.description}" for param in info.params]
    return Document(info.name, info.description, " ".join([*words, *sorted(info.tags)]))
