"""Makes the word vectors of the search: ``python -m benchmarks.search_vectors MODEL TEXTS CACHE``.

MODEL is the folder of a sentence-transformers model of the BERT architecture. TEXTS is a folder
with sentences to learn from: WordNet's ``data.noun`` and its like (Debian: wordnet-base), and
``Translation-en``, Debian's descriptions of packages. No data set that searches are measured on is
looked at. CACHE is a file that keeps what the model says of each sentence: that takes an hour.

A sentence's vector is to be the sum of its words' vectors: which vectors fit best is a problem of
least squares, solved by conjugate gradients (Hestenes and Stiefel, 1952), a little drawn to what
the model says of each word alone. What it comes to is written in as few numbers as serve as well
(principal components), as bytes, to ``py_code_mode/search/wordvectors.*``.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search_thesaurus import words_of
from py_code_mode.search import SentenceTransformersEmbedder, wordvectors
from py_code_mode.search.meaning import vectors_of
from py_code_mode.search.postings import rows
from py_code_mode.search.words import stem, terms_of

__all__ = ["sentences", "solve"]

_LEAST, _MOST = 5, 40
"""Words of a sentence of a package's description that is learned from."""

_SEEN = 6
"""Sentences that a word must be in, unless the model's own vocabulary has it."""

_PRIOR = 1.0
"""How much a word alone counts beside the sentences it is in."""

_STEPS = 30
_WIDTH = 192
_AT_ONCE = 300
"""Rows of a product that are added up at a time: what they take stays in the processor's cache."""


def sentences(folder: Path) -> list[str]:
    """Return the sentences of WordNet and of Debian's packages, each once."""
    found = [*_wordnet(folder), *_packages(folder / "Translation-en")]
    return list(dict.fromkeys(found))


def _wordnet(folder: Path) -> Iterator[str]:
    """Yield what words mean, with the words, and examples of their use."""
    for file in sorted(folder.glob("data.*")):
        for line in file.read_text("latin-1").splitlines():
            if line.startswith("  ") or "|" not in line:
                continue
            head, _, gloss = line.partition("|")
            fields = head.split()
            names = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
            words = ", ".join(re.sub(r"\(.*\)", "", name).replace("_", " ") for name in names)
            meaning, *examples = re.split(r';\s*"', gloss.strip())
            yield f"{words}: {meaning.strip(' ;')}"
            said = (example.partition('"')[0].strip() for example in examples)
            yield from (example for example in said if len(example.split()) > 2)


def _packages(file: Path) -> Iterator[str]:
    """Yield what packages are, by name, and the sentences of their descriptions."""
    entry = re.compile(r"^Description-en: (.*)\n((?: .*\n?)*)", re.MULTILINE)
    for part in file.read_text("utf-8").split("\n\n"):
        described = entry.search(part)
        named = re.search(r"^Package: (.*)$", part, re.MULTILINE)
        if described is None or named is None:
            continue
        yield f"{named[1].replace('-', ' ')}: {described[1]}"
        body = re.sub(r"\n +[*-] ", ". ", re.sub(r"\n \.\n", "\n\n", described[2]))
        for paragraph in body.split("\n\n"):
            text = " ".join(paragraph.split())
            for sentence in re.split(r"(?<=[.!?:]) +", text):
                if _LEAST <= len(sentence.split()) <= _MOST:
                    yield sentence


def solve(owner: Any, words: Any, wanted: Any, alone: Any) -> Any:
    """Return vectors of words whose sums are as near as can be to those of sentences.

    Args:
        owner: The sentence of each occurrence of a word, growing.
        words: The word of each occurrence.
        wanted: A row for each sentence.
        alone: A row for each word, near which its vector is to stay.
    """
    lengths = np.bincount(owner, minlength=len(wanted))
    share = (1 / np.sqrt(np.maximum(lengths, 1)))[owner].astype(np.float32)
    forth = rows(owner, words, share, np.arange(len(wanted)), len(alone))
    back = rows(words, owner, share, np.arange(len(alone)), len(wanted))
    found = alone.copy()
    rest = _product(back, wanted - _product(forth, found))
    ahead, size = rest.copy(), (rest * rest).sum(axis=0)
    for _ in range(_STEPS):
        turned = _product(back, _product(forth, ahead)) + np.float32(_PRIOR) * ahead
        step = size / np.maximum((ahead * turned).sum(axis=0), 1e-12)
        found += step * ahead
        rest -= step * turned
        former, size = size, (rest * rest).sum(axis=0)
        ahead = rest + size / np.maximum(former, 1e-12) * ahead
    return found


def _product(matrix: Any, dense: Any) -> Any:
    """Multiply a sparse matrix by rows of numbers."""
    starts = matrix.starts
    result: Any = np.zeros((len(starts) - 1, dense.shape[1]), np.float32)
    for first in range(0, len(result), _AT_ONCE):
        last = min(first + _AT_ONCE, len(result))
        part = slice(starts[first], starts[last])
        there = np.flatnonzero(starts[first:last] < starts[first + 1 : last + 1])
        if len(there):
            terms = dense[matrix.documents[part]] * matrix.counts[part, None]
            result[first + there] = np.add.reduceat(terms, starts[first + there] - starts[first])
    return result


def _embedded(model: Path, texts: Sequence[str], cache: Path) -> Any:
    if cache.exists():
        return np.load(cache)["vectors"].astype(np.float32)
    vectors = vectors_of(SentenceTransformersEmbedder(model), texts)
    np.savez(cache, vectors=vectors.astype(np.float16))
    return vectors


def main() -> int:
    """Write the files; return the exit code."""
    if len(sys.argv) != len(("program", "model", "texts", "cache")):
        print(__doc__, file=sys.stderr)
        return 2
    model, folder, cache = map(Path, sys.argv[1:])
    texts = sentences(folder)
    wanted = _embedded(model, texts, cache)
    terms = [list(map(str, terms_of(text))) for text in texts]
    seen = Counter(term for each in terms for term in {*each})
    words = words_of(model)
    often = (term for term, count in seen.items() if count >= _SEEN)
    ids = {term: at for at, term in enumerate(sorted({*often, *map(stem, words)}))}
    known = [[ids[term] for term in each if term in ids] for each in terms]
    middle = wanted.mean(axis=0)
    alone: Any = np.zeros((len(ids), wanted.shape[1]), np.float32)
    alone[[ids[stem(word)] for word in words]] = (
        vectors_of(SentenceTransformersEmbedder(model), words) - middle
    )
    owner = np.repeat(np.arange(len(known)), [len(each) for each in known])
    found = solve(
        owner, np.concatenate([*map(np.array, known)]).astype(int), wanted - middle, alone
    )
    _, directions = np.linalg.eigh(found.T @ found)
    short = found @ directions[:, ::-1][:, :_WIDTH]
    # Four standard deviations fill a byte: what lies beyond is rare.
    scaled = np.clip(np.round(short / (4 * short.std()) * 127), -127, 127)
    np.save(wordvectors.VECTORS, scaled.astype(np.int8))
    wordvectors.TERMS.write_text("\n".join([*ids, ""]), "utf-8")
    print(f"{len(ids)} words of {len(texts)} sentences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
