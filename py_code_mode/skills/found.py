"""A skill that a search has found.

Place in the house: ``skills``, beside ``skill``; what ``SkillLibrary.search`` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from py_code_mode.search import Hit
from py_code_mode.search.found import equal_as, values_as
from py_code_mode.skills.skill import Skill

__all__ = ["FoundSkill"]


@dataclass(frozen=True, slots=True, eq=False)
class FoundSkill(Skill):
    """A skill with what a search says of it; equal to the skill itself.

    Attributes:
        score: How well it fits the query, as ``Hit.score`` says.
        terms: The words of the query it has.
    """

    score: float = 0.0
    terms: tuple[str, ...] = ()

    @classmethod
    def of(cls, skill: Skill, hit: Hit) -> Self:
        """Say of a skill how it was found."""
        return cls(**values_as(Skill, skill), score=hit.score, terms=hit.terms)

    def to_dict(self, *, source: bool = False) -> dict[str, Any]:
        """Plain data for the wire."""
        data = Skill.to_dict(self, source=source)
        return {**data, "score": self.score, "terms": [*self.terms]}

    def __eq__(self, other: object) -> bool:
        return equal_as(Skill, self, other) if isinstance(other, Skill) else NotImplemented

    __hash__ = Skill.__hash__
