"""A skill as ``skills.get`` shows it, and the signature of its function.

Place in the house: below ``skills``; plain data of the host made objects.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel_bootstrap.functions import SourceText

__all__ = ["SkillView", "signature_of", "view"]


@dataclass(frozen=True, slots=True)
class SkillView:
    """A skill as ``skills.get`` shows it.

    Attributes:
        name: Its name.
        description: First line of its documentation.
        documentation: The rest of it.
        params: Parameters of ``run``: dicts with name, annotation, required, default, kind.
        is_async: Whether ``run`` is ``async def``.
        source: Its Python source.
        digest: SHA-256 of the source, hex.
        returns: Return annotation of ``run``.
        tags: Words to find it by.
        version: Its version, as its docstring says.
        tools: Names of tools it needs.
        packages: Packages it needs: requirements of PEP 508.
        examples: Its examples: dicts with code, expected, line.
        number: Number of this version, as in ``skills.versions(name)``.
        creator: On whose behalf it was made, or the session that made it.
        created: When that was, in seconds since 1970 (UTC).
        modified: When this version was saved.
        uses: How often it has run to an end.
        failures: How many of these raised.
        success_rate: Share of those that did not, from 0 to 1; None before the first.
        seconds: Seconds that all of them took together.
        last_used: When the last one ended, in seconds since 1970 (UTC); 0.0: never.
    """

    name: str
    description: str
    documentation: str
    params: list[dict[str, Any]]
    is_async: bool
    source: str = field(repr=False)
    digest: str = field(repr=False)
    returns: str = ""
    tags: list[str] = field(default_factory=list)
    version: str = ""
    tools: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list, repr=False)
    number: int = 0
    creator: str = ""
    # Times are another in each run, and tell a model nothing.
    created: float = field(default=0.0, repr=False)
    modified: float = field(default=0.0, repr=False)
    # Two looks at one skill are equal however often it ran between them.
    uses: int = field(default=0, compare=False)
    failures: int = field(default=0, compare=False)
    success_rate: float | None = field(default=None, compare=False)
    seconds: float = field(default=0.0, compare=False, repr=False)
    last_used: float = field(default=0.0, compare=False, repr=False)


def view(data: Mapping[str, Any]) -> SkillView:
    """Make the object of what the host says of a skill."""
    return SkillView(
        **{name: data[name] for name in SkillView.__dataclass_fields__ if name in data}
    )


def signature_of(skill: SkillView) -> inspect.Signature:
    """Return the signature of a skill's ``run``.

    Annotations and defaults are source text: they are shown, never evaluated here.
    """
    empty = inspect.Parameter.empty
    parameters = [
        inspect.Parameter(
            param["name"].lstrip("*"),
            getattr(inspect.Parameter, param["kind"].upper()),
            default=SourceText(param["default"]) if param["default"] else empty,
            annotation=SourceText(param["annotation"]) if param["annotation"] else empty,
        )
        for param in skill.params
    ]
    returns = SourceText(skill.returns) if skill.returns else inspect.Signature.empty
    return inspect.Signature(parameters, return_annotation=returns)
