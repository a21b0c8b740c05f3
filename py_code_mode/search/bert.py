"""A BERT encoder in numpy: what small sentence-transformers models are made of.

Place in the house: ``search``, below the adapter that loads models from disk. torch is a
download of hundreds of megabytes; the six layers of a small model are a page of matrix products.

The architecture is that of Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers"
(2019), with the weight names of the transformers library.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Bert", "read_safetensors"]

_LENGTH = struct.Struct("<Q")

_MAX_HEADER = 100_000_000
"""Bytes of a safetensors header, by the format's own definition."""

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}


class Bert:
    """Turns batches of token ids into one vector for each token.

    Args:
        config: The model's ``config.json``.
        weights: Its tensors by name; a ``bert.`` in front of all names is left out.

    Raises:
        ValueError: The configuration asks for something that is not BERT.
        KeyError: A tensor is missing.
    """

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
        if config.get("hidden_act", "gelu") != "gelu":
            raise ValueError(f"hidden_act {config['hidden_act']!r} is not supported, only 'gelu'")
        if config.get("position_embedding_type", "absolute") != "absolute":
            raise ValueError("only absolute position embeddings are supported")
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self._weights = {name.removeprefix("bert."): each for name, each in weights.items()}
        self._layers = range(int(config["num_hidden_layers"]))
        self.max_tokens = int(config["max_position_embeddings"])
        self.width = int(config["hidden_size"])

    def __call__(self, ids: Any, mask: Any) -> Any:
        """Encode a batch.

        Args:
            ids: Token ids, one row for each text, padded to the same length.
            mask: 1 where a token is, 0 where padding is.

        Returns:
            Vectors of shape (texts, tokens, width).
        """
        import numpy as np

        weights = self._weights
        state = weights["embeddings.word_embeddings.weight"][ids]
        state = state + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        state = state + weights["embeddings.token_type_embeddings.weight"][0]
        state = self._norm(state, "embeddings.LayerNorm")
        unseen = np.where(mask, np.float32(0), np.float32(-1e9))[:, None, None, :]
        for number in self._layers:
            layer = f"encoder.layer.{number}"
            mixed = self._linear(
                self._attend(state, unseen, layer), f"{layer}.attention.output.dense"
            )
            state = self._norm(state + mixed, f"{layer}.attention.output.LayerNorm")
            wide = _gelu(self._linear(state, f"{layer}.intermediate.dense"))
            state = self._norm(
                state + self._linear(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm"
            )
        return state

    def _attend(self, state: Any, unseen: Any, layer: str) -> Any:
        """Multi-head self-attention."""
        import numpy as np

        texts, tokens, width = state.shape
        size = width // self._heads

        def heads(name: str) -> Any:
            flat = self._linear(state, f"{layer}.attention.self.{name}")
            return flat.reshape(texts, tokens, self._heads, size).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").swapaxes(2, 3) / np.float32(size**0.5) + unseen
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(texts, tokens, width)

    def _linear(self, state: Any, name: str) -> Any:
        return state @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, state: Any, name: str) -> Any:
        centred = state - state.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scaled = centred / (variance + self._epsilon) ** 0.5
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(x: Any) -> Any:
    """Multiply by the normal distribution function.

    numpy has no ``erf``: Abramowitz and Stegun 7.1.26, off by at most 1.5e-7.
    """
    import numpy as np

    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        poly = poly * t + np.float32(factor)
    tail = poly * t * np.exp(-z * z)
    return x * np.float32(0.5) * (1 + np.copysign(1 - tail, x))


def read_safetensors(path: Path) -> dict[str, Any]:
    """Read all tensors of a safetensors file.

    Raises:
        ValueError: It is no such file.
        OSError: It cannot be read.
    """
    import numpy as np

    with path.open("rb") as file:
        prefix = file.read(_LENGTH.size)
        if len(prefix) < _LENGTH.size or _LENGTH.unpack(prefix)[0] > _MAX_HEADER:
            raise ValueError(f"{path}: not a safetensors file")
        header = json.loads(file.read(_LENGTH.unpack(prefix)[0]))
        begin = file.tell()
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=begin)
    tensors = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        if about["dtype"] not in _DTYPES:
            raise ValueError(f"{path}: tensor {name!r} is of type {about['dtype']}")
        part = slice(*about["data_offsets"])
        values = data[part].view(_DTYPES[about["dtype"]]).reshape(about["shape"])
        # A copy: they begin anywhere in the file, and products of unaligned numbers are slow.
        tensors[name] = np.array(values, np.float32 if values.dtype.kind == "f" else None)
    return tensors
