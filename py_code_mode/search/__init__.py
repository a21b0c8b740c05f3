"""Finds skills and tools by plain words: one index for both.

Place in the house: values layer; ``skills`` and ``tools`` stand on it.

``Index`` holds documents and finds them; ``IndexKeeper`` is what a store offers to keep an index
beside it; ``Embedder`` is what finds by meaning, and ``SentenceTransformersEmbedder`` is one.
"""

from __future__ import annotations

from py_code_mode.search.document import Document, Hit
from py_code_mode.search.filekeeper import FileIndexKeeper
from py_code_mode.search.index import Index
from py_code_mode.search.keeping import IndexedStore, IndexKeeper
from py_code_mode.search.local import SentenceTransformersEmbedder
from py_code_mode.search.meaning import Embedder
from py_code_mode.search.words import near_names

__all__ = [
    "Document",
    "Embedder",
    "FileIndexKeeper",
    "Hit",
    "Index",
    "IndexKeeper",
    "IndexedStore",
    "SentenceTransformersEmbedder",
    "near_names",
]
