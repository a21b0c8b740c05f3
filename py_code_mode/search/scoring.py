"""How well documents fit a query, by their words.

Place in the house: ``search``, above segments, below the index.

TF-IDF in the form of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
and Beyond", 2009): a document's fields are one text in which each word counts by its field's
weight; counts saturate, long documents count less, rare words more. Two words that follow each
other count as a word of their own, for less. A word also finds, for half, words of nearly the
same letters, and of nearly the same meaning: ``authenticate`` finds ``authentication``, ``picture``
finds ``photo``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import log1p
from typing import Any

from py_code_mode.search.postings import Postings
from py_code_mode.search.segment import Segment
from py_code_mode.search.thesaurus import synonyms
from py_code_mode.search.words import stem

__all__ = ["Part", "Snapshot", "Weighed", "weigh"]

_K1 = 1.2
_B = 0.6
"""How soon counts saturate, and how much length matters: BM25's usual values."""

_PAIR = 0.3
"""What a pair of words counts beside its words. Half as much or twice as much is as good."""

_VARIANT = 0.5
"""What a word of nearly the same letters or meaning counts, times how alike they are."""

_NUMBER = 0.5
"""What a number counts: in a request it is a value more often than what a tool is about."""

_OTHERS = 1000
"""Documents that a library is thought to be a part of, when it is asked what a word says."""

_MAX_TERMS = 64
"""Different words of a query that are looked at, the rarest: an agent may paste a page."""


@dataclass(frozen=True, eq=False)
class Part:
    """A segment in its place.

    Attributes:
        segment: The segment.
        alive: Which of its documents are still there.
        offset: Position of its first document among all.
        average: The average length of all documents.
    """

    segment: Segment
    alive: Any = field(repr=False)
    offset: int
    average: float

    @cached_property
    def words(self) -> Postings:
        """The documents of each word, counts saturated."""
        return self._saturated(self.segment.words)

    @cached_property
    def pairs(self) -> Postings:
        """The documents of each pair, counts saturated."""
        return self._saturated(self.segment.paired)

    def _saturated(self, found: Postings) -> Postings:
        import numpy as np

        length = self.segment.lengths / np.float32(self.average or 1)
        norm = np.float32(_K1 * (1 - _B)) + np.float32(_K1 * _B) * length
        counts = found.counts * np.float32(_K1 + 1) / (found.counts + norm[found.documents])
        return Postings(found.starts, found.documents, counts)


class Snapshot:
    """All documents at one time; never changes, so that any thread may look at it.

    Args:
        segments: Segments, each with a mask of the documents that are still there.
    """

    def __init__(self, segments: Sequence[tuple[Segment, Any]]) -> None:
        words = sum(float(segment.lengths[alive].sum()) for segment, alive in segments)
        self.count = sum(int(alive.sum()) for _, alive in segments)
        parts, offset = [], 0
        for segment, alive in segments:
            parts.append(Part(segment, alive, offset, words / max(self.count, 1)))
            offset += len(segment.names)
        self.parts = tuple(parts)
        self.size = offset

    @cached_property
    def names(self) -> list[str]:
        """Names by position, also of what is no longer there."""
        return [name for part in self.parts for name in part.segment.names]

    @cached_property
    def alive(self) -> Any:
        """Which positions are still there."""
        import numpy as np

        return np.concatenate([part.alive for part in self.parts] or [np.zeros(0, bool)])

    def rarity(self, documents: int, others: int = 0) -> float:
        """Inverse document frequency of what so many documents have, and no ``others``."""
        without = max(0, self.count + others - documents)
        return log1p((without + 0.5) / (documents + 0.5))

    def documents_of(self, term: str) -> int:
        """Return how many documents have a stem."""
        return sum(_length(part.words, part.segment.ids.get(term)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the words of a query say about all documents.

    Attributes:
        words: The query's different content words, as written.
        stems: Their stems.
        rarities: How rare each is among the documents.
        columns: A row for each of them, a column for each document: what it adds to the score.
        own: In the same shape, whether the document has the word, or one of nearly its letters.
        paired: What the pairs of words in it say for each document.
        scores: What all of it adds up to.
        best: What a document could have at most.
        telling: How much each of the words says, whatever the documents are: rarity among them and
            a thousand others that have none of the words. Of five documents about the weather, all
            have the word, and it still says something.
        unheard: What a word says that no document has.
    """

    words: list[str]
    stems: list[str]
    rarities: list[float]
    columns: Any
    own: Any
    paired: Any
    scores: Any
    best: float
    telling: list[float]
    unheard: float


def weigh(snapshot: Snapshot, words: Sequence[str]) -> Weighed:
    """Weigh all documents by the content words of a query, of which there is at least one.

    A word that is said twice counts once: people repeat themselves.
    """
    import numpy as np

    stems = list(map(stem, words))
    having = {term: snapshot.documents_of(term) for term in dict.fromkeys(stems)}
    rarity = {
        term: snapshot.rarity(documents) * (_NUMBER if term.isdigit() else 1)
        for term, documents in having.items()
    }
    rarest = {*sorted(having, key=lambda term: having[term])[:_MAX_TERMS]}
    chosen = [term for term in having if term in rarest]
    written = dict(zip(reversed(stems), reversed(words), strict=True))
    columns: Any = np.zeros((len(chosen), snapshot.size), np.float32)
    for column, term in zip(columns, chosen, strict=True):
        _fill(column, snapshot, term, rarity[term])
    own = columns > 0
    for column, term in zip(columns, chosen, strict=True):
        _fill_meant(column, snapshot, term, rarity[term])
    best = sum(rarity[term] for term in chosen)
    paired: Any = np.zeros(snapshot.size, np.float32)
    for first, second in dict.fromkeys(pairwise(stems)):
        best += _PAIR * _add_pair(paired, snapshot, first, second)
    return Weighed(
        words=[written[term] for term in chosen],
        stems=chosen,
        rarities=[rarity[term] for term in chosen],
        columns=columns,
        own=own,
        paired=paired,
        scores=columns.sum(axis=0) + np.float32(_PAIR) * paired,
        best=best * (_K1 + 1),
        telling=[snapshot.rarity(having[term], _OTHERS) for term in chosen],
        unheard=snapshot.rarity(0, _OTHERS),
    )


def _fill(column: Any, snapshot: Snapshot, term: str, rarity: float) -> None:
    """Put what a word adds for each document, and words of nearly its letters."""
    for part in snapshot.parts:
        exact = part.segment.ids.get(term)
        for row, alike in part.segment.grams.like(term):
            if row != exact:
                _add_variant(column, snapshot, part, row, alike, rarity)
        if exact is not None:
            _add(column, part, exact, rarity)


def _fill_meant(column: Any, snapshot: Snapshot, term: str, rarity: float) -> None:
    """Put what words of nearly the same meaning add, where they add more."""
    for other, alike in synonyms(term):
        for part in snapshot.parts:
            row = part.segment.ids.get(other)
            if row is not None:
                _add_variant(column, snapshot, part, row, alike, rarity)


def _add_variant(
    column: Any, snapshot: Snapshot, part: Part, row: int, alike: float, rarity: float
) -> None:
    # A common word's rare misspelling is no rare word.
    known = snapshot.rarity(snapshot.documents_of(part.segment.terms[row]))
    _add(column, part, row, _VARIANT * alike * min(rarity, known))


def _add(column: Any, part: Part, row: int, weight: float) -> None:
    """Put what a part's word adds, where nothing adds more."""
    import numpy as np

    here = column[part.offset : part.offset + len(part.segment.names)]
    documents, counts = part.words.of(row)
    here[documents] = np.maximum(here[documents], counts * np.float32(weight))


def _add_pair(paired: Any, snapshot: Snapshot, first: str, second: str) -> float:
    """Add what two words say that follow each other; return how much at most, saturation apart."""
    import numpy as np

    found = [(part, part.segment.pair(first, second)) for part in snapshot.parts]
    weight = snapshot.rarity(sum(_length(part.pairs, row) for part, row in found))
    for part, row in found:
        if row is not None:
            documents, counts = part.pairs.of(row)
            paired[documents + part.offset] += counts * np.float32(weight)
    return weight


def _length(postings: Postings, row: int | None) -> int:
    return 0 if row is None else int(postings.starts[row + 1] - postings.starts[row])
