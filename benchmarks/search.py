"""Searches: making an index, opening a kept one, and asking, in the process and from a cell.

With ``SEARCH_SETS`` in the environment, a directory of data sets for ``search_quality``, and
``SEARCH_MODEL``, a folder with a sentence-transformers model, quality is measured, too.
"""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks import discovery
from benchmarks.bench import Bench
from benchmarks.discovery import MANNERS, NOUNS, VERBS
from benchmarks.rows import MS, SHARE, Row, S, Target, Unit, at_least, at_most
from benchmarks.samples import Samples, quantile
from benchmarks.search_quality import measure_quality, read_sets
from py_code_mode import CodeExecutor, MemorySkillStore, create_skill_library
from py_code_mode.search import Document, FileIndexKeeper, Index
from py_code_mode.search.local import SentenceTransformersEmbedder

__all__ = ["measure"]

QUERIES = (
    *discovery.QUERIES,
    "I want to see what happened to my order, could you check its history for me please?",
    "chocolate cake",
)

SOURCE = '''\
import json

def run({noun}_id: str, limit: int = 10) -> list[str]:
    """{verb} the {noun}s {manner}."""
    rows = tools.{noun}s.{verb}(id={noun}_id, limit=limit)
    found = [json.dumps(row) for row in rows if row["{noun}"] != {number}]
    artifacts.save("{noun}s/{number}.json", found)
    return found
'''

CELL = """\
from time import perf_counter
queries = {queries!r}
def turn():
    found = []
    for query in queries:
        started = perf_counter()
        skills.search(query)
        found.append(perf_counter() - started)
    return found
turn();
"""


def measure(bench: Bench) -> list[Row]:
    """Measure speed, and quality where there are data sets."""
    return [*_speed(bench), *_from_a_cell(bench), *_quality(bench)]


def _documents(count: int) -> list[Document]:
    """Skills of a few lines: a docstring, parameters and source."""
    made = []
    parts = itertools.product(range(count), VERBS, NOUNS, MANNERS)
    for number, verb, noun, manner in itertools.islice(parts, count):
        plain = manner.replace("_", " ")
        source = SOURCE.format(verb=verb, noun=noun, manner=plain, number=number)
        made.append(
            Document(
                f"{verb}_{noun}_{manner}_{number}",
                f"{verb.title()} the {noun}s {plain}, a line for each",
                f"Number {number} of its kind. The {noun}s come from the archive, newest first.",
                parameters=f"{noun}_id str which {noun}\nlimit int how many at most",
                source=source,
            )
        )
    return made


def _speed(bench: Bench) -> list[Row]:
    small, large = _documents(1_000), _documents(10_000)
    Index(small[:10]).search("x")  # loads numpy
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        keeper = FileIndexKeeper(Path(name, "index"))
        Index(large, keeper=keeper).search("x")
        index = Index(large)
        index.search("x")
        found = bench.take_turns(
            "search",
            bench.pick(10, 3),
            {
                "1,000": lambda: [_first(Index(small))],
                "10,000": lambda: [_first(Index(large))],
                "open": lambda: [_first(Index(large, keeper=keeper))],
                "query": lambda: [_timed(index, query) for query in QUERIES],
            },
        )
    return [
        Row("index 1,000 skills", S, found["1,000"], target=at_most(0.2, S)),
        Row("index 10,000 skills", S, found["10,000"], target=at_most(2, S)),
        Row("open a kept index of 10,000", S, found["open"], target=at_most(0.15, S)),
        Row("query among 10,000", MS, found["query"], target=_p95_within(4, MS)),
    ]


def _first(index: Index) -> float:
    """Time until an index has answered once, which is when it is made."""
    seconds = _timed(index, "merge two branches")
    gc.collect()  # the last one's documents are not this one's cost
    return seconds


def _timed(index: Index, query: str) -> float:
    started = perf_counter()
    index.search(query)
    return perf_counter() - started


def _p95_within(limit: float, unit: Unit) -> Target:
    """95 of 100 samples are at most ``limit``."""
    return Target(
        f"p95 <= {limit:g} {unit.name}",
        lambda row: quantile(row.ours.all, 0.95) * unit.scale <= limit,
    )


def _from_a_cell(bench: Bench) -> list[Row]:
    library = create_skill_library(MemorySkillStore())
    for each in _documents(100):
        library.create(each.name, each.source, each.description)
    executor = CodeExecutor(skill_library=library)
    try:
        bench.run(executor.start())
        bench.run(_cell(executor, CELL.format(queries=QUERIES)))
        found = bench.take_turns(
            "skills.search in a cell",
            bench.pick(20, 4),
            {"search": lambda: bench.run(_cell(executor, "turn()"))},
        )
    finally:
        bench.finish(executor.aclose())
    what = "skills.search among 100, from a cell"
    return [Row(what, MS, found["search"], target=at_most(5, MS))]


async def _cell(executor: CodeExecutor, code: str) -> list[float]:
    found: list[float] = (await executor.run(code)).unwrap()
    return found


def _quality(bench: Bench) -> list[Row]:
    directory, model = os.environ.get("SEARCH_SETS"), os.environ.get("SEARCH_MODEL")
    if not directory:
        bench.say("  quality: not measured, SEARCH_SETS names no directory of data sets")
        return []
    bench.say("  quality")
    sets = read_sets(Path(directory))
    found = measure_quality(sets)
    gains = [each.ndcg for each in found.values()]
    lost = [each.recall_of_all - each.recall for each in found.values()]
    empty = [each.empty_of_all for each in found.values()]
    rows = [
        Row("nDCG@10, mean of data sets", SHARE, _one(gains), target=at_least(0.68, SHARE)),
        Row("nothing relevant: found nothing", SHARE, _one(empty), target=at_least(0.8, SHARE)),
        Row("recall@10 lost by that", SHARE, _one(lost), target=at_most(0.02, SHARE)),
    ]
    if not model:
        bench.say("  hybrid quality: not measured, SEARCH_MODEL names no folder with a model")
        return rows
    bench.say("  quality with a model (embedding takes minutes)")
    hybrid = measure_quality(sets, embedder=SentenceTransformersEmbedder(model))
    gains = [each.ndcg for each in hybrid.values()]
    empty = [each.empty_of_all for each in hybrid.values()]
    return [
        *rows,
        Row("nDCG@10, hybrid", SHARE, _one(gains), target=at_least(0.735, SHARE)),
        Row("nothing relevant, hybrid", SHARE, _one(empty), target=at_least(0.8, SHARE)),
    ]


def _one(values: list[float]) -> Samples:
    return Samples([[statistics.fmean(values)]])
