"""A tool that a search has found.

Place in the house: ``tools``, beside ``base``; what ``ToolRegistry.search`` returns.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from py_code_mode.search import Hit
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
        own = {field.name: getattr(info, field.name) for field in fields(ToolInfo)}
        return cls(**own, score=hit.score, terms=hit.terms)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire."""
        return {**ToolInfo.to_dict(self), "score": self.score, "terms": [*self.terms]}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ToolInfo):
            return NotImplemented
        return all(
            getattr(self, field.name) == getattr(other, field.name)
            for field in fields(ToolInfo)
            if field.compare
        )

    __hash__ = ToolInfo.__hash__
