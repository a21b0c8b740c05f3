"""Which artifacts a listing or a search shows.

Place in the house: inside ``artifacts``, above ``info``; the one place where it meets ``search``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from py_code_mode.artifacts.info import ArtifactInfo
from py_code_mode.search import CachedIndex, Document, near_names

__all__ = ["Finder", "near_names", "selected"]


def selected(infos: Iterable[ArtifactInfo], prefix: str, tag: str | None) -> Iterable[ArtifactInfo]:
    """Yield those whose name begins with ``prefix`` and that have the tag."""
    prefix = unicodedata.normalize("NFC", prefix)
    for info in infos:
        if info.name.startswith(prefix) and (tag is None or tag in info.tags):
            yield info


class Finder:
    """Searches artifacts by name, description and tags; keeps its index until they change."""

    def __init__(self) -> None:
        self._index = CachedIndex()

    def search(self, infos: Sequence[ArtifactInfo], query: str, limit: int) -> list[ArtifactInfo]:
        """Return those that match, best first."""
        key = tuple((info.name, info.description, info.tags) for info in infos)
        index = self._index.get(key, lambda: [_document(info) for info in infos])
        return [infos[position] for position, _ in index.search(query, limit)]


def _document(info: ArtifactInfo) -> Document:
    return Document(info.name, info.description, " ".join(info.tags))
