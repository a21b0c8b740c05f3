"""Makes the thesaurus of the search: ``python -m benchmarks.search_thesaurus MODEL``.

MODEL is the folder of a sentence-transformers model of the BERT architecture. Its whole words, the
most frequent of English, are embedded one by one; which are near to each other is written to
``py_code_mode/search/thesaurus.txt``. No data set is looked at. It takes some minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from py_code_mode.search import SentenceTransformersEmbedder, thesaurus
from py_code_mode.search.meaning import vectors_of
from py_code_mode.search.words import content, stem

__all__ = ["lines", "near"]

_LEAST, _MOST = 0.6, 10
"""How alike two words must be, and of how many words a word is thought to be the like."""

_SHORTEST = 3
_ROWS = 1000


def words_of(model: Path) -> list[str]:
    """Return a word for each stem of a model's vocabulary, the most frequent."""
    found: dict[str, str] = {}
    for word in model.joinpath("vocab.txt").read_text("utf-8").splitlines():
        if word.isascii() and word.isalpha() and len(word) >= _SHORTEST and content([word]):
            found.setdefault(stem(word), word)
    return [*found.values()]


def near(vectors: Any) -> Iterator[list[tuple[int, float]]]:
    """Yield for each row of an array which rows are nearest, and how near."""
    for start in range(0, len(vectors), _ROWS):
        for at, row in enumerate(vectors[start : start + _ROWS] @ vectors.T, start):
            row[at] = 0
            best = np.argsort(-row)[:_MOST]
            yield [(int(other), float(row[other])) for other in best if row[other] >= _LEAST]


def lines(words: Sequence[str], nearest: Iterable[Sequence[tuple[int, float]]]) -> list[str]:
    """Return what the thesaurus says, sorted, in hundredths."""
    stems = [stem(word) for word in words]
    found = []
    for word, others in zip(stems, nearest, strict=True):
        if others:
            alike = (f"{stems[at]} {int(value * 100)}" for at, value in others)
            found.append(" ".join([word, *alike]))
    return sorted(found)


def main() -> int:
    """Write the file; return the exit code."""
    if len(sys.argv) != len(("program", "model")):
        print(__doc__, file=sys.stderr)
        return 2
    model = Path(sys.argv[1])
    words = words_of(model)
    made = lines(words, near(vectors_of(SentenceTransformersEmbedder(model), words)))
    thesaurus.FILE.write_text("\n".join([*made, ""]), "utf-8")
    print(f"{len(made)} of {len(words)} words have others like them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
