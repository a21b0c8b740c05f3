"""Documents by what they mean: vectors of an embedder, where one is given.

Place in the house: ``search``, beside scoring, below the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from py_code_mode.errors import ConfigError

__all__ = ["Embedder", "Meaning", "vectors_of"]

_UNRELATED = (
    "The recipe needs two eggs and a spoon of sugar.",
    "Parliament adjourned without a vote on the budget.",
    "A fever above forty degrees calls for a doctor.",
    "The goalkeeper saved the penalty in the last minute.",
    "Restart the router when the connection drops.",
    "Violins and cellos carry the second movement.",
    "The glacier has retreated a mile since the war.",
    "Interest on the loan is due every quarter.",
)
"""Texts that have nothing to do with each other. How alike an embedder finds them is its zero:
some models call any two texts 0.05 alike, others 0.75."""


_ROWS = 2
"""Dimensions of an array of vectors."""


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors, so that texts of like meaning have vectors of like direction.

    The two methods are those that LangChain's embeddings have. They may be called from any thread,
    one at a time for each index.

    Attributes:
        name: What tells its vectors from those of other models; they are kept under it.
    """

    name: str

    def embed_documents(self, texts: Sequence[str]) -> Any:
        """Return a vector for each document: rows of numbers, as lists or as an array."""
        ...

    def embed_query(self, text: str) -> Any:
        """Return the vector of a query."""
        ...


@dataclass(frozen=True, slots=True)
class Meaning:
    """An embedder in use.

    Attributes:
        embedder: The embedder.
        unrelated: How alike it finds texts that have nothing to do with each other.
    """

    embedder: Embedder
    unrelated: float

    @classmethod
    def of(cls, embedder: Embedder) -> Meaning:
        """Find out where an embedder's zero is."""
        vectors = vectors_of(embedder, _UNRELATED)
        count = len(vectors)
        alike = float((vectors @ vectors.T).sum() - count) / (count * (count - 1))
        return cls(embedder, min(max(alike, 0.0), 0.99))

    def query(self, text: str) -> Any:
        """Return the vector of a query."""
        return _unit(self.embedder, [self.embedder.embed_query(text)], 1)[0]

    def nearness(self, cosine: Any) -> Any:
        """Return how near in meaning: 0 for what is unrelated, 1 for the same."""
        return (cosine - self.unrelated) / (1 - self.unrelated)


def vectors_of(embedder: Embedder, texts: Sequence[str]) -> Any:
    """Return vectors of length 1, a row for each text.

    Raises:
        ConfigError: The embedder gave something else than a vector of numbers for each text.
    """
    return _unit(embedder, embedder.embed_documents(texts), len(texts))


def _unit(embedder: Embedder, given: Any, count: int) -> Any:
    import numpy as np

    try:
        vectors = np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"embedder {embedder.name!r}: not rows of numbers: {error}") from error
    if vectors.shape[:1] != (count,) or vectors.ndim != _ROWS or not np.isfinite(vectors).all():
        wrong = f"{count} vectors of finite numbers are needed, not an array of {vectors.shape}"
        raise ConfigError(f"embedder {embedder.name!r}: {wrong}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
