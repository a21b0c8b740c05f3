"""Where skills are kept: the one seam between the library and memory, files or a server.

Place in the house: beside ``skill``, below every store and the library.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from py_code_mode.search import IndexKeeper
from py_code_mode.skills.skill import Skill

__all__ = ["IndexedStore", "SkillStore"]


@runtime_checkable
class SkillStore(Protocol):
    """Keeps the sources of skills by name. Methods may be called from any thread.

    A store is shared: others, in this process or another one, may change it between two calls.
    """

    def names(self) -> list[str]:
        """Return the names of all skills, broken ones too, sorted."""
        ...

    def load(self, name: str) -> Skill | None:
        """Read a skill.

        Returns:
            The skill, or None if there is none of that name.

        Raises:
            SkillValidationError: It is there, but broken; the message says where.
        """
        ...

    def save(self, skill: Skill, *, replace: bool = True) -> bool:
        """Keep a skill, whole or not at all, so that ``load`` gives its description again.

        Args:
            skill: The skill. A store may write its description into its source.
            replace: Whether it may take the place of one of the same name.

        Returns:
            False if the name is taken and ``replace`` is false. Of several that try at once to
            save a new name without ``replace``, one succeeds.

        Raises:
            SkillError: It could not be stored.
        """
        ...

    def delete(self, name: str) -> bool:
        """Remove a skill; False if there was none."""
        ...

    def version(self) -> object:
        """Return something cheap that compares unequal once any skill may have changed."""
        ...


@runtime_checkable
class IndexedStore(Protocol):
    """A ``SkillStore`` that also has a place for the search index over its skills."""

    def index_keeper(self) -> IndexKeeper:
        """Return what keeps the index, one for all who use the store."""
        ...
