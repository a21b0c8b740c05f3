"""An embedder as the index uses it: what fails in it is told apart from what fails here.

Place in the house: ``search``, beside meaning, below the index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from py_code_mode.errors import ConfigError
from py_code_mode.search.meaning import Embedder

__all__ = ["EmbedderError", "Guarded", "WidthError"]


class EmbedderError(Exception):
    """An embedder raised something. It never leaves the index, which goes on with words alone."""


class WidthError(Exception):
    """An embedder's vectors have another width than former ones. Nor does it leave the index."""


class Guarded:
    """An ``Embedder`` around another one.

    Args:
        embedder: The one that does the work.

    Attributes:
        name: Its name.
        width: Numbers of a vector; None before the first one.

    Raises:
        ConfigError: It is no embedder.
    """

    def __init__(self, embedder: Embedder) -> None:
        if not isinstance(embedder, Embedder):
            raise ConfigError(
                "an embedder has a name and the methods embed_documents and embed_query, which "
                f"{type(embedder).__module__}.{type(embedder).__qualname__} has not"
            )
        name: object = embedder.name
        if not isinstance(name, str) or not name:
            raise ConfigError(f"the name of an embedder is a text, not {name!r:.80}")
        self.name = name
        self.width: int | None = None
        self._embedder = embedder

    def embed_documents(self, texts: Sequence[str]) -> Any:
        """Return rows of numbers."""
        return self._checked(self._embedder.embed_documents, texts)

    def embed_query(self, text: str) -> Any:
        """Return the numbers of one text."""
        return self._checked(self._embedder.embed_query, text)

    def _checked(self, embed: Callable[[Any], Any], given: Any) -> Any:
        import numpy as np

        try:
            found = embed(given)
        except Exception as error:
            raise EmbedderError(
                f"embedder {self.name!r} failed: {type(error).__name__}: {error!s:.200}"
            ) from error
        try:
            with np.errstate(over="ignore"):
                vectors = np.asarray(found, np.float32)
        except (TypeError, ValueError):
            return found  # what is wrong with it is said where it is used
        if vectors.ndim == 0:
            return found
        width = vectors.shape[-1]
        if width == 0:
            raise ConfigError(f"embedder {self.name!r}: a vector has no numbers")
        if self.width not in (None, width):
            raise WidthError(
                f"embedder {self.name!r}: a vector has {width} numbers, former ones {self.width}"
            )
        self.width = width
        return vectors
