"""Which artifacts a listing or a search shows.

Place in the house: inside ``artifacts``, above ``info``; the one place where it meets ``search``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from py_code_mode.artifacts.info import ArtifactInfo
from py_code_mode.search import Document, Index, near_names

__all__ = ["Finder", "near_names", "selected"]


def selected(infos: Iterable[ArtifactInfo], prefix: str, tag: str | None) -> Iterable[ArtifactInfo]:
    """Yield those whose name begins with ``prefix`` and that have the tag."""
    prefix = unicodedata.normalize("NFC", prefix)
    for info in infos:
        if info.name.startswith(prefix) and (tag is None or tag in info.tags):
            yield info


class Finder:
    """Searches artifacts by name, description and tags; its index takes in what has changed."""

    def __init__(self) -> None:
        self._index = Index()

    def search(self, infos: Sequence[ArtifactInfo], query: str, limit: int) -> list[ArtifactInfo]:
        """Return those that match, best first."""
        by_name = {info.name: info for info in infos}
        self._index.hold(map(_document, infos))
        hits = self._index.search(query, limit)
        # Another thread may have put others into the index meanwhile.
        return [by_name[hit.name] for hit in hits if hit.name in by_name]


def _document(info: ArtifactInfo) -> Document:
    return Document(info.name, info.description, tags=" ".join(info.tags))
