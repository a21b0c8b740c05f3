"""Whether anything has to do with a query, or has only a word in common with it.

Place in the house: ``search``, above scoring, below ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from py_code_mode.search.common import telling
from py_code_mode.search.scoring import Weighed

__all__ = ["LOOKED_AT", "Evidence", "relevant"]

LOOKED_AT = 10
"""Hits of which one must be convincing: the first may be first by a chance that others lack."""

_NO_WORDS = 0.05
"""Evidence of words that is taken for granted, so that nearness can convince alone."""

_NEARNESS, _PART = 4.0, 0.7
"""What nearness in meaning, and having a part of the query, say beside the logarithm of the words'
evidence."""

_UNKNOWN = 0.5
"""How near in meaning what has all of the query's words is at least: of names and of words that
are mistyped nobody knows what they mean."""

_BY_CHANCE, _ENOUGH, _FEW = 0.6, -2.12, 5
"""All together must exceed ``_BY_CHANCE * log(documents + _FEW) + _ENOUGH``: the best of many
documents fits better by chance than the best of a few."""

_BY_MODEL = {"nearness": 12.0, "by_chance": 0.9, "enough": -2.9}
"""The same where nearness is what a model says, which needs no other sign than the words."""

_FLOOR, _NEAR = 0.2, 0.5
"""What a hit must have at least of the best one's score, or of its nearness by a model."""

_LEAST = 1e-6
"""Rarity of a word that every document has, which must not be divided by when it is 0."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to judge by.

    Attributes:
        count: How many documents there are.
        weighed: What the words of the query say, if there are any.
        nearness: How near each document is in meaning; 0 for what is unrelated, 1 for the same.
        fits: How well each document fits.
    """

    count: int
    weighed: Weighed | None
    nearness: Any
    fits: Any


def relevant(evidence: Evidence, order: Sequence[int], *, by_model: bool) -> set[int]:
    """Return which of the best documents have to do with the query.

    Args:
        evidence: What there is to judge by.
        order: Positions of the best documents, best first.
        by_model: Whether nearness is what an embedder says, and not what words mean.
    """
    positions = [*order]
    if not positions or not _is_any(evidence, positions[:LOOKED_AT], by_model=by_model):
        return set()
    if by_model:
        near = evidence.nearness[positions]
        fit = near > _NEAR * max(float(near.max()), 0.0)
        if evidence.weighed is not None:
            fit |= _much(evidence.weighed.scores[positions])
    else:
        fit = _much(evidence.fits[positions])
    return {position for position, is_fit in zip(positions, fit.tolist(), strict=True) if is_fit}


def _much(scores: Any) -> Any:
    return scores > _FLOOR * float(scores.max())


def _is_any(evidence: Evidence, order: Sequence[int], *, by_model: bool) -> bool:
    """Whether one of the best documents has to do with the query, not only a word in common."""
    part, said = (0.0, 0.0) if evidence.weighed is None else _said(evidence.weighed, order)
    near = float(evidence.nearness[order].max())
    told = log(said + _NO_WORDS)
    if by_model:
        told += _BY_MODEL["nearness"] * near
        return told > _BY_MODEL["by_chance"] * log(evidence.count) + _BY_MODEL["enough"]
    told += _NEARNESS * max(near, _UNKNOWN * part) + _PART * part
    return told > _BY_CHANCE * log(evidence.count + _FEW) + _ENOUGH


def _said(weighed: Weighed, order: Sequence[int]) -> tuple[float, float]:
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
    own = weighed.own[:, order]
    part = np.maximum(*((w @ own) / w.sum() for w in (general, general * here)))
    said = general @ np.minimum(1, has) * (here @ has + weighed.paired[order])
    return float(part.max()), float(said.max()) / weighed.unheard
