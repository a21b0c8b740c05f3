"""What packages skills declare, and what a policy says to each.

Place in the house: inside ``environments``, beside ``spec``. Skills are written by agents: what
they declare is a wish, and only what the policy allows becomes a requirement of an environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from py_code_mode.errors import ConfigError
from py_code_mode.packages import PackagePolicy, check_packages, without_credentials

__all__ = ["Need", "needs_of"]

ASKED = "(asked for)"
"""Stands for the skill's name where the host itself asks."""


@dataclass(frozen=True, slots=True)
class Need:
    """A requirement that somebody has.

    Attributes:
        requirement: Normalised, if it is one.
        skills: Names of the skills that declare it, sorted.
        refused: Why it is not allowed; empty if it is.
    """

    requirement: str
    skills: tuple[str, ...]
    refused: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without credentials."""
        return {**asdict(self), "requirement": without_credentials(self.requirement)}


def needs_of(
    skills: Mapping[str, Iterable[str]], policy: PackagePolicy, asked: Iterable[str] = ()
) -> list[Need]:
    """Collect requirements, each once, and judge them.

    Args:
        skills: What each skill declares, by its name.
        policy: Judges.
        asked: What the host itself asks for; it is judged the same.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for name, packages in [*skills.items(), (ASKED, asked)]:
        for package in packages:
            found.setdefault(_judge(package, policy), set()).add(name)
    return sorted(
        (Need(text, tuple(sorted(names)), refused) for (text, refused), names in found.items()),
        key=lambda need: need.requirement,
    )


def _judge(package: str, policy: PackagePolicy) -> tuple[str, str]:
    try:
        (requirement,) = check_packages([package], policy)
    except ConfigError as error:
        return package, error.reason
    return requirement, ""
