"""The index over skills or tools: documents go in and out, and are found.

Place in the house: top of ``search``.

Nothing is indexed before the first search: putting documents costs next to nothing, and numpy is
loaded only for a search. A search looks at a snapshot, so that others may put documents meanwhile.
New documents go into a small segment beside the large one and are merged into it from time to time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from py_code_mode.errors import ConfigError
from py_code_mode.search import keeping
from py_code_mode.search.document import Document, Hit
from py_code_mode.search.guarded import EmbedderError, Guarded, WidthError
from py_code_mode.search.keeping import IndexKeeper, Kept
from py_code_mode.search.meaning import Embedder, Meaning, vectors_of
from py_code_mode.search.ranking import ranked
from py_code_mode.search.scoring import Snapshot
from py_code_mode.search.segment import Segment, build, merge

__all__ = ["Index"]

_log = logging.getLogger(__name__)

Pending = Mapping[str, Document | None]
"""What is not indexed yet, by name; None: to be taken out."""

_SMALL = 1000
"""Documents that are merged at once: it takes some milliseconds."""

_MERGE_AT = 8
"""The small segment may be one part in so many of all, and as many may be gone."""

_SAVE_AT = 100
"""What is kept may lack one document in so many."""


class Index:
    """Documents by name, to be found by plain words. Usable from any thread.

    Args:
        documents: What it holds at first.
        keeper: Where it is kept, if it is.
        embedder: Finds by meaning, too, if there is one. While it fails, words alone find.

    Raises:
        ConfigError: It is no embedder.
    """

    def __init__(
        self,
        documents: Iterable[Document] = (),
        *,
        keeper: IndexKeeper | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self._keeper = keeper
        self._embedder = None if embedder is None else Guarded(embedder)
        self._meaning: Meaning | None = None
        self._by_words: Snapshot | None = None
        self._lock = threading.Lock()
        self._documents: dict[str, Document] = {}
        self._pending: dict[str, Document | None] = {}
        self._snapshot: Snapshot | None = None
        self._unsaved = 0
        self.put(documents)

    def __len__(self) -> int:
        return len(self._documents)

    def put(self, documents: Iterable[Document]) -> None:
        """Add documents, each in place of one of the same name."""
        with self._lock:
            for document in documents:
                self._put(document)

    def remove(self, names: Iterable[str]) -> None:
        """Take documents out; names of none are passed over."""
        with self._lock:
            for name in names:
                self._remove(name)

    def hold(self, documents: Iterable[Document]) -> None:
        """Hold these documents and no others; only what is new is indexed."""
        with self._lock:
            given = {document.name: document for document in documents}
            for name in [name for name in self._documents if name not in given]:
                self._remove(name)
            for document in given.values():
                self._put(document)

    def search(
        self, query: str, limit: int = 10, *, among: Callable[[str], bool] | None = None
    ) -> list[Hit]:
        """Find the documents that fit a query.

        Args:
            query: Plain words, or a name, or the beginning of one.
            limit: How many to return at most.
            among: Tells by name which documents count; all do without it.

        Returns:
            What fits, best first, equals by name. Empty when nothing has to do with the query.

        Raises:
            ConfigError: What the embedder gives are no vectors.
        """
        if limit <= 0 or not query.strip() or not self._documents:
            return []
        try:
            try:
                found = self._ranked(query, limit, among)
            except WidthError:  # another model under the name of the one whose vectors are kept
                self._forget()
                found = self._ranked(query, limit, among)
        except EmbedderError as failure:
            return ranked(self._without_meaning(failure), query, limit, None, among)
        except WidthError as error:
            raise ConfigError(str(error)) from None
        self._by_words = None
        return found

    def _ranked(self, query: str, limit: int, among: Callable[[str], bool] | None) -> list[Hit]:
        return ranked(self._current(), query, limit, self._meaning, among)

    def _put(self, document: Document) -> None:
        if self._documents.get(document.name) != document:
            self._documents[document.name] = document
            self._pending[document.name] = document
            self._by_words = None

    def _remove(self, name: str) -> None:
        if self._documents.pop(name, None) is not None:
            self._pending[name] = None
            self._by_words = None

    def _current(self) -> Snapshot:
        """Index what has changed since the last search."""
        with self._lock:
            if self._snapshot is None:
                self._snapshot = self._open()
            if self._pending:
                self._snapshot, changes = _indexed(self._snapshot, self._pending, self._meaning)
                self._pending = {}
                self._unsaved += changes
            self._save(self._snapshot)
            return self._snapshot

    def _forget(self) -> None:
        """Have all vectors made anew."""
        with self._lock:
            assert self._embedder is not None
            former, self._embedder.width = self._embedder.width, None
            try:
                self._meaning = Meaning.of(self._embedder)
            except EmbedderError:
                self._embedder.width = former
                raise
            self._snapshot = Snapshot([])
            self._pending = {**self._documents}

    def _without_meaning(self, failure: EmbedderError) -> Snapshot:
        """Index by words alone what an embedder should have been asked about."""
        with self._lock:
            if self._by_words is None:
                _log.warning("words alone are looked at: %s", failure)
                former, pending = self._snapshot, self._pending
                if former is None:
                    former, pending = Snapshot([]), {**self._documents}
                self._by_words, _ = _indexed(former, pending, None)
            return self._by_words

    def _open(self) -> Snapshot:
        """Begin with what is kept."""
        import numpy as np

        kept = None if self._keeper is None else keeping.read(self._keeper)
        if self._embedder is not None:
            if kept is not None and kept.embedder == self._embedder.name:
                self._meaning = Meaning(self._embedder, kept.unrelated)
                self._embedder.width = kept.segment.vectors.shape[1]
            else:
                kept, self._meaning = None, Meaning.of(self._embedder)
        elif kept is not None and kept.embedder:
            # Somebody else's, who has an embedder: theirs is not overwritten with less.
            kept, self._keeper = Kept(replace(kept.segment, vectors=None)), None
        if kept is None:
            self._unsaved = len(self._documents)
            return Snapshot([])
        segment = kept.segment
        self._pending = {**dict.fromkeys(segment.names), **self._documents}
        return Snapshot([(segment, np.ones(len(segment.names), bool))])

    def _save(self, snapshot: Snapshot) -> None:
        if self._keeper is None or not self._unsaved:
            return
        meaning = self._meaning
        # Vectors took long to make: each is kept at once.
        if meaning is None and self._unsaved * _SAVE_AT < snapshot.count:
            return
        self._unsaved = 0
        parts = [(part.segment, part.alive) for part in snapshot.parts]
        if len(parts) != 1 or not parts[0][1].all():
            parts = [(merge(parts), None)] if parts else []
        if not parts:
            return
        segment = parts[0][0]
        kept = Kept(segment) if meaning is None else _with(segment, meaning)
        keeping.write(self._keeper, kept)


def _indexed(snapshot: Snapshot, pending: Pending, meaning: Meaning | None) -> tuple[Snapshot, int]:
    """Return a snapshot with what is pending, and how many documents were put or taken out."""
    where = {
        name: (part, position)
        for part in range(len(snapshot.parts))
        for position, name in enumerate(snapshot.parts[part].segment.names)
        if snapshot.parts[part].alive[position]
    }
    gone: list[tuple[int, int]] = []
    new: list[tuple[Document, str]] = []
    for name, document in pending.items():
        at = where.get(name)
        digest = None if document is None else document.digest
        if at is not None and snapshot.parts[at[0]].segment.digests[at[1]] == digest:
            continue
        if at is not None:
            gone.append(at)
        if document is not None and digest is not None:
            new.append((document, digest))
    if not gone and not new:
        return snapshot, 0
    segment = _segment(new, meaning) if new else None
    return Snapshot(_joined(_less(snapshot, gone), segment)), len(gone) + len(new)


def _segment(new: Sequence[tuple[Document, str]], meaning: Meaning | None) -> Segment:
    documents = [document for document, _ in new]
    segment = build(documents, [digest for _, digest in new])
    if meaning is None:
        return segment
    vectors = vectors_of(meaning.embedder, [document.text for document in documents])
    return replace(segment, vectors=vectors)


def _with(segment: Segment, meaning: Meaning) -> Kept:
    return Kept(segment, meaning.embedder.name, meaning.unrelated)


def _less(snapshot: Snapshot, gone: Sequence[tuple[int, int]]) -> list[tuple[Segment, Any]]:
    """Return the segments of a snapshot without some documents."""
    parts = [(part.segment, part.alive.copy()) for part in snapshot.parts]
    for part, position in gone:
        parts[part][1][position] = False
    return parts


def _joined(parts: list[tuple[Segment, Any]], new: Segment | None) -> list[tuple[Segment, Any]]:
    """Add a segment, and merge what is small or has gaps."""
    import numpy as np

    if new is not None:
        parts = [*parts, (new, np.ones(len(new.names), bool))]
    large, small = parts[:1], parts[1:]
    held = sum(len(segment.names) for segment, _ in parts)
    gaps = sum(int((~alive).sum()) for _, alive in parts)
    added = sum(len(segment.names) for segment, _ in small)
    if (len(parts) > 1 or gaps) and (held <= _SMALL or max(added, gaps) * _MERGE_AT > held):
        large, small = parts, []
    return [_one(group) for group in (large, small) if group]


def _one(parts: list[tuple[Segment, Any]]) -> tuple[Segment, Any]:
    import numpy as np

    if len(parts) == 1:
        return parts[0]
    segment = merge(parts)
    return segment, np.ones(len(segment.names), bool)
