"""Words by their letters: which of a vocabulary are nearly the same as one that is asked for.

Place in the house: ``search``, below segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

__all__ = ["Grams"]

_ALIKE = 0.6
"""Dice's coefficient of the trigrams of two words, from which they are alike: two thirds of the
letters, about. ``authenticate`` is like ``authentication``, ``cake`` not like ``take``."""

_SHORTEST = 4
"""Letters of a word that has variants: below, one letter is a third of it."""

_BITS = 21
"""Of a Unicode code point; three of them are one number of 64 bits."""

_REMEMBERED = 4096


class Grams:
    """The trigrams of a vocabulary.

    Args:
        terms: The vocabulary; results name its words by position.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        import numpy as np

        grams, owner = _grams(terms)
        order = np.lexsort((owner, grams))
        grams, owner = grams[order], owner[order]
        new: Any = np.ones(len(grams), bool)
        new[1:] = (grams[1:] != grams[:-1]) | (owner[1:] != owner[:-1])
        grams, owner = grams[new], owner[new]
        self._grams, self._starts = np.unique(grams, return_index=True)
        self._starts = np.append(self._starts, len(owner))
        self._owner = owner
        self._sizes = np.bincount(owner, minlength=len(terms))
        self.like = lru_cache(_REMEMBERED)(self._like)

    def _like(self, word: str) -> tuple[tuple[int, float], ...]:
        """Return the words that are nearly ``word``, and how alike they are, 1 at most."""
        import numpy as np

        if len(word) < _SHORTEST or not len(self._owner):
            return ()
        wanted = np.unique(_grams([word])[0])
        rows: Any = np.searchsorted(self._grams, wanted)
        rows = rows[self._grams[np.minimum(rows, len(self._grams) - 1)] == wanted].tolist()
        found = [self._owner[self._starts[row] : self._starts[row + 1]] for row in rows]
        if not found:
            return ()
        shared = np.bincount(np.concatenate(found))
        alike = 2 * shared / (len(wanted) + self._sizes[: len(shared)])
        near = np.flatnonzero(alike >= _ALIKE)
        return tuple(zip(near.tolist(), alike[near].tolist(), strict=True))


def _grams(words: Sequence[str]) -> tuple[Any, Any]:
    """Return all trigrams, the blanks around a word included, and the word each is of."""
    import numpy as np

    lengths = np.array([len(word) + 2 for word in words], dtype=np.int64)
    text = "".join(f" {word} " for word in words).encode("utf-32-le", "surrogatepass")
    letters = np.frombuffer(text, np.uint32).astype(np.int64)
    owner: Any = np.repeat(np.arange(len(words)), lengths)
    inside = owner[2:] == owner[:-2]
    grams = (letters[:-2] << 2 * _BITS) | (letters[1:-1] << _BITS) | letters[2:]
    return grams[inside], owner[:-2][inside]
