"""A tool that a search has found.

Place in the house: ``tools``, beside ``base``; what ``ToolRegistry.search`` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from py_code_mode.search import Hit
from py_code_mode.search.found import equal_as, values_as
from py_code_mode.tools.base import ToolInfo

__all__ = ["FoundTool"]


@dataclass(frozen=True, slots=True, eq=False)
class FoundTool(ToolInfo):
    """A tool with what a search says of it; equal to the tool itself.

    Attributes:
        score: How well it fits the query, as ``Hit.score`` says.
        terms: The words of the query it has.
    """

    score: float = 0.0
    terms: tuple[str, ...] = ()

    @classmethod
    def of(cls, info: ToolInfo, hit: Hit) -> Self:
        """Say of a tool how it was found."""
        return cls(**values_as(ToolInfo, info), score=hit.score, terms=hit.terms)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire."""
        return {**ToolInfo.to_dict(self), "score": self.score, "terms": [*self.terms]}

    def __eq__(self, other: object) -> bool:
        return equal_as(ToolInfo, self, other) if isinstance(other, ToolInfo) else NotImplemented

    __hash__ = ToolInfo.__hash__
