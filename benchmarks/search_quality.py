"""How good searches are: ``python -m benchmarks.search_quality DIRECTORY [--model FOLDER]``.

The directory has a folder for each data set, with ``corpus.jsonl`` (``id``, ``name``,
``description``, and maybe ``docstring``, ``params``, ``source``) and ``queries.jsonl`` (``id``,
``query``, ``relevant``). Queries are split in halves by a hash of their ids: what is tuned is tuned
on the even half, and what is reported is the odd one.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.offtopic import half_of, off_topic
from py_code_mode.search import Document, Embedder, FileIndexKeeper, Index
from py_code_mode.search.local import SentenceTransformersEmbedder
from py_code_mode.search.ranking import ranked

__all__ = ["Quality", "documents", "measure_quality", "read_sets"]

DEPTH = 10
"""Hits that are looked at."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured on one data set.

    Attributes:
        ndcg: nDCG@10 of what a search gives.
        recall: Recall@10 of what a search gives.
        recall_of_all: Recall@10 if nothing were left out as not relevant.
        ndcg_of_all: nDCG@10 if nothing were left out as not relevant.
        empty: Share of queries of each kind without an answer that find nothing.
        empty_of_all: Share of all 200 of them.
    """

    ndcg: float
    recall: float
    recall_of_all: float
    ndcg_of_all: float
    empty: Mapping[str, float]
    empty_of_all: float


def read_sets(directory: Path) -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Read corpus and queries of every data set."""
    found = {}
    for corpus in sorted(directory.glob("*/corpus.jsonl")):
        both = (corpus, corpus.with_name("queries.jsonl"))
        rows = [
            [json.loads(line) for line in file.read_text("utf-8").splitlines()] for file in both
        ]
        found[corpus.parent.name] = rows[0], rows[1]
    return found


def documents(corpus: Iterable[Mapping[str, str]]) -> list[Document]:
    """Return what is indexed of a corpus."""
    return [
        Document(
            row["name"],
            row["description"],
            row.get("docstring", ""),
            parameters=row.get("params", ""),
            source=row.get("source", ""),
        )
        for row in corpus
    ]


def measure_quality(
    sets: Mapping[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]],
    *,
    half: int = 1,
    embedder: Embedder | None = None,
    kept: Path | None = None,
) -> dict[str, Quality]:
    """Measure each data set.

    Args:
        sets: What ``read_sets`` gives.
        half: Which half of the queries.
        embedder: Searches by meaning, too.
        kept: A folder for indexes: embedding thousands of documents takes minutes.
    """
    every = {name: queries for name, (_, queries) in sets.items()}
    found = {}
    for name, (corpus, queries) in sets.items():
        keeper = None if kept is None else FileIndexKeeper(kept / f"{name}.index")
        index = Index(documents(corpus), keeper=keeper, embedder=embedder)
        chosen = [query for query in queries if half_of(query) == half]
        strange = off_topic(name, every, half)
        found[name] = _of_one(index, {row["name"]: row["id"] for row in corpus}, chosen, strange)
    return found


def _of_one(
    index: Index,
    ids: Mapping[str, str],
    queries: Sequence[Mapping[str, Any]],
    strange: Mapping[str, Sequence[str]],
) -> Quality:
    gains, recalls, all_recalls, all_gains = [], [], [], []
    for query in queries:
        relevant = {*query["relevant"]}
        hits = [ids[hit.name] for hit in index.search(query["query"], DEPTH)]
        gains.append(_ndcg(hits, relevant))
        recalls.append(len(relevant & {*hits}) / len(relevant))
        every = ranked(
            index._current(), query["query"], DEPTH, index._meaning, None, everything=True
        )
        all_recalls.append(len(relevant & {ids[hit.name] for hit in every}) / len(relevant))
        all_gains.append(_ndcg([ids[hit.name] for hit in every], relevant))
    empty = {
        kind: [not index.search(query, DEPTH) for query in some] for kind, some in strange.items()
    }
    means = map(statistics.fmean, (gains, recalls, all_recalls, all_gains))
    by_kind = {kind: statistics.fmean(each) for kind, each in empty.items()}
    return Quality(*means, by_kind, statistics.fmean(chain.from_iterable(empty.values())))


def _ndcg(hits: Sequence[str], relevant: set[str]) -> float:
    gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit in relevant)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(DEPTH, len(relevant))))


def main() -> int:
    """Print a table; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search_quality", description=__doc__
    )
    parser.add_argument("directory", type=Path, help="the data sets")
    parser.add_argument(
        "--model", type=Path, help="a sentence-transformers model, for hybrid search"
    )
    parser.add_argument("--half", type=int, choices=(0, 1), default=1, help="0: tuned on; 1: not")
    parser.add_argument("--keep", type=Path, help="a folder for indexes with their embeddings")
    arguments = parser.parse_args()
    sets = read_sets(arguments.directory)
    if not sets:
        print(f"{arguments.directory}: no data sets (*/corpus.jsonl)", file=sys.stderr)
        return 1
    embedder = None if arguments.model is None else SentenceTransformersEmbedder(arguments.model)
    found = measure_quality(sets, half=arguments.half, embedder=embedder, kept=arguments.keep)
    _show(found)
    return 0


def _show(found: Mapping[str, Quality]) -> None:
    print(f"{'set':12} nDCG@10  recall@10  of all  empty  by kind")
    for name, each in found.items():
        kinds = ", ".join(f"{kind} {share:.2f}" for kind, share in each.empty.items())
        print(
            f"{name:12} {each.ndcg:.4f}   {each.recall:.4f}     {each.recall_of_all:.4f}  "
            f"{each.empty_of_all:.2f}   {kinds}"
        )
    for name in ("ndcg", "ndcg_of_all", "recall", "recall_of_all", "empty_of_all"):
        print(
            f"mean {name}: {statistics.fmean(getattr(each, name) for each in found.values()):.4f}"
        )


if __name__ == "__main__":
    sys.exit(main())
