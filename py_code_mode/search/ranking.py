"""From a query to hits: names first, then words and meaning, and nothing where nothing fits.

Place in the house: ``search``, above scoring and relevance, below the index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from py_code_mode.search.document import Hit
from py_code_mode.search.meaning import Meaning
from py_code_mode.search.relevance import LOOKED_AT, Evidence, relevant
from py_code_mode.search.scoring import Snapshot, Weighed, weigh
from py_code_mode.search.words import content, split, stem
from py_code_mode.search.wordvectors import of_words

__all__ = ["ranked"]

_MAX_QUERY = 2_000
"""Characters of a query that are looked at: an agent may paste a page."""

_PREFIX, _EXACT = 1.0, 2.0
"""Added to what fits at most 1, so that names precede all else."""

_WORDS_MEAN = 0.12
"""What nearness in what words mean counts beside the words themselves."""

_DIGITS = 6

_MEANING = 2.0
"""What nearness in meaning counts beside words, both in standard deviations."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of all documents for one query."""

    words: list[str]
    weighed: Weighed | None
    fits: Any
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
    near = _near(snapshot, told)
    nearness = None
    if meaning is not None and told:
        nearness = meaning.nearness(_cosines(snapshot, meaning.query(query[:_MAX_QUERY])))
    fits = _by_words(weighed, near) if nearness is None else _by_both(snapshot, weighed, nearness)
    found = _Found(words, weighed, fits, _named(snapshot, words, prefixes=bool(told)))
    order = _order(snapshot, found, max(limit, LOOKED_AT), among)
    if not everything:
        evidence = Evidence(snapshot.count, weighed, near if nearness is None else nearness, fits)
        fit = relevant(evidence, order, by_model=nearness is not None)
        order = [position for position in order if position in fit or position in found.named]
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


def _near(snapshot: Snapshot, told: list[str]) -> Any:
    """Return how near the query's words and each document's are in what they mean, 1 at most."""
    import numpy as np

    if not told:
        return np.zeros(snapshot.size, np.float32)
    vector = of_words(map(stem, told))
    near = [part.segment.meant @ vector for part in snapshot.parts]
    return np.maximum(np.concatenate(near), 0)


def _cosines(snapshot: Snapshot, vector: Any) -> Any:
    import numpy as np

    return np.concatenate([part.segment.vectors @ vector for part in snapshot.parts])


def _by_words(weighed: Weighed | None, near: Any) -> Any:
    """Return how well each document fits, from 0 to 1."""
    import numpy as np

    if weighed is None:
        return near
    weight = np.float32(_WORDS_MEAN)
    return (weighed.scores / np.float32(weighed.best or 1) + weight * near) / (1 + weight)


def _by_both(snapshot: Snapshot, weighed: Weighed | None, nearness: Any) -> Any:
    """Return how well each document fits, from 0 to 1, with what an embedder says."""
    import numpy as np

    lexical = np.zeros(snapshot.size) if weighed is None else weighed.scores
    both = _standard(lexical, snapshot.alive) + _MEANING * _standard(nearness, snapshot.alive)
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

    # Rounded: what is alike may differ in the last digit by where it stands in a matrix.
    names = snapshot.names
    scores = np.where(snapshot.alive, np.round(found.fits, _DIGITS), 0)
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


def _hit(snapshot: Snapshot, found: _Found, position: int) -> Hit:
    bonus = found.named.get(position, 0.0)
    terms: tuple[str, ...] = ()
    if found.weighed is not None:
        has = found.weighed.own[:, position]
        terms = tuple(
            word for word, has in zip(found.weighed.words, has.tolist(), strict=True) if has
        )
    if bonus and not terms:
        terms = tuple(dict.fromkeys(found.words))
    return Hit(snapshot.names[position], float(found.fits[position]) + bonus, terms)
