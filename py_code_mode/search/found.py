"""What a skill and a tool that were found have in common: they are the thing itself, and more.

Place in the house: ``search``, beside ``document``; knows neither skills nor tools.
"""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, ClassVar, Protocol

__all__ = ["equal_as", "values_as"]


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def values_as(kind: type[_Dataclass], thing: object) -> dict[str, Any]:
    """Return the fields that a thing has as one of a kind."""
    return {field.name: getattr(thing, field.name) for field in fields(kind)}


def equal_as(kind: type[_Dataclass], one: object, other: object) -> bool:
    """Whether two are equal as things of a kind, whatever else they have."""
    compared = (field.name for field in fields(kind) if field.compare)
    return all(getattr(one, name) == getattr(other, name) for name in compared)
