"""Where skills are kept: the one seam between the library and memory, files or a server.

Place in the house: beside ``skill``, below every store and the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from py_code_mode.errors import SkillValidationError
from py_code_mode.search import IndexedStore
from py_code_mode.skills.skill import Skill

__all__ = [
    "MAX_VERSIONS",
    "IndexedStore",
    "ReadsAtOnce",
    "SkillStore",
    "SkillUsage",
    "SkillVersion",
]

MAX_VERSIONS = 20
"""Versions of a skill that a store keeps unless told otherwise, the present one among them."""


@dataclass(frozen=True, slots=True)
class SkillVersion:
    """One saved state of a skill.

    Attributes:
        number: Its place in the order of saves, from 1; a number never means another state.
        digest: SHA-256 of its source, hex, as in ``Skill.digest``.
        time: When it was saved, in seconds since 1970 (UTC).
        creator: Who saved it; empty when nobody said.
    """

    number: int
    digest: str
    time: float
    creator: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SkillUsage:
    """How often a skill ran, and how that went.

    Attributes:
        uses: Finished runs.
        failures: Those of them that raised.
        seconds: Seconds that all of them took together.
        last_used: When the last one ended, in seconds since 1970 (UTC); 0.0: never.
    """

    uses: int = 0
    failures: int = 0
    seconds: float = 0.0
    last_used: float = 0.0

    @property
    def success_rate(self) -> float | None:
        """Share of the runs that did not raise, from 0 to 1; None before the first one."""
        return None if self.uses == 0 else 1 - self.failures / self.uses

    def __add__(self, other: SkillUsage) -> SkillUsage:
        return SkillUsage(
            self.uses + other.uses,
            self.failures + other.failures,
            self.seconds + other.seconds,
            max(self.last_used, other.last_used),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire, ``success_rate`` among it."""
        return {**asdict(self), "success_rate": self.success_rate}


@runtime_checkable
class SkillStore(Protocol):
    """Keeps the sources of skills by name. Methods may be called from any thread.

    A store is shared: others, in this process or another one, may change it between two calls.
    Besides the skills it keeps their former versions, up to a number that is its own matter, and
    how often each was used.

    Attributes:
        max_versions: How many versions of a skill are kept, the present one among them.
    """

    max_versions: int

    def names(self) -> list[str]:
        """Return the names of all skills, broken ones too, sorted."""
        ...

    def load(self, name: str, version: int | None = None) -> Skill | None:
        """Read a skill, with what the store knows of it (``number``, ``creator``, times).

        Args:
            name: Its name.
            version: Number of the version; None: the present one.

        Returns:
            The skill, or None if there is none of that name, or no such version is kept.

        Raises:
            SkillValidationError: It is there, but broken; the message says where.
        """
        ...

    def save(self, skill: Skill, *, replace: bool = True, creator: str = "") -> bool:
        """Keep a skill, whole or not at all, so that ``load`` gives its description again.

        What was there is kept as a former version. Saving what is there already makes no new
        version. ``creator`` of the first version and the time of its save are the skill's
        ``creator`` and ``created`` from then on, also when that version is kept no longer.

        Args:
            skill: The skill. A store may write its description into its source.
            replace: Whether it may take the place of one of the same name.
            creator: Who saves it.

        Returns:
            False if the name is taken and ``replace`` is false. Of several that try at once to
            save a new name without ``replace``, one succeeds.

        Raises:
            SkillError: It could not be stored.
        """
        ...

    def delete(self, name: str) -> bool:
        """Remove a skill, its former versions and its counts; False if there was none."""
        ...

    def version(self) -> object:
        """Return something cheap that compares unequal once any skill may have changed.

        Counting uses is no change.
        """
        ...

    def versions(self, name: str) -> list[SkillVersion]:
        """Return the kept versions of a skill, the present one first; empty for no skill."""
        ...

    def add_usage(self, used: Mapping[str, SkillUsage]) -> None:
        """Add runs to the counts of skills, by name; names of no skill are passed over.

        Counts of several processes add up. It is cheap, and not worth waiting for a disk.

        Raises:
            SkillError: They could not be stored.
        """
        ...

    def usage(self, *names: str) -> dict[str, SkillUsage]:
        """Return the counts of these skills (of all: no name is given) that were used."""
        ...


@runtime_checkable
class ReadsAtOnce(Protocol):
    """A store far away, that reads all skills with one question instead of one for each."""

    def load_all(self) -> list[Skill | SkillValidationError]:
        """Return all skills by name, and in the place of broken ones what is wrong with them."""
        ...
