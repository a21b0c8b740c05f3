"""Sparse matrices of counts: which documents have a word, and how much of it.

Place in the house: bottom of ``search``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Postings", "rows"]


@dataclass(frozen=True, slots=True)
class Postings:
    """Which documents have a key, and how much of it: rows of a sparse matrix.

    Attributes:
        starts: Where each key's documents begin; one more than there are keys.
        documents: Positions of documents, growing within a key.
        counts: How often the document has the key, by the weight of the fields it is in.
    """

    starts: Any
    documents: Any
    counts: Any

    def of(self, row: int) -> tuple[Any, Any]:
        """Return the documents of one key, and the counts."""
        part = slice(self.starts[row], self.starts[row + 1])
        return self.documents[part], self.counts[part]


def rows(keys: Any, owner: Any, counts: Any, all_keys: Any, documents: int) -> Postings:
    """Sort by key, then document, and add up what belongs together.

    Args:
        keys: A key, a position in ``all_keys``, for each occurrence.
        owner: Its document.
        counts: What it counts.
        all_keys: Every key there is.
        documents: How many documents there are.
    """
    import numpy as np

    both = keys * max(documents, 1) + owner
    order = np.argsort(both, kind="stable")
    both = both[order]
    first = np.flatnonzero(np.concatenate([[True], both[1:] != both[:-1]])) if len(both) else both
    sums = np.add.reduceat(counts[order], first) if len(both) else counts
    key, document = np.divmod(both[first], max(documents, 1))
    starts = np.searchsorted(key, np.append(all_keys, len(all_keys)))
    return Postings(
        starts.astype(np.int64), document.astype(np.int32), sums.astype(np.float32, copy=False)
    )
