"""From a query to hits: names first, then words and meaning, and nothing where nothing fits.

Place in the house: ``search``, above scoring, below the index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

from py_code_mode.search.common import telling
from py_code_mode.search.document import Hit
from py_code_mode.search.meaning import Meaning
from py_code_mode.search.scoring import Snapshot, Weighed, weigh
from py_code_mode.search.words import content, split

__all__ = ["ranked"]

_MAX_QUERY = 2_000
"""Characters of a query that are looked at: an agent may paste a page."""

_PREFIX, _EXACT = 1.0, 2.0
"""Added to what fits at most 1, so that names precede all else."""

_LOOKED_AT = 10
"""Hits of which one must be convincing: the first may be first by a chance that others lack."""

_MOST = 0.6
"""A document that has more than this part of a query's words has to do with it, by how telling they
are in general, or in general and among the documents."""

_CONVINCING, _BY_CHANCE = 0.165, 0.3
"""Less is enough if the evidence exceeds ``_CONVINCING * documents ** _BY_CHANCE``: the best of
many documents fits better by chance than the best of a few."""

_FLOOR, _NEAR = 0.2, 0.5
"""What a hit must have at least of the best one's score, or of its nearness in meaning."""

_WORDS_SAY, _NO_WORDS, _MEANING_SAYS, _SLACK = 0.5, 0.02, 20.0, 1.2
"""With an embedder: what evidence of words and nearness in meaning say together, against the
logarithm of the number of documents, less some slack."""

_LEAST = 1e-6
"""Rarity of a word that every document has, which must not be divided by when it is 0."""

_MEANING = 2.0
"""What nearness in meaning counts beside words, both in standard deviations."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of all documents for one query."""

    words: list[str]
    weighed: Weighed | None
    fits: Any
    cosines: Any
    named: dict[int, float]


def ranked(
    snapshot: Snapshot,
    query: str,
    limit: int,
    meaning: Meaning | None,
    among: Callable[[str], bool] | None,
    *,
    everything: bool = False,
) -> list[Hit]:
    """Return what fits a query, best first.

    Args:
        snapshot: The documents.
        query: What is looked for.
        limit: How many to return at most.
        meaning: The embedder, if there is one.
        among: Tells by name which documents count.
        everything: Whether what is not relevant is returned, too; for measurements.
    """
    words = split(query[:_MAX_QUERY])
    if not words:
        return []
    told = content(words)
    weighed = weigh(snapshot, told) if told else None
    cosines = None
    if meaning is not None and told:
        cosines = _cosines(snapshot, meaning.query(query[:_MAX_QUERY]))
    fits = _fits(snapshot, weighed, cosines)
    found = _Found(words, weighed, fits, cosines, _named(snapshot, words, prefixes=bool(told)))
    order = _order(snapshot, found, max(limit, _LOOKED_AT), among)
    if not everything:
        order = _relevant(snapshot, found, order, meaning)
    return [_hit(snapshot, found, position) for position in order[:limit]]


def _named(snapshot: Snapshot, words: list[str], *, prefixes: bool) -> dict[int, float]:
    """Return a bonus for every document whose name is the query or begins with it."""
    wanted = " ".join(words)
    bonuses: dict[int, float] = {}
    for part in snapshot.parts:
        for position, exact in part.segment.begins(wanted):
            if part.alive[position] and (exact or prefixes):
                bonus = _EXACT if exact else _PREFIX
                at = part.offset + position
                bonuses[at] = max(bonus, bonuses.get(at, 0.0))
    return bonuses


def _cosines(snapshot: Snapshot, vector: Any) -> Any:
    import numpy as np

    return np.concatenate([part.segment.vectors @ vector for part in snapshot.parts])


def _fits(snapshot: Snapshot, weighed: Weighed | None, cosines: Any) -> Any:
    """Return how well each document fits, from 0 to 1."""
    import numpy as np

    lexical = np.zeros(snapshot.size, np.float32) if weighed is None else weighed.scores
    if cosines is None:
        return lexical / np.float32((weighed.best if weighed else 0) or 1)
    both = _standard(lexical, snapshot.alive) + _MEANING * _standard(cosines, snapshot.alive)
    return 1 / (1 + np.exp(-both / (1 + _MEANING)))


def _standard(values: Any, alive: Any) -> Any:
    """Return values in standard deviations from their mean."""
    import numpy as np

    there = values[alive].astype(np.float64)
    spread = float(there.std())
    return (values - float(there.mean())) / spread if spread > 0 else np.zeros(len(values))


def _order(
    snapshot: Snapshot, found: _Found, count: int, among: Callable[[str], bool] | None
) -> list[int]:
    """Return the positions of the best, equals by name."""
    import numpy as np

    names, scores = snapshot.names, np.where(snapshot.alive, found.fits, 0)
    for position, bonus in found.named.items():
        scores[position] += bonus
    chosen = np.flatnonzero(scores > 0)
    if among is not None:
        chosen = chosen[[among(names[at]) for at in chosen.tolist()]]
    if len(chosen) > count:
        fits = scores[chosen]
        chosen = chosen[fits >= np.partition(fits, -count)[-count]]
    best = zip(
        (-scores[chosen]).tolist(), (names[at] for at in chosen), chosen.tolist(), strict=True
    )
    return [at for *_, at in sorted(best)[:count]]


def _relevant(
    snapshot: Snapshot, found: _Found, order: list[int], meaning: Meaning | None
) -> list[int]:
    """Leave out what has nothing to do with the query, and what has little beside the best."""
    import numpy as np

    if not order:
        return []
    if not _is_relevant(snapshot, found, order[:_LOOKED_AT], meaning):
        return [position for position in order if position in found.named]
    near: Any = np.zeros(len(order), bool)
    if found.weighed is not None:
        scores = found.weighed.scores[order]
        near |= scores > _FLOOR * float(scores.max())
    if meaning is not None and found.cosines is not None:
        nearness = meaning.nearness(found.cosines[order])
        near |= nearness > _NEAR * max(float(nearness.max()), 0.0)
    pairs = zip(order, near.tolist(), strict=True)
    return [position for position, is_near in pairs if is_near or position in found.named]


def _is_relevant(
    snapshot: Snapshot, found: _Found, order: list[int], meaning: Meaning | None
) -> bool:
    """Whether the best documents have to do with the query, not only a word in common."""
    most, evidence = (0.0, 0.0) if found.weighed is None else _evidence(found.weighed, order)
    if most > _MOST:
        return True
    if meaning is None or found.cosines is None:
        return bool(evidence > _CONVINCING * snapshot.count**_BY_CHANCE)
    nearness = meaning.nearness(float(found.cosines[order].max()))
    told: float = _WORDS_SAY * log(evidence + _NO_WORDS) + _MEANING_SAYS * nearness
    return told > log(snapshot.count) - _SLACK


def _evidence(weighed: Weighed, order: list[int]) -> tuple[float, float]:
    """Return what part of the query a document has, and how much that says, at most.

    The second is how many telling words of the query a document has, times how its score compares
    with that of one word that is nowhere else. Here a pair of words is as good as a word.
    """
    import numpy as np

    rarities = np.maximum(np.array(weighed.rarities, np.float32), _LEAST)
    has = weighed.columns[:, order] / rarities[:, None]
    general = np.array([telling(stem) for stem in weighed.stems], np.float32)
    here = np.array(weighed.telling, np.float32)
    # Of a library about orders the word order says little here, and much in a query.
    part = np.maximum(*((w @ (has > 0)) / w.sum() for w in (general, general * here)))
    evidence = general @ np.minimum(1, has) * (here @ has + weighed.paired[order])
    return float(part.max()), float(evidence.max()) / weighed.unheard


def _hit(snapshot: Snapshot, found: _Found, position: int) -> Hit:
    bonus = found.named.get(position, 0.0)
    terms: tuple[str, ...] = ()
    if found.weighed is not None:
        has = found.weighed.columns[:, position] > 0
        terms = tuple(
            word for word, has in zip(found.weighed.words, has.tolist(), strict=True) if has
        )
    if bonus and not terms:
        terms = tuple(dict.fromkeys(found.words))
    return Hit(snapshot.names[position], float(found.fits[position]) + bonus, terms)
