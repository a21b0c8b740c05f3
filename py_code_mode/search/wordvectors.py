"""What words mean, in numbers: texts that say nearly the same have vectors of like direction.

Place in the house: ``search``, below segments.

``wordvectors.txt`` has a stem on each line, ``wordvectors.npy`` a row of bytes for each of them. A
text's vector is the sum of its words'. They were made so that these sums are near to what
all-MiniLM-L6-v2 (Apache License 2.0) says of sentences from WordNet and from Debian's descriptions
of packages; ``benchmarks/search_vectors.py`` makes them anew. They say what that model says at the
price of an addition, and know no order of words.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from py_code_mode.search.postings import Postings

__all__ = ["TERMS", "VECTORS", "WIDTH", "of_documents", "of_words"]

TERMS = Path(__file__).with_suffix(".txt")
VECTORS = Path(__file__).with_suffix(".npy")

WIDTH = 192
"""Numbers of a vector."""

_AT_ONCE = 50_000
"""Occurrences that are added up at a time: each takes 768 bytes."""


@cache
def _table() -> tuple[dict[str, int], Any]:
    import numpy as np

    terms = TERMS.read_text("utf-8").split()
    return {term: row for row, term in enumerate(terms)}, np.load(VECTORS, mmap_mode="r")


def of_words(stems: Iterable[str]) -> Any:
    """Return the vector, of length 1, of different words; zeros if none is known."""
    import numpy as np

    ids, table = _table()
    rows = [ids[stem] for stem in dict.fromkeys(stems) if stem in ids]
    return _unit(table[rows].astype(np.float32).sum(axis=0)[None])[0]


def of_documents(terms: Iterable[str], words: Postings, count: int) -> Any:
    """Return a vector for each document: rows of length 1, or of zeros where no word is known.

    Args:
        terms: The stems, in the order of ``words``.
        words: Which documents have them, and how often.
        count: How many documents there are.
    """
    import numpy as np

    ids, table = _table()
    known = np.array([ids.get(term, -1) for term in terms], np.int64)
    row: Any = np.repeat(known, np.diff(words.starts))
    there = np.flatnonzero(row >= 0)
    order = there[np.argsort(words.documents[there], kind="stable")]
    row, owner, counts = row[order], words.documents[order], words.counts[order]
    found: Any = np.zeros((count, WIDTH), np.float32)
    for start in range(0, len(row), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        vectors = table[row[part]].astype(np.float32) * counts[part, None]
        owners, first = np.unique(owner[part], return_index=True)
        found[owners] += np.add.reduceat(vectors, first)
    # In half precision, as it is kept: an opened index finds what it found when it was made.
    return _unit(found).astype(np.float16).astype(np.float32)


def _unit(vectors: Any) -> Any:
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1).astype(np.float32)
