"""An embedder for sentence-transformers models that lie on this machine. Never a download.

Place in the house: ``search``, an adapter behind ``Embedder``; the index knows nothing of it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from py_code_mode.errors import ConfigError

__all__ = ["SentenceTransformersEmbedder"]

_BATCH = 16
"""Texts that are encoded together, of about the same length."""

_SAMPLE = 1024 * 1024
"""Bytes of the weights by which two models are told apart: the first and the last."""

_POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
}


class SentenceTransformersEmbedder:
    """A model in the layout of the sentence-transformers library, in a folder.

    Models of the BERT architecture (all-MiniLM, BGE, E5, GTE in their usual sizes) with weights in
    ``model.safetensors`` run on numpy and the ``tokenizers`` package. Others, and prompts a model
    wants before its texts, need the sentence-transformers library and torch, and run on those.

    Args:
        path: The model's folder, with its ``modules.json`` and ``config.json``.

    Attributes:
        name: The folder's name, and a digest of the weights.

    Raises:
        ConfigError: There is no such model there, or a package it needs is not installed; the
            message says which.
    """

    def __init__(self, path: Path | str) -> None:
        folder = Path(path)
        if not (folder / "config.json").is_file():
            raise ConfigError("no sentence-transformers model: config.json is missing", file=folder)
        self.path = folder
        self.name = f"{folder.resolve().name}-{_digest(folder)}"
        self._lock = threading.Lock()
        self._encode = _on_numpy(folder) or _on_torch(folder)

    def embed_documents(self, texts: Sequence[str]) -> Any:
        """Return a row of numbers for each text."""
        with self._lock:  # a tokenizer is not for several threads at once
            return self._encode([*texts])

    def embed_query(self, text: str) -> Any:
        """Return the numbers of one text."""
        return self.embed_documents([text])[0]

    def __repr__(self) -> str:
        return f"SentenceTransformersEmbedder({str(self.path)!r})"


def _digest(folder: Path) -> str:
    """Tell a model from others of its name by a sample of its files."""
    found = hashlib.blake2b(digest_size=8)
    for file in sorted(folder.glob("**/*")):
        if file.suffix not in {".safetensors", ".bin", ".json"} or not file.is_file():
            continue
        size = file.stat().st_size
        found.update(f"{file.relative_to(folder)} {size} ".encode())
        with file.open("rb") as opened:
            found.update(opened.read(_SAMPLE))
            opened.seek(max(0, size - _SAMPLE))
            found.update(opened.read(_SAMPLE))
    return found.hexdigest()


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        data = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"not readable as JSON: {error}", file=file) from error
    return data if isinstance(data, dict) else {"": data}


def _on_numpy(folder: Path) -> Any:
    """Return what encodes texts with numpy; None if the model is another kind."""
    config = _read(folder / "config.json")
    pooling = _pooling(folder)
    weights = folder / "model.safetensors"
    tokenizer = folder / "tokenizer.json"
    if config.get("model_type") != "bert" or pooling is None:
        return None
    if not weights.is_file() or not tokenizer.is_file():
        return None
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ConfigError(
            "a model on disk needs the package tokenizers: pip install 'py-code-mode[embed]'",
            file=folder,
        ) from error
    from py_code_mode.search.bert import Bert, read_safetensors

    try:
        bert = Bert(config, read_safetensors(weights))
        pieces = Tokenizer.from_file(str(tokenizer))
    except (ValueError, KeyError, OSError) as error:
        raise ConfigError(f"the model cannot be loaded: {error}", file=folder) from error
    longest = _read(folder / "sentence_bert_config.json").get("max_seq_length") or bert.max_tokens
    pieces.no_padding()
    pieces.enable_truncation(min(int(longest), bert.max_tokens))
    return _NumpyEncoder(pieces, bert, pooling)


def _pooling(folder: Path) -> str | None:
    """Return how a model makes one vector of many; None if in a way that is not known here."""
    modules = _read(folder / "modules.json").get("", [])
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return None
    prompts = _read(folder / "config_sentence_transformers.json").get("prompts") or {}
    if any(prompts.values()):
        return None
    config = _read(folder / modules[1]["path"] / "config.json")
    chosen = [mode for mode in config if mode.startswith("pooling_mode") and config[mode] is True]
    return _POOLINGS.get(chosen[0]) if len(chosen) == 1 else None


class _NumpyEncoder:
    """Tokens, a BERT encoder, and one vector for each text."""

    def __init__(self, pieces: Any, bert: Any, pooling: str) -> None:
        self._pieces = pieces
        self._bert = bert
        self._pooling = pooling

    def __call__(self, texts: list[str]) -> Any:
        import numpy as np

        # A lone surrogate, which no tokenizer takes, may come from a document on disk.
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        tokens = [encoded.ids for encoded in self._pieces.encode_batch(clean)]
        order = sorted(range(len(tokens)), key=lambda at: len(tokens[at]))
        vectors = np.zeros((len(tokens), self._bert.width), np.float32)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            vectors[batch] = self._batch([tokens[at] for at in batch])
        return vectors

    def _batch(self, tokens: list[list[int]]) -> Any:
        import numpy as np

        longest = max(map(len, tokens))
        ids = np.array([row + [0] * (longest - len(row)) for row in tokens], np.int64)
        mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in tokens], np.float32)
        if not longest:  # texts without a token, and a model without markers around them
            return np.zeros((len(tokens), self._bert.width), np.float32)
        states = self._bert(ids, mask)
        if self._pooling == "cls":
            return states[:, 0]
        return (states * mask[:, :, None]).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)[:, None]


def _on_torch(folder: Path) -> Any:
    """Return what encodes texts with the sentence-transformers library."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ConfigError(
            "this kind of model needs the sentence-transformers library: "
            "pip install sentence-transformers",
            file=folder,
        ) from error
    model = SentenceTransformer(str(folder), local_files_only=True)
    return lambda texts: model.encode(texts, show_progress_bar=False)
