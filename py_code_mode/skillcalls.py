"""What a kernel may ask of the skills.

Place in the house: middle layer, below ``dispatch``, above skills, beside ``toolcalls``. Stores
block, so each answer is looked up in a thread.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Iterable
from typing import Any

from py_code_mode.skills.library import SkillLibrary
from py_code_mode.skills.skill import Skill
from py_code_mode.skills.store import SkillUsage
from py_code_mode.toolcalls import Origin

__all__ = ["SkillAnswers"]

_MAX_CREATOR = 200


class SkillAnswers:
    """Answers requests about skills: one method a request, of its origin and parameters.

    Args:
        library: The skills.
    """

    def __init__(self, library: SkillLibrary) -> None:
        self._library = library

    async def list(self, _: Origin, __: Any) -> Any:
        """All skills without their sources, with how often they were used."""
        return await asyncio.to_thread(lambda: self._rows(self._library.list()))

    async def search(self, _: Origin, params: Any) -> Any:
        """Skills that fit a query, as in a list."""
        return await asyncio.to_thread(
            lambda: self._rows(self._library.search(params.query, params.limit))
        )

    async def get(self, _: Origin, params: Any) -> Any:
        """One skill with its source, or None; one that is to be run must be there."""

        def get() -> Any:
            if not params.usage:  # to be run: that must be quick
                return self._library.find(params.name).to_dict(source=True)
            skill = self._library.get(params.name, params.version)
            return None if skill is None else self._whole(skill)

        return await asyncio.to_thread(get)

    async def create(self, origin: Origin, params: Any) -> Any:
        """Keep a new skill."""
        create = functools.partial(
            self._library.create,
            params.name,
            params.code,
            params.description,
            replace=params.replace,
            creator=_creator(origin),
        )
        return await asyncio.to_thread(lambda: self._whole(create()))

    async def update(self, origin: Origin, params: Any) -> Any:
        """Keep a new version of a skill."""
        update = functools.partial(
            self._library.update,
            params.name,
            params.code,
            params.description,
            creator=_creator(origin),
        )
        return await asyncio.to_thread(lambda: self._whole(update()))

    async def delete(self, _: Origin, params: Any) -> Any:
        """Remove a skill."""
        return await asyncio.to_thread(self._library.delete, params.name)

    async def versions(self, _: Origin, params: Any) -> Any:
        """The kept versions of a skill."""
        found = await asyncio.to_thread(self._library.versions, params.name)
        return [version.to_dict() for version in found]

    async def used(self, _: Origin, params: Any) -> None:
        """Count runs that have ended; the kernel's clock is not asked."""
        now = time.time()
        counts = {
            name: SkillUsage(uses, min(uses, failures), seconds, now)
            for name, (uses, failures, seconds) in params.used.items()
        }
        await asyncio.to_thread(self._library.count, counts)

    def _rows(self, skills: Iterable[Skill]) -> Any:
        usage = self._library.usage()
        unused = SkillUsage()
        return [skill.to_dict() | usage.get(skill.name, unused).to_dict() for skill in skills]

    def _whole(self, skill: Skill) -> dict[str, Any]:
        usage = self._library.usage(skill.name).get(skill.name, SkillUsage())
        return skill.to_dict(source=True) | usage.to_dict()


def _creator(origin: Origin) -> str:
    """Who makes a skill: on whose behalf the session runs, or the session if nobody said."""
    return (origin.author or origin.session)[:_MAX_CREATOR]
