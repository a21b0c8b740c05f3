"""A part of an index: the words of some documents, turned round so that a word gives documents.

Place in the house: ``search``, below the index, which holds a large segment and a small one. A
segment never changes. It is plain arrays and lists of text, so it is kept without pickle.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from py_code_mode.search.document import FIELDS, Document
from py_code_mode.search.grams import Grams
from py_code_mode.search.postings import Postings, rows
from py_code_mode.search.words import name_forms, terms_of
from py_code_mode.search.wordvectors import of_documents

__all__ = ["Postings", "Segment", "build"]

_MAX_FIELD = 20_000
"""Characters of a field that are looked at: a huge skill must not make a huge index."""

_UNPAIRED = "source"
"""The field whose words are not looked at in pairs: code is no text."""

_TERM_BITS = 32
"""Of a pair's key, for its second word."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Documents, and where their words are.

    Attributes:
        names: The documents' names.
        forms: The names in words, whole and without their first parts, sorted; and whose they are.
        digests: The documents' digests.
        terms: Every stem that any of them has.
        words: Documents of each stem.
        pairs: Two stems that follow each other, as one number each, sorted.
        paired: Documents of each pair.
        lengths: Words of each document, by the weight of their fields.
        meant: A row for each document: what its words mean, see ``wordvectors``.
        vectors: A row for each document of an embedder's, of length 1; None without one.
    """

    names: list[str]
    forms: list[tuple[str, int]]
    digests: list[str]
    terms: list[str]
    words: Postings
    pairs: Any
    paired: Postings
    lengths: Any
    meant: Any = field(repr=False)
    vectors: Any = field(default=None, repr=False)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Positions of the stems."""
        return {term: position for position, term in enumerate(self.terms)}

    @cached_property
    def grams(self) -> Grams:
        """The stems by their letters."""
        return Grams(self.terms)

    def begins(self, wanted: str) -> Iterator[tuple[int, bool]]:
        """Yield the documents whose names begin with ``wanted``, and whether that is all."""
        for form, position in self.forms[bisect_left(self.forms, (wanted,)) :]:
            if not form.startswith(wanted):
                return
            yield position, form == wanted

    def pair(self, first: str, second: str) -> int | None:
        """Return the row of a pair in ``paired``."""
        import numpy as np

        ids = self.ids.get(first), self.ids.get(second)
        if ids[0] is None or ids[1] is None:
            return None
        key = (ids[0] << _TERM_BITS) | ids[1]
        row = int(np.searchsorted(self.pairs, key))
        return row if row < len(self.pairs) and self.pairs[row] == key else None


class _Vocabulary(dict[str, list[int]]):
    """What stands between two blanks -> the ids of its stems, made when first asked for."""

    def __init__(self) -> None:
        self.terms: dict[str, int] = {}

    def __missing__(self, token: str) -> list[int]:
        terms = self.terms
        ids = [terms.setdefault(term, len(terms)) for term in terms_of(token)]
        self[token] = ids
        return ids


def build(documents: Sequence[Document], digests: Sequence[str]) -> Segment:
    """Make a segment of documents."""
    import numpy as np

    vocabulary = _Vocabulary()
    ids, lengths = array("q"), array("q")
    for document in documents:
        for name in FIELDS:
            tokens = getattr(document, name)[:_MAX_FIELD].split()
            before = len(ids)
            ids.extend(chain.from_iterable(map(vocabulary.__getitem__, tokens)))
            lengths.append(len(ids) - before)
    terms = np.frombuffer(ids, np.int64) if ids else np.zeros(0, np.int64)
    runs = np.frombuffer(lengths, np.int64) if lengths else np.zeros(0, np.int64)
    count = len(documents)
    owner: Any = np.repeat(np.repeat(np.arange(count), len(FIELDS)), runs)
    weight: Any = np.repeat(np.tile(np.array([*FIELDS.values()], np.float32), count), runs)
    keys, paired = _pairs(terms, owner, weight, runs)
    words = rows(terms, owner, weight, np.arange(len(vocabulary.terms)), count)
    return Segment(
        names=[document.name for document in documents],
        forms=sorted(
            {(form, at) for at, each in enumerate(documents) for form in name_forms(each.name)}
        ),
        digests=[*digests],
        terms=[*vocabulary.terms],
        words=words,
        pairs=keys,
        paired=paired,
        lengths=np.bincount(owner, weight, count).astype(np.float32),
        meant=of_documents(vocabulary.terms, words, count),
    )


def _pairs(terms: Any, owner: Any, weight: Any, runs: Any) -> tuple[Any, Postings]:
    """Count the words that follow each other within a field."""
    import numpy as np

    fields: Any = np.repeat(np.arange(len(runs)), runs)
    unpaired = [*FIELDS].index(_UNPAIRED)
    follows = (fields[:-1] == fields[1:]) & (fields[:-1] % len(FIELDS) != unpaired)
    keys = (terms[:-1][follows] << _TERM_BITS) | terms[1:][follows]
    unique, positions = np.unique(keys, return_inverse=True)
    count = len(runs) // len(FIELDS)
    found = rows(
        positions, owner[:-1][follows], weight[:-1][follows], np.arange(len(unique)), count
    )
    return unique, found


def merge(parts: Sequence[tuple[Segment, Any]]) -> Segment:
    """Make one segment of several.

    Args:
        parts: Segments, each with a mask of its documents that are to be kept.
    """
    import numpy as np

    terms: dict[str, int] = {}
    words, pairs, forms = [], [], []
    offset = 0
    for segment, kept in parts:
        ids = np.array(
            [terms.setdefault(term, len(terms)) for term in segment.terms], dtype=np.int64
        )
        moved = np.cumsum(kept) - 1 + offset
        offset += int(kept.sum())
        at = moved.tolist()
        forms += [(form, at[old]) for form, old in segment.forms if kept[old]]
        words.append(_moved(segment.words, ids, kept, moved))
        first, second = segment.pairs >> _TERM_BITS, segment.pairs & (2**_TERM_BITS - 1)
        keys = (ids[first] << _TERM_BITS) | ids[second] if len(ids) else segment.pairs
        pairs.append(_moved(segment.paired, keys, kept, moved))
    key, owner, count = (np.concatenate(column) for column in zip(*words, strict=True))
    used, numbered = np.unique(key, return_inverse=True)
    names = [*terms]
    renamed = np.full(len(names) + 1, -1)
    renamed[used] = np.arange(len(used))
    pair, pair_owner, pair_count = (np.concatenate(column) for column in zip(*pairs, strict=True))
    pair = (renamed[pair >> _TERM_BITS] << _TERM_BITS) | renamed[pair & (2**_TERM_BITS - 1)]
    unique, pair = np.unique(pair, return_inverse=True)
    return Segment(
        names=list(chain.from_iterable(_kept(s.names, kept) for s, kept in parts)),
        forms=sorted(forms),
        digests=list(chain.from_iterable(_kept(s.digests, kept) for s, kept in parts)),
        terms=[names[term] for term in used.tolist()],
        words=rows(numbered, owner, count, np.arange(len(used)), offset),
        pairs=unique,
        paired=rows(pair, pair_owner, pair_count, np.arange(len(unique)), offset),
        lengths=np.concatenate([segment.lengths[kept] for segment, kept in parts]),
        meant=np.concatenate([segment.meant[kept] for segment, kept in parts]),
        vectors=_joined([(s.vectors, kept) for s, kept in parts]),
    )


def _joined(parts: Sequence[tuple[Any, Any]]) -> Any:
    import numpy as np

    if any(vectors is None for vectors, _ in parts):
        return None
    return np.concatenate([vectors[kept] for vectors, kept in parts])


def _kept(values: Sequence[str], kept: Any) -> list[str]:
    return [value for value, keep in zip(values, kept.tolist(), strict=True) if keep]


def _moved(postings: Postings, keys: Any, kept: Any, moved: Any) -> tuple[Any, Any, Any]:
    """Return the occurrences in kept documents, with other keys and documents."""
    import numpy as np

    here = kept[postings.documents]
    key: Any = np.repeat(keys, np.diff(postings.starts))
    return key[here], moved[postings.documents[here]], postings.counts[here]


def as_arrays(segment: Segment) -> Mapping[str, Any]:
    """Return the arrays of a segment by name."""
    arrays = {
        "lengths": segment.lengths,
        "meant": segment.meant,
        "pairs": segment.pairs,
        "word_starts": segment.words.starts,
        "word_documents": segment.words.documents,
        "word_counts": segment.words.counts,
        "pair_starts": segment.paired.starts,
        "pair_documents": segment.paired.documents,
        "pair_counts": segment.paired.counts,
    }
    return arrays if segment.vectors is None else {**arrays, "vectors": segment.vectors}
