"""The tools a kernel has heard of: by attribute path, by exact name, by group.

Place in the house: below ``namespaces``, above ``functions``. The host sends the whole list when
a session begins and again when tools changed; it stays bytes until somebody looks for a tool.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from kernel_bootstrap.functions import ToolFunction
from kernel_bootstrap.wire import errors
from kernel_bootstrap.wire.codec import loads

__all__ = ["Catalogue", "Info"]

Info = Mapping[str, Any]
"""A tool as the host describes it: name, path, description, params, tags, returns, and, where
more is known of its result, shape and whether that is only observed."""


class Catalogue:
    """The tools of this session.

    Args:
        tools: Plain data as the host sent it, or the bytes of that.
    """

    def __init__(self, tools: Sequence[Info] | bytes = ()) -> None:
        self.replace(tools)

    def replace(self, tools: Sequence[Info] | bytes) -> None:
        """Take over a newer list of tools."""
        self._read: tuple[dict[str, Info], dict[str, Info], set[str]] | None = None
        self._unread = tools
        self.functions: dict[str, ToolFunction] = {}

    def _tables(self) -> tuple[dict[str, Info], dict[str, Info], set[str]]:
        # A local of its own: another thread may replace the list meanwhile.
        read, tools = self._read, self._unread
        if read is None:
            rows = loads(tools) if isinstance(tools, bytes) else tools
            by_path = {row["path"]: row for row in rows}
            by_name = {row["name"]: row for row in rows}
            groups = {path[:at] for path in by_path for at, char in enumerate(path) if char == "."}
            read = by_path, by_name, groups
            if tools is self._unread:
                self._read = read
        return read

    @property
    def by_path(self) -> dict[str, Info]:
        """The tools by attribute path: ``weather.get_alerts``."""
        return self._tables()[0]

    @property
    def by_name(self) -> dict[str, Info]:
        """The tools by exact name: ``weather.get-alerts``."""
        return self._tables()[1]

    @property
    def groups(self) -> set[str]:
        """What stands before a dot in a path: ``weather``."""
        return self._tables()[2]

    def below(self, prefix: str) -> dict[str, Info]:
        """Return the tools whose path begins with ``prefix``, by the rest of it, sorted."""
        start, by_path = len(prefix), self.by_path
        return {path[start:]: by_path[path] for path in sorted(by_path) if path.startswith(prefix)}

    def find(self, name: str) -> Info:
        """Return the tool of that exact name or attribute path.

        Raises:
            ToolNotFoundError: With the nearest names.
        """
        found = self.by_name.get(name) or self.by_path.get(name)
        if found is None:
            raise self.missing(name)
        return found

    def knows(self, name: str) -> bool:
        """Whether there is a tool of that exact name or path, or a group of tools."""
        return name in self.by_name or name in self.by_path or name in self.groups

    def missing(self, name: str) -> errors.ToolNotFoundError:
        """Make the error for an unknown name."""
        known = [*self.by_name, *self.by_path]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        near = list(dict.fromkeys(near))
        hint = f"did you mean {', '.join(near)}?" if near else "tools.list() shows them all"
        return errors.ToolNotFoundError(f"no tool named {name!r}; {hint}", near=near)
