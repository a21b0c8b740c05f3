"""Ranks named documents (skills, tools) against a query in plain words.

Place in the house: values layer; ``skills`` and ``tools`` stand on it, it imports nothing of ours.

The mean of two TF-IDF cosines: one over words and word pairs (precise), one over character
n-grams of 3 to 5 (forgiving: ``scanning`` finds ``scan``). Both see a document as one text: its
name, given twice so that it weighs more, its description and the rest. Identifiers are split
(``scanPorts``, ``scan_ports`` and ``scan ports`` are the same words) and function words dropped.
A document whose name, or its part behind the last dot, is the query or begins with it comes first
whatever the cosines say.

scikit-learn takes a second to import, so only the first search that has anything to rank does.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

__all__ = ["CachedIndex", "Document", "Index", "near_names", "rank"]

_NAME_REPEATS = 2

_MAX_QUERY = 2_000
"""Characters of a query that are looked at: an agent may paste a page."""

_MAX_NAME = 200
"""Characters of a mistyped name that are looked at: comparing is quadratic."""

_MAX_FIELD = 20_000
"""Characters of a field that are looked at: a huge skill must not make a huge index."""

_CHAR_FLOOR = 0.1
"""How alike in its letters a document must be that shares no whole word with the query; below
it n-grams agree by chance (``ake`` in ``cake`` and ``take``). Of the development sets one loses
0.004 of nDCG by it, the others nothing."""

_EXACT_NAME = 3.0
_NAME_PREFIX = 1.5
"""A mean of cosines is at most 1, so each bonus lifts a name over all it should be over."""

_BOUNDARY = re.compile(
    r"[\W_]+"
    r"|(?<=[a-z])(?=[A-Z])"  # scanPorts
    r"|(?<=[A-Z])(?=[A-Z][a-z])"  # HTTPServer
    r"|(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])"  # base64
)

# Function words only: scikit-learn's own list also drops "find", "show", "move" and "system",
# which are what tools are named after.
_FUNCTION_WORDS = """
a about all also am an and any are as at be because been being but by can could did do does
doing for from had has have having he her here hers him his how i if in into is it its just
let me might more most must my no nor not now of on once only or other our ours out over own
please shall she should so some such than that the their theirs them then there these they
this those through to too under until up us very want was we were what when where which while
who whom whose why will with would you your yours
"""
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True, slots=True)
class Document:
    """What can be found.

    Attributes:
        name: Identifier, possibly dotted; weighs most.
        description: One line or a few.
        text: Everything else worth matching (documentation, parameters, source).
    """

    name: str
    description: str = ""
    text: str = ""


class Index:
    """An index over fixed documents; fitted on the first search, usable from any thread.

    Args:
        documents: What to search. Results name them by position.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        self._names = [_name_forms(document.name) for document in self.documents]
        self._fitted: _Fitted | None = None
        self._lock = threading.Lock()

    def search(self, query: str, limit: int = 10) -> list[tuple[int, float]]:
        """Find the best documents for ``query``.

        Args:
            query: Plain words, or a name, or the beginning of one.
            limit: How many to return at most.

        Returns:
            ``(position, score)``, best first; equal scores keep the documents' order. Documents
            that have nothing to do with the query are left out, so the list may be empty.
        """
        words = _words(query[:_MAX_QUERY])
        if not words or not self.documents or limit <= 0:
            return []
        content = _content(words)
        scores = self._fit().scores(" ".join(content)) if content else {}
        for position, bonus in self._name_bonuses(words, prefixes=bool(content)):
            scores[position] = scores.get(position, 0.0) + bonus
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:limit]

    def _name_bonuses(self, words: list[str], *, prefixes: bool) -> Iterator[tuple[int, float]]:
        """Yield a bonus for every name that is the query or begins with it."""
        wanted = " ".join(words)
        for position, (whole, last) in enumerate(self._names):
            if wanted in (whole, last):
                yield position, _EXACT_NAME
            elif prefixes and (whole.startswith(wanted) or last.startswith(wanted)):
                yield position, _NAME_PREFIX

    def _fit(self) -> _Fitted:
        with self._lock:
            if self._fitted is None:
                self._fitted = _Fitted([_text(document) for document in self.documents])
            return self._fitted


class CachedIndex:
    """Keeps one ``Index`` until the documents change, which a key tells cheaply.

    Usable from any thread: whoever comes while an index is being made waits for that one.
    """

    def __init__(self) -> None:
        self._key: object = None
        self._index: Index | None = None
        self._lock = threading.Lock()

    def get(self, key: object, documents: Callable[[], Sequence[Document]]) -> Index:
        """Return the index for ``key``, made anew when ``key`` differs from the last one.

        Args:
            key: Anything that compares unequal once the documents changed.
            documents: Called for the documents when an index has to be made.
        """
        with self._lock:
            if self._index is None or key != self._key:
                self._index = Index(documents())
                self._key = key
            return self._index


def rank(query: str, documents: Sequence[Document], limit: int) -> list[tuple[int, float]]:
    """Rank ``documents`` once; see ``Index.search``. For repeated queries keep an ``Index``."""
    return Index(documents).search(query, limit)


def near_names(name: str, names: Iterable[str], limit: int = 3) -> list[str]:
    """Return the ``names`` someone who wrote ``name`` may have meant, most alike first."""
    return difflib.get_close_matches(name[:_MAX_NAME], names, n=limit)


class _Fitted:
    """The two term-document matrices, transposed so that a query touches only its own terms."""

    def __init__(self, texts: list[str]) -> None:
        self._words: tuple[Any, Any] | None = None
        self._chars: tuple[Any, Any] | None = None
        if not any(texts):  # scikit-learn refuses an empty vocabulary
            return
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        shared = {"sublinear_tf": True, "lowercase": False, "dtype": np.float32}
        words = TfidfVectorizer(
            ngram_range=(1, 2),
            token_pattern=r"\S+",  # noqa: S106 - a token of text
            **shared,
        )
        chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared)
        self._words = words, words.fit_transform(texts).T.tocsr()
        self._chars = chars, chars.fit_transform(texts).T.tocsr()

    def scores(self, query: str) -> dict[int, float]:
        """Return the score of every document that has something to do with ``query``."""
        if self._words is None or self._chars is None:
            return {}
        by_word = _cosines(*self._words, query)
        by_char = _cosines(*self._chars, query)
        floor = _CHAR_FLOOR / _known_share(self._chars[0], query) if by_char else 0.0
        return {
            position: (by_word.get(position, 0.0) + letters) / 2
            for position, letters in by_char.items()
            if position in by_word or letters >= floor
        }


def _cosines(vectorizer: Any, postings: Any, query: str) -> dict[int, float]:
    row = (vectorizer.transform([query]) @ postings).tocsr()
    return dict(zip(row.indices.tolist(), row.data.tolist(), strict=True))


def _known_share(vectorizer: Any, query: str) -> float:
    """How long the query's vector is without the terms that no document has.

    scikit-learn leaves those out before it makes the vector's length 1. In a small library that
    would make a query of strange words as good a match by its one common syllable as a query
    that is nothing but that syllable.
    """
    weights = {True: 0.0, False: 0.0}
    idf, vocabulary = vectorizer.idf_, vectorizer.vocabulary_
    for term, count in Counter(vectorizer.build_analyzer()(query)).items():
        position = vocabulary.get(term)
        weight = idf.max() if position is None else idf[position]
        weights[position is not None] += float(weight * (1 + log(count))) ** 2
    return sqrt(weights[True] / (weights[True] + weights[False]))


def _words(text: str) -> list[str]:
    """Split text and identifiers into lower-case words."""
    return _BOUNDARY.sub(" ", text).lower().split()


def _name_forms(name: str) -> tuple[str, str]:
    """A name in words, and its last part: people say ``get_alerts`` for ``weather.get_alerts``."""
    return " ".join(_words(name)), " ".join(_words(name.rpartition(".")[2]))


def _content(words: list[str]) -> list[str]:
    return [word for word in words if word not in _STOP_WORDS]


def _text(document: Document) -> str:
    """A document as one text of content words."""
    fields = [document.name] * _NAME_REPEATS + [document.description, document.text]
    return " ".join(word for field in fields for word in _content(_words(field[:_MAX_FIELD])))
