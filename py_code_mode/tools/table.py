"""Tools by name, and where names that clash are found out.

Place in the house: ``tools``, below ``shelf``; it knows nothing of calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from py_code_mode.errors import ConfigError
from py_code_mode.tools.base import ToolAdapter, ToolInfo
from py_code_mode.tools.names import check_name, clean_name

__all__ = ["Entry", "Table", "entries_of"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A tool, its clean name, who runs it, and where it came from."""

    info: ToolInfo
    clean: str
    adapter: ToolAdapter
    origin: str


def entries_of(adapter: ToolAdapter, tags: frozenset[str], origin: str) -> list[Entry]:
    """Return what an adapter offers now.

    Args:
        adapter: Where the tools come from.
        tags: Labels all of them get beside their own.
        origin: Where it was set up.
    """
    infos = [replace(info, tags=info.tags | tags) for info in adapter.tools()]
    return [Entry(info, clean_name(info.name), adapter, origin) for info in infos]


class Table:
    """Tools in the order they came.

    Attributes:
        entries: The tools by their exact names.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._taken: dict[str, str] = {}  # every exact and clean name, and the exact name it means
        self._groups: dict[str, str] = {}  # what stands before a dot, and a tool that has it

    def find(self, name: str) -> Entry | None:
        """Return the tool of that exact or clean name, None if there is none."""
        exact = self._taken.get(name)
        return None if exact is None else self.entries[exact]

    def put(self, entries: list[Entry]) -> None:
        """Take tools in: all of them, or none when a name clashes.

        Raises:
            ConfigError: A name is no name, or is taken.
        """
        for position, entry in enumerate(entries):
            try:
                self._put(entry)
            except ConfigError:
                self._drop({done.info.name for done in entries[:position]})
                raise

    def put_each(self, entries: Iterable[Entry]) -> list[ConfigError]:
        """Take tools in, and return what was wrong with those that could not be."""
        wrong = []
        for entry in entries:
            try:
                self._put(entry)
            except ConfigError as error:
                wrong.append(error)
        return wrong

    def instead_of(
        self, adapter: ToolAdapter, entries: Iterable[Entry]
    ) -> tuple[Table, list[ConfigError]]:
        """Return a table where other tools stand in the place of an adapter's.

        Tools of others keep their names: what clashes with them is left out.

        Returns:
            The table, and what was wrong with the tools that are left out.
        """
        fresh = Table()
        place = _first(adapter, self.entries.values())
        fresh.put_each(each for each in self.entries.values() if each.adapter is not adapter)
        others = list(fresh.entries.items())
        wrong = fresh.put_each(entries)
        new = list(fresh.entries.items())[len(others) :]
        fresh.entries = dict([*others[:place], *new, *others[place:]])
        return fresh, wrong

    def _put(self, entry: Entry) -> None:
        name, clean = entry.info.name, entry.clean
        check_name(name)
        prefixes = _prefixes(clean)
        other = self._taken.get(name) or self._taken.get(clean) or self._groups.get(clean)
        for prefix in prefixes:
            other = other or self._taken.get(prefix)
        if other is not None:
            raise _clash(entry, self.entries[other])
        self.entries[name] = entry
        self._taken[name] = self._taken[clean] = name
        for prefix in prefixes:
            self._groups.setdefault(prefix, name)

    def _drop(self, names: set[str]) -> None:
        for name in names:
            del self.entries[name]
        for table in (self._taken, self._groups):
            for key in [key for key, value in table.items() if value in names]:
                del table[key]


def _clash(entry: Entry, first: Entry) -> ConfigError:
    name, other = entry.info.name, first.info.name
    here = f" ({entry.origin})" if entry.origin else ""
    there = f" ({first.origin})" if first.origin else ""
    what = "have the same name" if other == name else f"would both be tools.{entry.clean}"
    return ConfigError(
        f"tool {name!r}{here} and tool {other!r}{there} {what}; rename one", key="name"
    )


def _first(adapter: ToolAdapter, entries: Iterable[Entry]) -> int | None:
    """Where an adapter's first tool stands, None when it has none: new ones come last."""
    for position, entry in enumerate(entries):
        if entry.adapter is adapter:
            return position
    return None


def _prefixes(name: str) -> list[str]:
    """``a.b.c`` -> ``["a", "a.b"]``."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
