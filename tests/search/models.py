"""Models for tests: an embedder that knows a few synonyms, and folders with small real models."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TOPICS = {
    "weather": {"weather", "storm", "rain", "umbrella", "forecast", "sky"},
    "network": {"ports", "nmap", "host", "intruder", "firewall", "scan"},
    "text": {"article", "summarize", "essay", "sentences", "condense", "brevity"},
    "web": {"page", "download", "url", "website", "fetch"},
}


class TopicEmbedder:
    """An embedder by hand: one number for each topic, and one for everything else.

    Args:
        name: Its name.
    """

    def __init__(self, name: str = "topics") -> None:
        self.name = name
        self.embedded: list[str] = []

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        self.embedded += texts
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        words = set(re.findall(r"[a-z]+", text.lower()))
        topics = [float(len(words & topic)) for topic in TOPICS.values()]
        # Texts of no topic have each a direction of their own.
        other = [0.0] * 64
        if not any(topics):
            other[sum(map(ord, text)) % 64] = 1.0
        return [*topics, *other, 0.01]


def bert_folder(
    path: Path, *, seed: int = 0, pooling: str = "mean", **config: Any
) -> dict[str, np.ndarray]:
    """Write a BERT of random weights as sentence-transformers does; return the weights."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    for word in sorted(set().union(*TOPICS.values())):
        vocabulary[word] = len(vocabulary)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    path.mkdir(parents=True)
    tokenizer.save(str(path / "tokenizer.json"))
    shape = {
        "model_type": "bert",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "max_position_embeddings": 12,
        "vocab_size": len(vocabulary),
        **config,
    }
    weights = _weights(shape, seed)
    write_safetensors(path / "model.safetensors", weights)
    files = {
        "config.json": shape,
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {
                "idx": 1,
                "name": "1",
                "path": "1_Pooling",
                "type": "sentence_transformers.models.Pooling",
            },
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape["hidden_size"],
            "pooling_mode_cls_token": pooling == "cls",
            "pooling_mode_mean_tokens": pooling == "mean",
            "pooling_mode_max_tokens": pooling == "max",
        },
    }
    for name, data in files.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(json.dumps(data))
    return weights


def _weights(shape: Mapping[str, Any], seed: int) -> dict[str, np.ndarray]:
    width, wide = shape["hidden_size"], shape["intermediate_size"]
    sizes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (shape["vocab_size"], width),
        "embeddings.position_embeddings.weight": (shape["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    norms = ["embeddings.LayerNorm"]
    linears: dict[str, tuple[int, int]] = {}
    for number in range(shape["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linears[f"{layer}.attention.{part}"] = (width, width)
        linears[f"{layer}.intermediate.dense"] = (wide, width)
        linears[f"{layer}.output.dense"] = (width, wide)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name, (out, into) in linears.items():
        sizes |= {f"{name}.weight": (out, into), f"{name}.bias": (out,)}
    for name in norms:
        sizes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    chosen = np.random.default_rng(seed)
    return {
        name: chosen.normal(scale=0.5, size=size).astype(np.float32) for name, size in sizes.items()
    }


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write tensors in the safetensors format."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, values in tensors.items():
        end = offset + values.nbytes
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    data = b"".join(values.tobytes() for values in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
